"""Compares two code snapshots, file by file."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 1 << 20  # bytes; larger files are not compared line by line


def compare_code(one: Path, other: Path, *, patch: bool = False) -> list[dict[str, Any]]:
    """The files that differ, in the order of their paths.

    Args:
        one: The folder of the first snapshot.
        other: The folder of the second snapshot.
        patch: Whether to include unified diffs.

    Returns:
        For each file its `path` and `change` (added, removed or changed). A text file also has the numbers of `added`
        and `removed` lines and, with `patch`, its unified diff as `lines`; any other file has `binary`.
    """
    left, right = _files(one), _files(other)
    found = []
    for path in sorted({*left, *right}):
        before, after = left.get(path), right.get(path)
        if before is None or after is None or not _same(before, after):
            found.append(_difference(path, before, after, patch=patch))
    return found


def _files(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _difference(path: str, before: Path | None, after: Path | None, *, patch: bool) -> dict[str, Any]:
    change = "added" if before is None else "removed" if after is None else "changed"
    entry: dict[str, Any] = {"path": path, "change": change}
    old, new = _lines(before), _lines(after)
    if old is None or new is None:
        return {**entry, "binary": True}
    lines = list(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))
    body = lines[2:]
    entry["added"] = sum(line.startswith("+") for line in body)
    entry["removed"] = sum(line.startswith("-") for line in body)
    return {**entry, "lines": lines} if patch else entry


def _lines(file: Path | None) -> list[str] | None:
    """The lines of a text file, none for a missing file; None if the file is not text or is too large."""
    if file is None:
        return []
    if file.stat().st_size > _MOST:
        return None
    content = file.read_bytes()
    try:
        return None if b"\0" in content else content.decode().splitlines()
    except UnicodeDecodeError:
        return None
