"""What becomes of a job that is read from a file when the genuine SDK sends the same file: all that must differ.

Each rule changes our job into what the service gets; its reason stands beside it. `moot` is done to both jobs. What was
seen is that of azure-ai-ml 1.35.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.engine.submit import default_experiment
from creditml.model import LITERAL_TYPES, Command, Component, Data, Job, JobInput, JobOutput, Literal, Node, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.workspace import Workspace


class Rule(NamedTuple):
    """Something that must differ, and why."""

    change: Callable[..., Any]
    why: str


def as_sent(job: Job, workspace: Workspace, name: str) -> Job:
    """Our job as the service gets it, `name` being what the SDK called it."""
    job = job._replace(source=None, root=_node(job.root, workspace))
    for rule in JOB_RULES:
        job = rule.change(job, workspace, name)
    return moot(job)


def moot(job: Job) -> Job:
    """A job without what its components say and its nodes say otherwise, or again.

    The SDK makes a component of each node that is written in place, with what the node says as its defaults. And it
    sends `output: {}`, though not `output:`, as a folder.
    """

    def component(value: Component, node: Node) -> Component:
        inputs = {}
        for key, spec in value.inputs.items():
            given = node.inputs.get(key)
            again = isinstance(given, Literal) and spec.default == given.value
            inputs[key] = spec._replace(default=None if again else spec.default, mode=None if given else spec.mode)
        outputs = {key: spec._replace(mode=None) for key, spec in value.outputs.items()}
        value = value._replace(inputs=inputs, outputs={**value.outputs, **outputs})
        if isinstance(value, Pipeline):
            return value._replace(jobs={key: visit(child) for key, child in value.jobs.items()})
        return value._replace(
            distribution=None if node.distribution else value.distribution,
            resources=None if node.resources else value.resources,
        )

    def visit(node: Node) -> Node:
        assert not isinstance(node.component, str)
        outputs = {key: value for key, value in node.outputs.items() if value != JobOutput("uri_folder")}
        return node._replace(component=component(node.component, node), outputs=outputs)

    return job._replace(root=visit(job.root))


def _node(node: Node, workspace: Workspace) -> Node:
    component = node.component
    assert not isinstance(component, str)
    if isinstance(component, Pipeline):
        component = component._replace(jobs={key: _node(child, workspace) for key, child in component.jobs.items()})
    if node.name:
        for rule in COMPONENT_RULES:
            component = rule.change(component, workspace)
    node = node._replace(component=component)
    for rule in NODE_RULES:
        node = rule.change(node, workspace)
    return node


# -- jobs


def _named(job: Job, _workspace: Workspace, name: str) -> Job:
    return job._replace(name=job.name or name, experiment_name=job.experiment_name or default_experiment())


def _shown(job: Job, _workspace: Workspace, name: str) -> Job:
    own = job.root.component
    assert not isinstance(own, str)
    root = job.root._replace(display_name=job.root.display_name or own.display_name or job.name or name)
    if job.type == "pipeline":
        root = root._replace(description=job.root.description or own.description)
    return job._replace(root=root)


def _with_defaults(job: Job, _workspace: Workspace, _name: str) -> Job:
    root, own = job.root, job.root.component
    assert not isinstance(own, str)
    defaults = {key: Literal(spec.default) for key, spec in own.inputs.items() if spec.default is not None}
    outputs: dict[str, JobOutput] = {}
    for key, spec in own.outputs.items():
        given = root.outputs.get(key, JobOutput(spec.type))
        outputs[key] = given._replace(type=given.type or "uri_folder")
    return job._replace(root=root._replace(inputs={**defaults, **root.inputs}, outputs=outputs))


def _texts(job: Job, _workspace: Workspace, _name: str) -> Job:
    own = job.root.component
    assert not isinstance(own, str)
    if own.name or own.display_name:  # a component's own, which declares them
        return job
    inputs = {
        key: spec._replace(type="string") if spec.type in LITERAL_TYPES else spec for key, spec in own.inputs.items()
    }
    return job._replace(root=job.root._replace(component=own._replace(inputs=inputs)))


def _anonymous_root(job: Job, workspace: Workspace, _name: str) -> Job:
    own = job.root.component
    assert not isinstance(own, str)
    return job._replace(root=job.root._replace(component=_anonymous(own, workspace)))


def _default_compute(job: Job, _workspace: Workspace, _name: str) -> Job:
    return job._replace(settings=job.settings._replace(default_compute=_prefixed(job.settings.default_compute)))


JOB_RULES = (
    Rule(_named, "the SDK gives a job a name and an experiment; so do we, when it is recorded"),
    Rule(_shown, "the SDK shows a job by its component's texts, else by its name; so do we, when it is recorded"),
    Rule(_with_defaults, "a job of a component is sent with the component's defaults and all its outputs"),
    Rule(_texts, "a literal input of a job is a text when it is sent: what it was in the file is lost"),
    Rule(_anonymous_root, "a component that isn't registered is sent without its name and version"),
    Rule(_default_compute, "computes are sent as ids, so that `azureml:` may be written or not"),
)


# -- nodes, and the job itself as one


def _prefixed(compute: str | None) -> str | None:
    name = compute.removeprefix("azureml:") if compute else None
    return name if name in (None, "serverless") else f"azureml:{name}"


def _compute(node: Node, _workspace: Workspace) -> Node:
    return node._replace(compute=_prefixed(node.compute))


def _identity(node: Node, _workspace: Workspace) -> Node:
    if not node.identity or node.identity["type"] != "managed":
        return node
    return node._replace(identity={**node.identity, "type": "managed_identity"})


def _description(node: Node, _workspace: Workspace) -> Node:
    return node._replace(description=None) if node.name else node


def _resources(node: Node, _workspace: Workspace) -> Node:
    left = {key: value for key, value in (node.resources or {}).items() if key not in _KEPT_BACK}
    return node._replace(resources=left or None)


def _distribution(node: Node, _workspace: Workspace) -> Node:
    if not node.distribution or node.distribution["type"] != "tensorflow":
        return node
    return node._replace(distribution={"parameter_server_count": 0, **node.distribution})


def _inputs(node: Node, workspace: Workspace) -> Node:
    own = node.component
    assert not isinstance(own, str)
    kept = {key: _data(value, workspace) for key, value in node.inputs.items() if key in own.inputs}
    return node._replace(inputs=kept)


def _data(value: JobInput, workspace: Workspace) -> JobInput:
    if not isinstance(value, Data):
        return value
    path = workspace.data.keep(value.path, value.type)
    if path != value.path and value.type == "uri_folder":
        path += "/"
    if "@" in path and path.startswith("azureml:"):
        asset = workspace.assets.resolve("data", path)
        path = f"azureml:{asset.name}:{asset.version}"
    return value._replace(path=path, datastore=None)


def _outputs(node: Node, _workspace: Workspace) -> Node:
    said = {key: value for key, value in node.outputs.items() if value != JobOutput()}
    typed = {
        key: value if value.binding else value._replace(type=value.type or "uri_folder") for key, value in said.items()
    }
    return node._replace(outputs=typed)


_KEPT_BACK = ("locations", "max_instance_count")
NODE_RULES = (
    Rule(_compute, "computes are sent as ids, so that `azureml:` may be written or not"),
    Rule(_identity, "`managed` and `managed_identity` are one thing"),
    Rule(_description, "a node's description isn't sent"),
    Rule(_resources, "of resources the locations and the greatest count aren't sent"),
    Rule(_distribution, "TensorFlow's count of parameter servers is sent with its default"),
    Rule(_inputs, "local data is uploaded, a label becomes a version, and what a component doesn't declare isn't sent"),
    Rule(_outputs, "an output of which nothing is said isn't sent, and one without a type is sent as a folder"),
)


# -- components


def _anonymous(component: Component, workspace: Workspace) -> Component:
    known = workspace.assets.entries("component", component.name, archived=True) if component.name else []
    if any(asset.version == component.version for asset in known):
        return component
    return component._replace(name=None, version=None)


def _environment(component: Component, _workspace: Workspace) -> Component:
    if not isinstance(component, Command) or component.environment is None or isinstance(component.environment, str):
        return component
    return component._replace(environment=component.environment._replace(name=None, version=None))


COMPONENT_RULES = (
    Rule(_anonymous, "a component that isn't registered is sent without its name and version"),
    Rule(_environment, "an environment that is written in place is sent without its name and version"),
)
