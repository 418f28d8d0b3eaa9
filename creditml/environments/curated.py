"""The curated environments of Azure ML: which Python and main packages are in them. The table is `curated.txt`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REGISTRY = "azureml"
"""Begins the names of the registries that have them."""
_OLD = "azureml-"
_DECORATION = r"ubuntu[\d.]+|py\d+|cpu|gpu|cuda[\d.]*|cudnn\d*"
_PYTHON = r"py(\d)(\d+)"


class _Row(NamedTuple):
    name: str
    python: str
    image: str
    packages: tuple[str, ...]


def find(name: str) -> Mapping[str, Any] | None:
    """What a curated environment holds, with the keys of an environment in a spec; None if nothing is known of it.

    A name is found without what follows its framework's version, too, or with another operating system or Python there;
    the Python that it names is then the one it has.
    """
    wanted = name.lower()
    rows = {row.name.lower(): row for row in _table()}
    row = rows.get(wanted) or _alike(wanted, rows.values())
    if row is None:
        return None
    said = re.search(rf"(?:^|-){_PYTHON}(?:-|$)", wanted)
    python = f"{said[1]}.{said[2]}" if said and wanted not in rows else row.python
    dependencies: list[Any] = [f"python={python}"]
    if row.packages:
        dependencies += ["pip", {"pip": list(row.packages)}]
    definition: dict[str, Any] = {"conda_file": {"channels": ["conda-forge"], "dependencies": dependencies}}
    return {**definition, "image": row.image} if row.image else definition


def names() -> tuple[str, ...]:
    """Those that are known, as Azure ML writes them."""
    return tuple(row.name for row in _table())


def _alike(wanted: str, rows: Iterable[_Row]) -> _Row | None:
    """The row of the same framework and version, if possible of the same generation, that shares most of the rest."""
    found = [row for row in rows if _stem(row.name) == _stem(wanted)]
    parts = set(wanted.split("-"))

    def likeness(row: _Row) -> tuple[bool, int]:
        name = row.name.lower()
        return name.startswith(_OLD) == wanted.startswith(_OLD), len(parts & set(name.split("-")))

    return max(found, key=likeness, default=None)


def _stem(name: str) -> str:
    parts = name.lower().removeprefix(_OLD).split("-")
    return "-".join(part for part in parts if not re.fullmatch(_DECORATION, part))


@cache
def _table() -> tuple[_Row, ...]:
    text = Path(__file__).with_name("curated.txt").read_text(encoding="utf-8")
    return tuple(_row(line) for line in text.splitlines() if line and not line.startswith("#"))


def _row(line: str) -> _Row:
    name, python, image, packages = (field.strip() for field in line.split("|"))
    return _Row(name, python, image, tuple(packages.split()))
