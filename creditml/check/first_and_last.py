"""Checks `on_init` and `on_finalize`, the nodes that run before and after all others (SDK: a private preview)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import near_miss
from creditml.expressions import references
from creditml.model import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.findings import Findings
    from creditml.model import Component, Node

KEYS = ("on_init", "on_finalize")
"""The settings that name these nodes; the SDK's schema doesn't list them, but its validation checks them."""


def first_and_last(findings: Findings, pipeline: Component) -> None:
    """Check the settings `on_init` and `on_finalize` of a pipeline job, as the SDK's validation does."""
    others, jobs = findings.job.settings.others, pipeline.jobs or {}
    named = {key: str(others[key]) for key in KEYS if others.get(key) is not None}
    if not named:
        return
    if len(named) > len(set(named.values())):
        findings.error(("settings", "on_finalize"), "'on_init' and 'on_finalize' must name different nodes.")
    elif jobs and not jobs.keys() - set(named.values()):
        findings.error(("jobs",), "The pipeline needs another node than those of 'on_init' and 'on_finalize'.")
    for key, name in named.items():
        if name not in jobs:
            if not findings.unread("jobs", name):
                hint = near_miss(name, jobs) or f" There are: {', '.join(jobs)}."
                findings.error(("settings", key), f"There is no node '{name}' for '{key}'.{hint}")
        elif any(name in edge for edge in _edges(jobs)):
            message = f"The node '{name}' of '{key}' can't be connected to other nodes: it runs before or after them."
            findings.error(("settings", key), message)


def _edges(jobs: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    """The name of each node that is bound to another one, and the name of the other."""
    for name, node in jobs.items():
        for value in node.inputs.values():
            text = value.path if isinstance(value, Data) else value.value
            yield from ((name, found.job) for found in references(text) if found.job)
