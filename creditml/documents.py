"""Reads documents of users and clients within limits, so that no document can block or exhaust the process.

Only regular files are read, since a read from a pipe or a device may never end. The size of a document is limited, and
so are the depth and the number of its values; a value that YAML aliases repeat is counted each time.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 24
"""The largest size of a document in bytes. A pipeline of ten thousand nodes has a third of that."""
DEEPEST = 100
"""The largest number of nested lists and mappings."""
MOST_VALUES = 1_000_000
"""The largest number of values (lists, mappings and scalars) in one document."""
_CHUNK = 1 << 20
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_HANDED = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_bytes(path: str | Path, largest: int = LARGEST, *, handed: bool = False) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        largest: The largest size in bytes.
        handed: Whether the path may also be a stream that the shell has passed to this process, such as `/dev/stdin`
            or `<(command)`. Reading it may block, which the user who starts the command intends.

    Raises:
        OSError: It can't be read, is not a regular file, or is too large; `strerror` says why.
    """
    stream = handed and os.fspath(path).startswith(_HANDED)
    if not stream:
        _require_file(os.stat(path).st_mode, path)  # checked before opening, which makes some devices act
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | (0 if stream else os.O_NONBLOCK))
    try:
        if not stream:
            _require_file(os.fstat(descriptor).st_mode, path)
        parts, size = [], 0
        while part := os.read(descriptor, _CHUNK):  # files such as those in /proc don't report their size
            parts.append(part)
            size += len(part)
            if size > largest:
                raise OSError(errno.EFBIG, f"it has more than {largest >> 20} MB", os.fspath(path))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_text(path: str | Path, encoding: str = "utf-8-sig", errors: str = "strict") -> str:
    r"""The text of a regular file, without a byte order mark and with `\n` as the end of lines.

    Raises:
        OSError: It can't be read, is not a regular file, or is too large; `strerror` says why.
        UnicodeDecodeError: It is not UTF-8 text.
    """
    return read_bytes(path).decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def parse_json(content: str | bytes) -> Any:  # any JSON value
    """The value of a JSON text.

    Raises:
        ValueError: It is not JSON, is nested too deep, or has too many values.
    """
    import json  # the import takes 2 ms, and checking a job doesn't need it

    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(too_deep()) from None
    _require_bounds(value)
    return value


def is_system(path: str | Path) -> bool:
    """Whether a path is the root of the file system, or in a folder of the kernel such as `/proc`."""
    place = os.path.realpath(path)
    return place == "/" or f"{place}/".startswith(_SYSTEM)


def too_deep() -> str:
    """The message about a document whose values are nested too deep."""
    return f"nested deeper than {DEEPEST} levels"


def too_many() -> str:
    """The message about a document with too many values."""
    return f"more than {MOST_VALUES:,} values"


def _require_file(mode: int, path: str | Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", os.fspath(path))
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")
        raise OSError(errno.EINVAL, f"it is {what}, not a regular file", os.fspath(path))


def _require_bounds(value: Any) -> None:  # any JSON value
    level, count = [value], 0
    for _ in range(DEEPEST + 1):
        count += len(level)
        if count > MOST_VALUES:
            raise ValueError(too_many())
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        if not inner:
            return
        level = inner
    raise ValueError(too_deep())
