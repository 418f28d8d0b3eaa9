"""The domain: a job and what it is made of, frozen, without I/O.

Every way in (a YAML file, the genuine SDK, a REST call) ends in a `Job`, and from there on nothing knows where it came
from. A job is a root node with a name; a node runs a component with values for its inputs; a pipeline component is a
graph of nodes. Bindings stay symbolic: a `Literal` may hold `${{parent.inputs.x}}`, just as Azure ML is sent it.

Named tuples rather than dataclasses: sixty dataclasses would cost every command 40 ms of start-up.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Union

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.errors import Place

NOTHING: Mapping[str, Any] = MappingProxyType({})

LITERAL_TYPES = ("string", "integer", "number", "boolean")
DATA_TYPES = ("uri_file", "uri_folder", "mltable")
MODEL_TYPES = ("mlflow_model", "custom_model", "triton_model")
ASSET_TYPES = DATA_TYPES + MODEL_TYPES
INPUT_MODES = ("ro_mount", "download", "direct", "eval_mount", "eval_download")


def asset_kind(type: str | None) -> str:  # noqa: A002  Azure ML's word
    """The kind of assets that data of a type belongs to: models, or data assets."""
    return "model" if type in MODEL_TYPES else "data"


class Literal(NamedTuple):
    """An input's literal value or binding, as the text that is sent (`True`, `5`, `${{parent.inputs.x}}`)."""

    value: str
    mode: str | None = None
    path_on_compute: str | None = None


class Data(NamedTuple):
    """An input's data: a local path, a URI or an asset reference (`azureml:name:version`)."""

    path: str
    type: str = "uri_folder"
    mode: str | None = None
    path_on_compute: str | None = None
    datastore: str | None = None


JobInput = Union[Literal, Data]


class JobOutput(NamedTuple):
    """Where an output goes. With `name` (and perhaps `version`) it is registered as an asset.

    `binding` is `${{parent.outputs.y}}`: step and pipeline output are then the same place.
    """

    type: str | None = None
    path: str | None = None
    mode: str | None = None
    name: str | None = None
    version: str | None = None
    binding: str | None = None


class ComponentInput(NamedTuple):
    """An input that a component declares. `default`, `min`, `max` and `enum` are kept as texts, as they are sent."""

    type: str
    description: str | None = None
    default: str | None = None
    optional: bool = False
    min: str | None = None
    max: str | None = None
    enum: tuple[str, ...] = ()
    mode: str | None = None


class ComponentOutput(NamedTuple):
    """An output that a component declares."""

    type: str = "uri_folder"
    description: str | None = None
    mode: str | None = None


class Build(NamedTuple):
    """A Docker build context of an environment."""

    path: str
    dockerfile_path: str = "Dockerfile"


class Environment(NamedTuple):
    """What a step runs in: an image, an image with a conda file, or a build context."""

    name: str | None = None
    version: str | None = None
    image: str | None = None
    conda_file: Mapping[str, Any] | None = None
    build: Build | None = None
    description: str | None = None
    tags: Mapping[str, str] = NOTHING
    os_type: str | None = None
    inference_config: Mapping[str, Any] | None = None


class Component(Protocol):
    """What a node runs: the interface of a component, and the fields that every type has.

    `type` names the node type (`creditml.nodes`); `jobs` are the nodes of a graph, and None of what is no graph.
    """

    @property
    def type(self) -> str: ...  # noqa: D102  said above
    @property
    def name(self) -> str | None: ...  # noqa: D102  said above
    @property
    def version(self) -> str | None: ...  # noqa: D102  said above
    @property
    def display_name(self) -> str | None: ...  # noqa: D102  said above
    @property
    def description(self) -> str | None: ...  # noqa: D102  said above
    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102  said above
    @property
    def properties(self) -> Mapping[str, str]: ...  # noqa: D102  said above
    @property
    def is_deterministic(self) -> bool: ...  # noqa: D102  said above
    @property
    def inputs(self) -> Mapping[str, ComponentInput]: ...  # noqa: D102  said above
    @property
    def outputs(self) -> Mapping[str, ComponentOutput]: ...  # noqa: D102  said above
    @property
    def jobs(self) -> Mapping[str, Node] | None: ...  # noqa: D102  said above


