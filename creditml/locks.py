"""File locks between processes. The system releases a lock when its process ends, so that no lock is left behind.

A lock belongs to a descriptor. Closing the descriptor releases the lock, and a process that inherits the descriptor
holds the lock too.
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
        file: The file to lock.
        create: Whether to create the file if it doesn't exist.

    Returns:
        The descriptor that holds the lock; None if another process holds it, or the file doesn't exist.
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
    """Lock a file for this process alone, waiting while another process holds it; returns the descriptor."""
    descriptor = open_file(file)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def open_file(file: Path, *, create: bool = True) -> int:
    """Open a file that is to be locked, and return the descriptor; by default the file is created if necessary."""
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
    """Whether a process holds the exclusive lock of a file; False if the file doesn't exist."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not lock(descriptor, shared=True)  # shared, so that two such checks don't see each other
    finally:
        os.close(descriptor)
