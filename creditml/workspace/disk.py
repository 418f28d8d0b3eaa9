"""Full disks: a message that names the disk, and a reserve of space in which the failure can still be recorded."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LEAST = 1 << 20  # bytes: SQLite's write-ahead log and its index need about that much
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHIES = 0x8008_6601, 0x4008_6602, 0x2_0000  # Linux: FS_IOC_…, FS_TOPDIR_FL


class Reserve:
    """A file of 1 MiB in the workspace that is deleted when the disk is full, so that SQLite can write once more."""

    def __init__(self, root: Path) -> None:
        self._file = root / "reserve"

    def make(self) -> None:
        """Write the file, unless it exists or the disk has no space for it."""
        if self._file.exists():
            return
        with suppress(OSError):
            try:
                self._file.write_bytes(b"\0" * _LEAST)
            except OSError:
                self.release()
                raise

    def release(self) -> None:
        """Delete the file."""
        self._file.unlink(missing_ok=True)


def spread(folder: Path) -> None:
    """Ask the file system to place each subfolder in a different region of the disk.

    Ext4 creates files slowly, for minutes, in a region where many files were just removed. With this flag every job's
    folder gets a region of its own, and a new job does not suffer from the removal of an old one.
    """
    with suppress(OSError):  # a file system without this flag
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)), sys.byteorder)
            fcntl.ioctl(descriptor, _SET_FLAGS, (flags | _TOP_OF_HIERARCHIES).to_bytes(8, sys.byteorder))
        finally:
            os.close(descriptor)


def is_full(place: str | Path) -> bool:
    """Whether less than 1 MiB is free on the disk of an existing file or folder."""
    try:
        return shutil.disk_usage(place).free < _LEAST
    except OSError:
        return False


def full_disk(error: BaseException | None, root: Path) -> str:
    """A message that names the full disk that caused an error, and says what to do; empty if that wasn't the cause.

    Args:
        error: the exception; the exceptions that caused it are examined too.
        root: the workspace's folder, whose disk is named if the error does not name a file.
    """
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return disk_words(error.filename or root)
    if isinstance(error, sqlite3.Error) and ("is full" in str(error) or is_full(root)):
        return disk_words(root)
    return full_disk(error.__cause__, root) if error is not None and error.__cause__ is not None else ""


def disk_words(place: str | Path) -> str:
    """The message that the disk of a file or folder is full, and what to do."""
    mount = os.path.abspath(place)
    while not os.path.ismount(mount):
        mount = os.path.dirname(mount)
    return f"The disk {mount} is full. Free some space on it, and run the job again."
