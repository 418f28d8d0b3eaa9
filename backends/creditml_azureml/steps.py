"""Which runs of the cloud are which steps of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Node
    from creditml.plan import Plan
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import Run


def steps_of(cloud: Cloud, job: str, plan: Plan | None) -> Iterator[tuple[str, Run]]:
    """The runs of a job's steps and pipelines, each with the path of its node, in the order in which they began."""
    yield from _below(cloud, job, plan.job.root if plan else None, "")


def _below(cloud: Cloud, name: str, node: Node | None, path: str) -> Iterator[tuple[str, Run]]:
    nodes = dict(getattr(node.component, "jobs", {})) if node else {}
    for run in cloud.children(name):
        key = _key(run, nodes)
        child = nodes.pop(key, None)
        here = f"{path}.{key}" if path else key
        yield here, run
        if child is not None and child.type == "pipeline":
            yield from _below(cloud, run.name, child, here)


def _key(run: Run, nodes: dict[str, Node]) -> str:
    """Which node a run is of.

    A child is called after its node, or what the node says instead (seen on Azure: display names are the names of
    nodes, `azureml.moduleName` is the component's); of several with one name, they begin in the order of the graph.
    """
    for key, node in nodes.items():
        if run.display_name == (node.display_name or key):
            return key
    return run.display_name or run.name
