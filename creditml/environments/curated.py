"""The curated environments of Azure ML, with their Python and main packages; the table is in `curated.txt`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REGISTRY = "azureml"
"""The prefix of the names of the registries that have curated environments."""
_OLD = "azureml-"
_DECORATION = r"ubuntu[\d.]+|py\d+|cpu|gpu|cuda[\d.]*|cudnn\d*"
_PYTHON = r"py(\d)(\d+)"


class _Row(NamedTuple):
    name: str
    python: str
    image: str
    packages: tuple[str, ...]


def find(name: str) -> Mapping[str, Any] | None:
    """The definition of a curated environment, with the keys of an environment's YAML; None if it is not known.

    If the table doesn't have the name, an environment of the same framework and version is taken, although its name has
    another operating system, CUDA or Python version, or none. The Python version is then the one in the given name.
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
    """The names of the known curated environments, as Azure ML writes them."""
    return tuple(row.name for row in _table())


def _alike(wanted: str, rows: Iterable[_Row]) -> _Row | None:
    """The row with the same framework and version whose name has most parts in common; None if there is none.

    Rows of the same generation (with or without the old prefix `azureml-`) are preferred.
    """
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
