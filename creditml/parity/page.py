"""Writes the table as a page of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.later import LATER_JOBS, LATER_NODES
from creditml.parity.table import sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.nodes.fields import Fate, Field

_HEAD = """# Parity with Azure ML

The effect of every field of Azure ML's schema when a job runs on your machine. `creditml parity FILE` shows it for the
fields that a job uses. This page is the output of `creditml parity --docs`; tests compare them, and check that no field
of the SDK's schemas is missing.

* **emulated**: the field has the same effect as in Azure ML.
* **approximated**: the field has a similar effect; the table explains the difference.
* **ignored**: the field has no effect; the table says why. This seldom matters for a local run.
* **refused**: a job with this field does not run; the check reports it before anything starts.

Jobs of these types are refused: {jobs}. Nodes of these types are refused: {nodes}.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.format(jobs=", ".join(LATER_JOBS), nodes=", ".join((*LATER_NODES, "promptflow_parallel")))
    for section in sections().values():
        yield f"## {section.title}\n"
        yield "| field | effect | details |"
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
