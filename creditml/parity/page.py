"""The table as a page of the docs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.later import LATER_JOBS, LATER_NODES
from creditml.parity.table import sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.nodes.fields import Fate, Field

_HEAD = """# Parity with Azure ML

What becomes here of every field of Azure ML's schema. `creditml parity FILE` says it of the fields that a job uses.
This page is what `creditml parity --docs` prints; tests keep it so, and see that no field of the SDK is missing.

* **emulated**: it has the effect that it has in Azure ML.
* **approximated**: it has a similar one, which is told.
* **ignored**: it has none here, and why that seldom matters is told.
* **refused**: the job is not run, and the check says so before anything starts.

Jobs of these types are refused: {jobs}. So are nodes of these: {nodes}.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.format(jobs=", ".join(LATER_JOBS), nodes=", ".join((*LATER_NODES, "promptflow_parallel")))
    for section in sections().values():
        yield f"## {section.title}\n"
        yield "| field | here | how |"
        yield "|---|---|---|"
        for key, field in section.fields.items():
            yield f"| `{key}` | {field.fate.word} | {_how(field)} |"
        yield ""


def _how(field: Field) -> str:
    parts = [field.fate.how]
    groups: dict[Fate, list[str]] = {}
    for value, fate in field.values.items():
        groups.setdefault(fate, []).append(value)
    parts += [f"`{'`, `'.join(values)}`: {_told(fate)}" for fate, values in groups.items()]
    if field.docker:
        parts.append(f"with `--backend docker`: {_told(field.docker)}")
    return "; ".join(part for part in parts if part)


def _told(fate: Fate) -> str:
    return f"**{fate.word}**{', ' if fate.how else ''}{fate.how}"
