"""Locks of files: held as long as a descriptor is open, so that they need no clearing up after a process that died."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def take(file: Path) -> int | None:
    """Lock a file, which is made if there is none; None if somebody holds it. Who closes the descriptor lets go."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if _locked(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def is_held(file: Path) -> bool:
    """Whether somebody holds the lock; it need not exist."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
