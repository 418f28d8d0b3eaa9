"""Checks how the outputs of a graph's nodes become outputs of the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.check.values import article
from creditml.errors import near_miss
from creditml.expressions import single

if TYPE_CHECKING:
    from creditml.expressions import Reference
    from creditml.findings import Findings
    from creditml.model import Component, JobOutput, Node


def promoted(findings: Findings, node: Node, pipeline: Component, here: tuple[str, ...]) -> None:
    """Check the outputs of a node that are bound to outputs of its pipeline; `here` is the node's key path."""
    for key, output in node.outputs.items():
        reference = single(output.binding) if output.binding else None
        if output.binding and (
            reference is None or not reference.parent or reference.kind != "outputs" or reference.job
        ):
            findings.error(
                (*here, "outputs", key),
                f"An output can't be bound to {output.binding}; write ${{{{parent.outputs.<name>}}}}.",
            )
        elif (
            reference
            and reference.name not in pipeline.outputs
            and findings.unread(*here[:-2], "outputs", reference.name)
        ):
            continue
        elif reference and reference.name not in pipeline.outputs:
            hint = near_miss(reference.name, pipeline.outputs) or f" It has: {', '.join(pipeline.outputs) or 'none'}."
            findings.error((*here, "outputs", key), f"The pipeline has no output '{reference.name}'.{hint}")
        elif reference and not isinstance(node.component, str) and key in node.component.outputs:
            _promotion(
                findings,
                output,
                node.component.outputs[key].type,
                pipeline.outputs[reference.name].type,
                reference,
                (*here, "outputs", key),
            )


def _promotion(
    findings: Findings, output: JobOutput, kind: str, promoted: str, reference: Reference, path: tuple[str, ...]
) -> None:
    if output.binding and " " in output.binding:
        findings.warn(path, f"Azure ML reads a binding with blanks as a path; write {output.binding.replace(' ', '')}.")
    if promoted != kind and "path" not in (kind, promoted) and not _default_type(findings, reference.name):
        findings.warn(
            path,
            f"The output is {article(kind)}, but the pipeline's output '{reference.name}' is {article(promoted)}.",
        )


def _default_type(findings: Findings, name: str) -> bool:
    """Whether an output of the job sets no type, so that it takes the type of the node's output."""
    output = findings.job.root.outputs.get(name)
    return output is not None and output.type is None


def unbound(findings: Findings, pipeline: Component, path: tuple[str, ...], *, whole: bool) -> None:
    """Check that each output of a pipeline is written by one node.

    Args:
        findings: Where problems are noted.
        pipeline: The pipeline.
        path: Its key path.
        whole: Whether all its nodes were read. If not, the one that writes an output may be missing.
    """
    bound: dict[str, list[tuple[str, str]]] = {}
    for name, node in (pipeline.jobs or {}).items():
        for key, output in node.outputs.items():
            reference = single(output.binding) if output.binding else None
            if reference:
                bound.setdefault(reference.name, []).append((name, key))
    for name in pipeline.outputs:
        if name not in bound and whole:
            findings.warn(
                (*path, "outputs", name),
                f"No node writes the pipeline's output '{name}'; bind a node's output to "
                f"${{{{parent.outputs.{name}}}}}.",
            )
    for name, writers in bound.items():
        if len(writers) > 1 and name in pipeline.outputs:
            node_name, key = writers[1]
            which = ", ".join(f"{writer}.{output}" for writer, output in writers)
            findings.error(
                (*path, "jobs", node_name, "outputs", key),
                f"The pipeline's output '{name}' is written by several nodes: {which}.",
            )
