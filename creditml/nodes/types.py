"""The base class of node types, and the interfaces that are passed to its methods.

A node type reads, writes, checks and plans nodes; it starts nothing. Node types are on a floor below the check, the
plan and the wire format, and can't import them, so each of these passes an object with the operations that types need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from creditml.logs import COMMAND_LOG
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.findings import Findings
    from creditml.language.fields import Context
    from creditml.language.types import JobFiles
    from creditml.language.yaml import Map
    from creditml.model import Command, Component, Job, JobOutput, Node
    from creditml.nodes.fields import Section


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are neither None nor empty, which are all that Azure's clients send."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [], ())}


class Checking(Protocol):
    """The operations of the check that node types use."""

    findings: Findings

    def command(self, component: Command, path: tuple[str, ...]) -> None:
        """Check a command template against the inputs and outputs of its component."""
        ...

    def processes(self, node: Node, component: Command, path: tuple[str, ...]) -> None:
        """Warn if a node asks for several processes or machines."""
        ...

    def graph(self, component: Component, path: tuple[str, ...]) -> None:
        """Check the nodes of a graph, and the bindings between them."""
        ...

    def computes(self, node: Node) -> None:
        """Check that a compute is set for each step of a job's graph."""
        ...


class Place(NamedTuple):
    """A node that is being planned.

    Attributes:
        path: The names of the nodes above it and its own, joined by dots; empty for the root.
        node: The node.
        inputs: The bound inputs of its component (`creditml.plan.Bound`), by name.
        outputs: The settings of its component's outputs, by name.
        origin: Its key path.
    """

    path: str
    node: Node
    inputs: Mapping[str, Any]
    outputs: Mapping[str, JobOutput]
    origin: tuple[str, ...] = ()


class Planning(Protocol):
    """The operations of the plan that node types use."""

    def step(self, place: Place, command: Command) -> None:
        """Add the node as one step, which runs this command."""
        ...

    def graph(self, place: Place) -> None:
        """Add the nodes of the node's graph in its place."""
        ...


class Receiving(Protocol):
    """The operations that types use to read Azure's wire format: each returns a value of the spec language."""

    def component(self, sent: str) -> Any:
        """The reference of the component with an id; the definition of an anonymous component."""
        ...

    def environment(self, sent: str | None) -> Any:
        """The reference of the environment with an id; the definition of an anonymous environment; None for None."""
        ...

    def code(self, sent: str | None) -> str | None:
        """The reference of the code asset with an id; None for None."""
        ...

    def resource(self, sent: str) -> str:
        """The reference of the compute or datastore with an id."""
        ...

    def node(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """A node of a graph."""
        ...

    def resources(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The value of `resources`; None for None."""
        ...

    def distribution(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The value of `distribution`; None for None."""
        ...


class Sending(Protocol):
    """The operations that types use to write Azure's wire format: each takes a value of the spec language."""

    def component(self, value: Any) -> str:
        """The id of a component; a definition is first registered as an anonymous component."""
        ...

    def environment(self, value: Any) -> str | None:
        """The id of an environment; a definition is first registered as an anonymous environment; None for None."""
        ...

    def code(self, value: str | None) -> str | None:
        """The id of a code asset; None for None."""
        ...

    def code_reference(self, value: str | None) -> str | None:
        """The id of a code asset with `azureml:` before it, the form in component specs; None for None."""
        ...

    def environment_reference(self, value: Any) -> str | None:
        """The id of an environment with `azureml:` before it, the form in component specs; None for None."""
        ...

    def resource(self, kind: str, value: str | None) -> str | None:
        """The id of a compute or datastore; `kind` is `computes` or `datastores`; None for None."""
        ...

    def node(self, name: str, node: Mapping[str, Any]) -> dict[str, Any]:
        """A node of a graph."""
        ...

    def limits(self, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The value of `limits` of a job; None for None."""
        ...

    def distribution(self, value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
        """The value of `distribution`, with camelCase keys (`humped`) or snake_case keys; None for None."""
        ...

    def queue_settings(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of `queueSettings` of a job."""
        ...

    def resources(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of `resources` of a job."""
        ...


class NodeType(ABC):
    """A type of nodes and components, and of standalone jobs if Azure ML has such jobs.

    Every type implements the abstract methods; the other methods and attributes have defaults that suit most types.

    Attributes:
        name: Its name in specs (`type: …`).
        standalone: Whether there are standalone jobs of this type.
        graph: Whether its components are graphs, whose nodes run in its place.
        implied_by_file: Whether a node without `type` has this type if the file of its component has (SDK: the schemas
            of nodes are tried in turn).
        implied_ports: Whether a node can be written in place, without a component; its inputs and outputs are then
            inferred from their values.
        takes_file_prefix: Whether Azure ML accepts `component: file:…` for it.
        log: The path, in the artifacts of a job, of the log that `job stream` prints.
        run_type: The type of its runs in Azure ML's run history.
    """

    name: str
    standalone = False
    graph = False
    implied_by_file = False
    takes_file_prefix = True
    implied_ports = False
    log = COMMAND_LOG
    run_type = "azureml.StepRun"

    # -- the language

    def recognizes(self, tree: Map, *, job: bool) -> bool:
        """Whether the keys of a component (or job) without `type` show that it is of this type."""
        return False

    @abstractmethod
    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """Read a node of a graph; None if it can't be read, after noting the problems in `context`."""

    @abstractmethod
    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Component | None:
        """Read a component from its mapping; None if it can't be read, after noting the problems in `context`."""

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """Read a standalone job; None if it can't be read, or the type has no jobs."""
        return None

    @abstractmethod
    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that only components of this type have, as plain values; `nested` writes components in them."""

    def write_job(self, job: Job, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that only jobs of this type have, as plain values."""
        component = job.root.component
        return {} if isinstance(component, str) else self.write_component(component, nested)

    # -- the check and the plan

    @abstractmethod
    def check_component(self, component: Any, path: tuple[str, ...], checking: Checking) -> None:
        """Check a component, except its declared inputs; `path` is its key path."""

    def check_node(self, node: Node, component: Any, path: tuple[str, ...], checking: Checking) -> None:
        """Check a node, except its inputs and outputs; `path` is its key path."""
        return

    def check_job(self, job: Job, checking: Checking) -> None:
        """Check a job, except its root node."""
        return

    @abstractmethod
    def plan(self, place: Place, component: Any, planning: Planning) -> None:
        """Add the steps that run a node: one step, or the nodes of a graph."""

    # -- the wire

    def receive_job(self, fields: Mapping[str, Any], receiving: Receiving, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that only jobs of this type have, in the spec language.

        Args:
            fields: The job's `properties`, with snake_case keys at the first level.
            receiving: Reads the values.
            given: The job's inputs, in the spec language.
        """
        return {}

    def send_job(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """The `properties` that only jobs of this type have, in Azure's wire format."""
        return {}

    def receive_component(self, spec: Mapping[str, Any], receiving: Receiving) -> dict[str, Any]:
        """The fields that only components of this type have, in the spec language; `spec` is the `componentSpec`."""
        return {}

    def send_component(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """The fields of a component whose wire format differs from the spec language; None for fields to leave out."""
        return {}

    def inline_component(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The component of a node that is written in place, from the node's own keys."""
        return {}

    # -- parity

    def sections(self) -> Mapping[str, Section]:
        """The fields of its jobs, nodes and components, with their effects on this machine.

        The sections are called `<name>_job`, `<name>_node` and `<name>_component`; a type may add further sections.
        """
        return NOTHING
