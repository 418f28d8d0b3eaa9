"""Helpers for the trees of YAML documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.language.yaml import List, Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.language.yaml import Node


def walk(node: Node) -> Iterator[Node]:
    """Every distinct node of a tree once."""
    seen: set[int] = set()
    todo = [node]
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, Map):
            todo.extend(current.items.values())
        elif isinstance(current, List):
            todo.extend(current.items)
