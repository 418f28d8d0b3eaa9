"""Helpers for the tests of the reader and the writer of YAML."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(one: Any, other: Any, *, ordered: bool = True, path: str = "") -> Iterator[str]:
    """The differences between two jobs, as lines `path: this is not that`."""
    if hasattr(one, "_asdict") and type(one) is type(other):
        one, other = one._asdict(), other._asdict()
    if hasattr(one, "items") and hasattr(other, "items"):
        for key in [*one, *(key for key in other if key not in one)]:
            values = one.get(key, "nothing"), other.get(key, "nothing")
            yield from differences(*values, ordered=ordered, path=f"{path}.{key}")
        if ordered and list(one) != list(other) and one == other:
            yield f"{path}: the order {list(one)} is not {list(other)}"
    elif (one, repr(one)) != (other, repr(other)):
        yield f"{path}: {one!r} is not {other!r}"


def with_files_made(file: Path, folder: Path) -> Path:
    """The path of a job's file; if the job needs generated files, the path in a copy of its folder with these files."""
    expectation = file.parent / "expected.json"
    make = json.loads(expectation.read_text(encoding="utf-8")).get("make") if expectation.exists() else None
    if not make:
        return file
    case = Path(shutil.copytree(file.parent, folder / "case"))
    for path, text in make.items():
        (case / path).parent.mkdir(parents=True, exist_ok=True)
        (case / path).write_text(text, encoding="utf-8")
    return case / file.name
