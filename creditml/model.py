"""The domain model: a job and its parts, as immutable values without I/O.

A YAML file, the genuine SDK and a REST call all lead to the same `Job`; the code that handles a `Job` does not depend
on how it was made. A job is a root node with a name; a node runs a component with values for its inputs; a pipeline
component is a graph of nodes. Bindings are not resolved here: a `Literal` may hold `${{parent.inputs.x}}`, the text
that Azure ML is sent.

These are named tuples, since as many dataclasses would add 40 ms to the start of every command.
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
    """The kind of asset that data of a type is: `model` or `data`."""
    return "model" if type in MODEL_TYPES else "data"


class Literal(NamedTuple):
    """An input's literal value or binding, as the text that Azure ML is sent: `True`, `5`, `${{parent.inputs.x}}`."""

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
    """The settings of an output.

    `path` is where it is written. An output with a `name` (and optionally a `version`) is registered as an asset.
    `binding` is `${{parent.outputs.y}}` if the output of a step is also the output `y` of its pipeline.
    """

    type: str | None = None
    path: str | None = None
    mode: str | None = None
    name: str | None = None
    version: str | None = None
    binding: str | None = None


class ComponentInput(NamedTuple):
    """An input that a component declares. `default`, `min`, `max` and `enum` are the texts that Azure ML is sent."""

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
    """The environment of a step: an image, an image with a conda file, or a Docker build context."""

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
    """A component, which a node runs: its interface (inputs and outputs) and the fields that all types share.

    `type` is the name of the node type (`creditml.nodes`). `jobs` holds the nodes of a graph, and is None for
    components that are not graphs. The other fields are those of Azure ML's YAML.
    """

    @property
    def type(self) -> str: ...  # noqa: D102  the class explains its fields
    @property
    def name(self) -> str | None: ...  # noqa: D102  the class explains its fields
    @property
    def version(self) -> str | None: ...  # noqa: D102  the class explains its fields
    @property
    def display_name(self) -> str | None: ...  # noqa: D102  the class explains its fields
    @property
    def description(self) -> str | None: ...  # noqa: D102  the class explains its fields
    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102  the class explains its fields
    @property
    def properties(self) -> Mapping[str, str]: ...  # noqa: D102  the class explains its fields
    @property
    def is_deterministic(self) -> bool: ...  # noqa: D102  the class explains its fields
    @property
    def inputs(self) -> Mapping[str, ComponentInput]: ...  # noqa: D102  the class explains its fields
    @property
    def outputs(self) -> Mapping[str, ComponentOutput]: ...  # noqa: D102  the class explains its fields
    @property
    def jobs(self) -> Mapping[str, Node] | None: ...  # noqa: D102  the class explains its fields


def changed(component: Component, **changes: Any) -> Component:
    """A copy of a component with new values for some fields."""
    # every type of component is a named tuple, which the protocol can't express
    replaced: Component = component._replace(**changes)  # type: ignore[attr-defined]
    return replaced


class Command(NamedTuple):
    """A command component. Every step runs one; other node types are planned as commands or as graphs of them.

    `code` is a folder on this machine or an asset reference; `environment` is an inline definition or a reference.
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
        """None: a command is not a graph."""
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


UNREAD = ""
"""Stands for the component of a node that can't be read. A job with such a node has errors and is only checked."""


class Node(NamedTuple):
    """A component with values for its inputs. `component` is a reference until the workspace has resolved it.

    `type` is the component's node type; it is needed here while the component is a reference. `environment_variables`
    is a text if it is bound to an input of the pipeline, and so may be values in the mappings `limits`, `resources`,
    `distribution` and `queue_settings`; the plan replaces these bindings.
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
    environment_variables: Mapping[str, str] | str = NOTHING
    limits: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    distribution: Mapping[str, Any] | None = None
    services: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] | None = None
    queue_settings: Mapping[str, Any] | None = None

    @property
    def variables(self) -> Mapping[str, str]:
        """`environment_variables`; empty if they are still a binding."""
        return NOTHING if isinstance(self.environment_variables, str) else self.environment_variables

    @property
    def timeout(self) -> float | None:
        """`limits.timeout` in seconds."""
        value = (self.limits or NOTHING).get("timeout")
        return None if value is None else float(value)


class Settings(NamedTuple):
    """A pipeline job's settings. Azure ML accepts any further keys, which are kept unchanged in `others`."""

    default_compute: str | None = None
    default_datastore: str | None = None
    continue_on_step_failure: bool | None = None
    force_rerun: bool | None = None
    others: Mapping[str, Any] = NOTHING


class Job(NamedTuple):
    """A job: a root node with a name.

    `root.component` is the graph of a pipeline job, or the component that a standalone job runs.
    `source` gives the position of each key path in the file that the job was read from, if there is one.
    """

    root: Node
    name: str | None = None
    experiment_name: str | None = None
    settings: Settings = Settings()
    source: Source | None = None

    @property
    def display_name(self) -> str | None:
        """The display name of the root node."""
        return self.root.display_name

    @property
    def type(self) -> str:
        """The type of the root node."""
        return self.root.type


class Source(Protocol):
    """The positions of key paths in the files of a job, such as the line of `jobs.train.inputs.data`."""

    @property
    def file(self) -> str:
        """The file that the job was read from."""
        ...

    @property
    def overrides(self) -> tuple[str, ...]:
        """The values that were set in addition to the file, as `a.b=c` (`--set`)."""
        ...

    def place(self, path: tuple[str, ...]) -> Place | None:
        """The position of a key path, or of the nearest key above it that the files have."""
        ...

    def size(self, path: tuple[str, ...]) -> int:
        """The number of keys in the mapping at a key path."""
        ...

    def holds(self, path: tuple[str, ...]) -> bool:
        """Whether the file has that key, even if its value is invalid."""
        ...

    def instead(self, path: tuple[str, ...]) -> bool:
        """Whether the file has that key, but with another value than a mapping."""
        ...
