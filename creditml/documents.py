"""Reads documents that a user or a client gives, within bounds: no document can hang or exhaust the process.

Only regular files are read: a pipe or a device may never end, or never answer. A document has a largest size; what is
parsed has a largest depth and number of values, with those that aliases repeat counted each time.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 24
"""Bytes; a pipeline of ten thousand nodes has a third of that."""
DEEPEST = 100
"""Levels of lists and mappings within each other."""
MOST_VALUES = 1_000_000
"""Lists, mappings and scalars in one document."""
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
        path: the file.
        largest: bytes that it may have.
        handed: whether the path may also be that of a stream that the shell has handed to this process, such as
            `/dev/stdin` or `<(command)`. Whoever starts a command decides how long it waits.

    Raises:
        OSError: it can't be read, is not a regular file, or is too large; `strerror` says why.
    """
    stream = handed and os.fspath(path).startswith(_HANDED)
    if not stream:
        _require_file(os.stat(path).st_mode, path)  # before it is opened, which some devices answer with an action
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | (0 if stream else os.O_NONBLOCK))
    try:
        if not stream:
            _require_file(os.fstat(descriptor).st_mode, path)
        parts, size = [], 0
        while part := os.read(descriptor, _CHUNK):  # files of the system tell no size
            parts.append(part)
            size += len(part)
            if size > largest:
                raise OSError(errno.EFBIG, f"it has more than {largest >> 20} MB", os.fspath(path))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_text(path: str | Path, encoding: str = "utf-8-sig", errors: str = "strict") -> str:
    """The text of a regular file, its lines ended as in Unix, without the mark that may be at its beginning.

    Raises:
        OSError: see `read_bytes`.
        UnicodeDecodeError: it is not UTF-8 text.
    """
    return read_bytes(path).decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def parse_json(content: str | bytes) -> Any:  # any JSON value
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested too deep, or has too many values.
    """
    import json  # 2 ms, and a check of a job needs none

    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(too_deep()) from None
    _require_bounds(value)
    return value


def is_system(path: str | Path) -> bool:
    """Whether a path is the root of the file system, or in a folder that the system itself fills."""
    place = os.path.realpath(path)
    return place == "/" or f"{place}/".startswith(_SYSTEM)


def too_deep() -> str:
    """What is said of a document whose values are nested too deep."""
    return f"nested deeper than {DEEPEST} levels"


def too_many() -> str:
    """What is said of a document with too many values."""
    return f"more than {MOST_VALUES:,} values"


def _require_file(mode: int, path: str | Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", os.fspath(path))
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {what}, and not a file", os.fspath(path))


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
