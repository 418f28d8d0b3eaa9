"""What to do when a disk is full: tell which one, and have some room left to record that."""

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

_LEAST = 1 << 20  # bytes: SQLite's log and its index need about that much
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHIES = 0x8008_6601, 0x4008_6602, 0x2_0000  # Linux: FS_IOC_…, FS_TOPDIR_FL


class Reserve:
    """Room on the workspace's disk that is given up when there is no other."""

    def __init__(self, root: Path) -> None:
        """`root` is the workspace's folder."""
        self._file = root / "reserve"

    def make(self) -> None:
        """Take the room, unless it is taken already or there is none."""
        if self._file.exists():
            return
        with suppress(OSError):
            try:
                self._file.write_bytes(b"\0" * _LEAST)
            except OSError:
                self.release()
                raise

    def release(self) -> None:
        """Give it up."""
        self._file.unlink(missing_ok=True)


def spread(folder: Path) -> None:
    """Tell the file system that what lies in a folder does not belong together.

    Ext4 makes files slowly for minutes in the region of a disk where many were removed; now each job gets another one.
    """
    with suppress(OSError):  # it can't be told
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)), sys.byteorder)
            fcntl.ioctl(descriptor, _SET_FLAGS, (flags | _TOP_OF_HIERARCHIES).to_bytes(8, sys.byteorder))
        finally:
            os.close(descriptor)


def is_full(place: str | Path) -> bool:
    """Whether there is hardly any room on the disk of an existing file or folder."""
    try:
        return shutil.disk_usage(place).free < _LEAST
    except OSError:
        return False


def full_disk(error: BaseException | None, root: Path) -> str:
    """Name the disk for want of whose space something failed, and say what to do; empty if that wasn't the reason.

    Args:
        error: what was raised.
        root: the workspace's folder, on whose disk it was if the error names no file.
    """
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return disk_words(error.filename or root)
    if isinstance(error, sqlite3.Error) and ("is full" in str(error) or is_full(root)):
        return disk_words(root)
    return full_disk(error.__cause__, root) if error is not None and error.__cause__ is not None else ""


def disk_words(place: str | Path) -> str:
    """Say that the disk of a file or folder is full, and what to do."""
    mount = os.path.abspath(place)
    while not os.path.ismount(mount):
        mount = os.path.dirname(mount)
    return f"The disk {mount} is full. Make room on it, and run the job again."