def changed(component: Component, **changes: Any) -> Component:
    """A component with other values in some of its fields; every type of component is a named tuple."""
    replaced: Component = component._replace(**changes)  # type: ignore[attr-defined]  # not said by the protocol
    return replaced


class Command(NamedTuple):
    """A command component: what a step runs, and what every other type comes down to.

    `code` is a folder of this machine or an asset reference; `environment` an inline definition or a reference.
    """

    command: str
    environment: Environment | str | None = None
    code: str | None = None
    name: str | None = None
    version: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = NOTHING
    properties: Mapping[str, str] = NOTHING
    is_deterministic: bool = True
    inputs: Mapping[str, ComponentInput] = NOTHING
    outputs: Mapping[str, ComponentOutput] = NOTHING
    distribution: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    additional_includes: tuple[str, ...] = ()

    type: str = "command"

    @property
    def jobs(self) -> None:
        """It is no graph."""
        return None


class Pipeline(NamedTuple):
    """A pipeline component: a graph of nodes."""

    jobs: Mapping[str, Node] = NOTHING
    name: str | None = None
    version: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = NOTHING
    properties: Mapping[str, str] = NOTHING
    is_deterministic: bool = True
    inputs: Mapping[str, ComponentInput] = NOTHING
    outputs: Mapping[str, ComponentOutput] = NOTHING

    type: str = "pipeline"


class Node(NamedTuple):
    """A component with values for its inputs; `component` is a reference until the workspace has resolved it.

    `type` is the component's: one that is a reference says it here.
    """

    name: str
    component: Component | str
    type: str = "command"
    inputs: Mapping[str, JobInput] = NOTHING
    outputs: Mapping[str, JobOutput] = NOTHING
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = NOTHING
    properties: Mapping[str, str] = NOTHING
    comment: str | None = None
    compute: str | None = None
    environment_variables: Mapping[str, str] = NOTHING
    limits: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    distribution: Mapping[str, Any] | None = None
    services: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] | None = None
    queue_settings: Mapping[str, Any] | None = None

    @property
    def timeout(self) -> float | None:
        """`limits.timeout` in seconds."""
        value = (self.limits or NOTHING).get("timeout")
        return None if value is None else float(value)


class Settings(NamedTuple):
    """A pipeline job's settings; `others` are kept as they came, since Azure ML accepts any."""

    default_compute: str | None = None
    default_datastore: str | None = None
    continue_on_step_failure: bool | None = None
    force_rerun: bool | None = None
    others: Mapping[str, Any] = NOTHING


class Job(NamedTuple):
    """A job: a root node under a name.

    For a pipeline job `root.component` is a graph, for a standalone job what runs.
    `source` tells where each key path stands in the file that the job was read from, if it was.
    """

    root: Node
    name: str | None = None
    experiment_name: str | None = None
    settings: Settings = Settings()
    source: Source | None = None

    @property
    def display_name(self) -> str | None:
        """The job's display name."""
        return self.root.display_name

    @property
    def type(self) -> str:
        """The node type of its root."""
        return self.root.type


class Source(Protocol):
    """Where things stand: the reader's answer to 'which line is `jobs.train.inputs.data`?'."""

    @property
    def file(self) -> str:
        """The file that the job was read from."""
        ...

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was set besides: `a.b=c`."""
        ...

    def place(self, path: tuple[str, ...]) -> Place | None:
        """The nearest place in the file(s) for a key path."""
        ...

    def size(self, path: tuple[str, ...]) -> int:
        """How many keys the mapping there has."""
        ...

    def holds(self, path: tuple[str, ...]) -> bool:
        """Whether the file has that key, readable or not."""
        ...
