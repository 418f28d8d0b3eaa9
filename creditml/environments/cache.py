"""Placeholder for the cache of environments that were made: another module's work, with this interface."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """An environment in the cache; times are milliseconds since 1970, the size is in bytes."""

    key: str
    kind: str
    folder: str
    title: str
    python: str
    made_at: int
    used_at: int
    size: int


class Cache:
    """Nothing is kept yet."""

    def entries(self) -> list[Entry]:
        """Return what is there."""
        return []

    def prune(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove what no job uses now, and return it."""
        del older_than, dry_run
        return []
