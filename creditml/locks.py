"""Locks between processes, on files: the system releases them when their holder ends, so nothing is left to clear up.

A lock belongs to a descriptor. Closing the descriptor releases it, and a process that inherits the descriptor holds
the lock too.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def take(file: Path, *, create: bool = True) -> int | None:
    """Lock a file for this process alone, without waiting.

    Args:
        file: what to lock.
        create: make the file, if there is none.

    Returns:
        The descriptor that holds the lock; None if another process holds it, or there is no file.
    """
    try:
        descriptor = open_file(file, create=create)
    except FileNotFoundError:
        if create:
            raise
        return None
    if lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def wait_for(file: Path) -> int:
    """Lock a file for this process alone, and wait as long as another process holds it; returns the descriptor."""
    descriptor = open_file(file)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def open_file(file: Path, *, create: bool = True) -> int:
    """Open a file that is to be locked, which is made unless `create` says no; returns the descriptor."""
    return os.open(file, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file or folder without waiting, alone or shared with others; returns whether that succeeded."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Release a lock, and leave the file open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_held(file: Path) -> bool:
    """Whether a process holds a file's lock alone; there may be no such file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not lock(descriptor, shared=True)  # shared, so that two who look don't take each other for a holder
    finally:
        os.close(descriptor)
