"""Finds what a job has without an effect: inputs that no node uses, unknown settings, outputs at local paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from creditml.check.first_and_last import KEYS, first_and_last
from creditml.errors import near_miss
from creditml.expressions import references
from creditml.graph import walk
from creditml.model import Data, Settings
from creditml.references import DEFAULT_DATASTORE, datastore_uri, is_reference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from creditml.expressions import Reference
    from creditml.findings import Findings
    from creditml.model import Component, JobOutput, Node, Source


def without_effect(findings: Findings) -> None:
    """Note everything in a job that has no effect on this machine, or in Azure ML either."""
    root = findings.job.root
    for visit in walk(root):
        for name, value in visit.node.inputs.items():
            if value.path_on_compute:
                findings.warn(
                    (*visit.path, "inputs", name, "path_on_compute"),
                    f"'path_on_compute' has no effect on this machine: the data of '{name}' is not at "
                    f"{value.path_on_compute}, but at the path that the command gets by ${{{{inputs.{name}}}}}.",
                )
        for name, output in visit.node.outputs.items():
            _place(findings, name, output, (*visit.path, "outputs", name))
    if not isinstance(root.component, str) and root.component.jobs is not None:
        _unused(findings, root.component)
        _settings(findings)
        first_and_last(findings, root.component)


def _place(findings: Findings, name: str, output: JobOutput, path: tuple[str, ...]) -> None:
    """Azure ML writes outputs to datastores only. The SDK sends any other path, and the service refuses it."""
    place = output.path
    if place is None or is_reference(place) or ":" in place.partition("/")[0] or place.startswith("${{"):
        return
    rest = os.path.normpath(place).lstrip("/.")
    findings.error(
        (*path, "path"),
        f"The output '{name}' can't be written to {place}: its path must be in a datastore, for example "
        f"{datastore_uri(DEFAULT_DATASTORE, rest)}/. Without 'path' the job keeps the output, and "
        "`creditml job download` brings it to a folder.",
    )


def _unused(findings: Findings, pipeline: Component) -> None:
    """Inputs of the job that no node uses, such as a misspelled one."""
    source, jobs = findings.job.source, pipeline.jobs or {}
    used = {reference.name for node in jobs.values() for reference in _of_parent(node)}
    if any(not _known(name, pipeline.inputs) for name in used):
        return  # an input that seems unused may be misspelled where it is used, which is reported there
    if source and (source.size(("jobs",)) > len(jobs) or any(_unread(source, node) for node in jobs.values())):
        return
    known = [name for name in pipeline.inputs if _known(name, used)]
    for name in findings.job.root.inputs:
        if name in pipeline.inputs and name not in known:
            hint = near_miss(name, known)
            findings.warn(("inputs", name), f"No node uses the input '{name}', so its value has no effect.{hint}")


def _of_parent(node: Node) -> Iterator[Reference]:
    """The references of a node to inputs of its pipeline."""
    values = (value.path if isinstance(value, Data) else value.value for value in node.inputs.values())
    settings = (node.environment_variables, node.limits, node.resources, node.distribution, node.queue_settings)
    for text in (*values, *(str(each) for each in settings if each)):
        yield from (found for found in references(text) if found.parent and not found.job and found.kind == "inputs")


def _known(name: str, names: Collection[str]) -> bool:
    """Whether names have this one, a group that it belongs to, or a member of the group that it is."""
    return any(each == name or each.startswith(f"{name}.") or name.startswith(f"{each}.") for each in names)


def _unread(source: Source, node: Node) -> bool:
    at = ("jobs", node.name, "inputs")
    return source.instead(at) or source.size(at) > len(node.inputs)


def _settings(findings: Findings) -> None:
    known = (*Settings._fields[:-1], *KEYS)
    for key in findings.job.settings.others:
        if key not in known:
            hint = near_miss(key, known) or f" Known settings: {', '.join(known)}."
            findings.warn(("settings", key), f"Unknown setting '{key}', which has no effect.{hint}")
