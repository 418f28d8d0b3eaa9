"""Which runs in Azure ML belong to which steps of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.table import node_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Node
    from creditml.plan import Plan
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import CloudRun


def steps_of(cloud: Cloud, job: str, plan: Plan | None) -> Iterator[tuple[str, CloudRun]]:
    """The runs of a job's steps and nested pipelines, each with the path of its node, in the order of their starts."""
    yield from _below(cloud, job, plan.job.root if plan else None, "")


def _below(cloud: Cloud, name: str, node: Node | None, path: str) -> Iterator[tuple[str, CloudRun]]:
    nodes = dict(getattr(node.component, "jobs", None) or {}) if node else {}
    for run in cloud.jobs.children(name):
        key = _key(run, nodes)
        child = nodes.pop(key, None)
        here = f"{path}.{key}" if path else key
        yield here, run
        if child is not None and node_type(child.type).graph:
            yield from _below(cloud, run.name, child, here)


def _key(run: CloudRun, nodes: dict[str, Node]) -> str:
    """The key of the node that a run belongs to.

    A run has its node's display name, or else the node's key (seen on Azure; the property `azureml.moduleName` is the
    component's name). Nodes with one display name are told apart by their order: they start as the graph has them.
    """
    for key, node in nodes.items():
        if run.display_name == (node.display_name or key):
            return key
    return run.display_name or run.name
