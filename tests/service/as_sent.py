"""The differences between a job that we read from a file and the job that the genuine SDK sends for the same file.

Each rule changes our job into the one that the service gets; its reason is beside it. `moot` is applied to both jobs.
The differences are those of azure-ai-ml 1.35.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.model import LITERAL_TYPES, Command, Component, Data, Job, JobInput, JobOutput, Literal, Node, Pipeline
from creditml.submission.submit import default_experiment

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.workspace import Workspace


class Rule(NamedTuple):
    """A difference that must exist, and the reason."""

    change: Callable[..., Any]
    why: str


def as_sent(job: Job, workspace: Workspace, name: str) -> Job:
    """Our job in the form in which the service gets it; `name` is the name that the SDK gave it."""
    job = job._replace(source=None, root=_node(job.root, workspace))
    for rule in JOB_RULES:
        job = rule.change(job, workspace, name)
    return moot(job)


def moot(job: Job) -> Job:
    """A job whose components lack the fields that its nodes override or repeat.

    The SDK makes a component of each inline node, with the node's values as defaults. And it sends `output: {}`, but
    not `output:`, as a folder.
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
        tags = {key: tag for key, tag in value.tags.items() if node.tags.get(key) != tag}
        return value._replace(distribution=None, resources=None, tags=tags)

    def visit(node: Node) -> Node:
        assert not isinstance(node.component, str)
        own = node.component
        if isinstance(own, Command):
            node = node._replace(
                distribution=node.distribution or own.distribution, resources=node.resources or own.resources
            )
        outputs = {key: value for key, value in node.outputs.items() if value != JobOutput("uri_folder")}
        return node._replace(component=component(own, node), outputs=outputs)

    return job._replace(root=visit(job.root))


def _node(node: Node, workspace: Workspace) -> Node:
    component = node.component
    assert not isinstance(component, str)
    if isinstance(component, Pipeline):
        component = component._replace(jobs={key: _node(child, workspace) for key, child in component.jobs.items()})
    if node.name:
        component = _anonymous(component, workspace)
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
    if own.name or own.display_name:  # of the component, which declares them
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


# -- nodes; the job itself counts as one


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
    own = node.component
    assert not isinstance(own, str)
    if not node.name or not node.description:
        return node
    if isinstance(own, Command) and not own.name and not own.description:  # an inline component
        own = own._replace(description=node.description)
    return node._replace(description=None, component=own)


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
    return value._replace(path=_version(path, "data", workspace), datastore=None)


def _outputs(node: Node, _workspace: Workspace) -> Node:
    said = {key: value for key, value in node.outputs.items() if value != JobOutput()}
    typed = {
        key: value if value.binding else value._replace(type=value.type or "uri_folder") for key, value in said.items()
    }
    return node._replace(outputs=typed)


def _environment(node: Node, workspace: Workspace) -> Node:
    own = node.component
    if not isinstance(own, Command) or own.environment is None or _registered(own, workspace):
        return node
    environment = own.environment
    if isinstance(environment, str):
        return node._replace(component=own._replace(environment=_version(environment, "environment", workspace)))
    build = environment.build
    if build:
        store = workspace.data.datastore("workspaceblobstore")
        kept = workspace.data.keep(build.path, "uri_folder").removeprefix(f"azureml://datastores/{store.name}/paths/")
        build = build._replace(path=f"{store}/{kept}")
    system = None if environment.os_type == "linux" else environment.os_type
    environment = environment._replace(name=None, version=None, build=build, os_type=system)
    return node._replace(component=own._replace(environment=environment))


def _anonymous(component: Component, workspace: Workspace) -> Component:
    return component if _registered(component, workspace) else component._replace(name=None, version=None)


def _registered(component: Component, workspace: Workspace) -> bool:
    known = workspace.assets.entries("component", component.name, archived=True) if component.name else []
    return any(asset.version == component.version for asset in known)


def _version(reference: str, kind: str, workspace: Workspace) -> str:
    """A reference with a label, as a reference with a version."""
    if "@" not in reference or not reference.startswith("azureml:"):
        return reference
    asset = workspace.assets.resolve(kind, reference)
    return f"azureml:{asset.name}:{asset.version}"


_KEPT_BACK = ("locations", "max_instance_count")
NODE_RULES = (
    Rule(
        _environment,
        "an environment in place is sent without name and version, its context uploaded, Linux being the default",
    ),
    Rule(_compute, "computes are sent as ids, so that `azureml:` may be written or not"),
    Rule(_identity, "`managed` and `managed_identity` are one thing"),
    Rule(_description, "a node's description isn't sent, or as that of the component that is made of it"),
    Rule(_resources, "of resources the locations and the greatest count aren't sent"),
    Rule(_distribution, "TensorFlow's count of parameter servers is sent with its default"),
    Rule(_inputs, "local data is uploaded, a label becomes a version, and what a component doesn't declare isn't sent"),
    Rule(_outputs, "an output of which nothing is said isn't sent, and one without a type is sent as a folder"),
)
