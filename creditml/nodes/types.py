"""What a node type says of itself, and the interfaces of those who ask it.

A type is pure: it reads, writes, checks and plans, and starts nothing. It stands below those who ask, so each hands it
an object with what they can do for it.
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
    """Those of the values that say anything, as Azure's clients send them."""
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [], ())}


class Checking(Protocol):
    """What the check does for a type."""

    findings: Findings

    def command(self, component: Command, path: tuple[str, ...]) -> None:
        """A command template against the inputs and outputs that are declared beside it."""
        ...

    def processes(self, node: Node, component: Command, path: tuple[str, ...]) -> None:
        """What would run as several processes or on several machines."""
        ...

    def graph(self, component: Component, path: tuple[str, ...]) -> None:
        """The nodes of a graph, and the bindings between them."""
        ...

    def computes(self, node: Node) -> None:
        """Whether a compute is set for each step of a job's graph."""
        ...


class Place(NamedTuple):
    """A node as the plan comes to it.

    Attributes:
        path: The names of the nodes down to it, joined by dots; empty for the root.
        node: The node.
        inputs: What each of its component's inputs is bound to (`creditml.plan.Bound`).
        outputs: The settings of its component's outputs.
        origin: Its key path.
    """

    path: str
    node: Node
    inputs: Mapping[str, Any]
    outputs: Mapping[str, JobOutput]
    origin: tuple[str, ...] = ()


class Planning(Protocol):
    """What the plan does for a type."""

    def step(self, place: Place, command: Command) -> None:
        """The node is one step, which runs this command."""
        ...

    def graph(self, place: Place) -> None:
        """The node is a graph: the nodes in it are planned in its place."""
        ...


class Receiving(Protocol):
    """What reading Azure's wire format does for a type: the terms of the spec language for what was sent."""

    def component(self, sent: str) -> Any:
        """A component's id: its reference, or the definition of an anonymous one."""
        ...

    def environment(self, sent: str | None) -> Any:
        """An environment's id, likewise; None for none."""
        ...

    def code(self, sent: str | None) -> str | None:
        """A code asset's id; None for none."""
        ...

    def resource(self, sent: str) -> str:
        """A compute's or datastore's id."""
        ...

    def node(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """A node of a graph."""
        ...

    def resources(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`resources`; None for none."""
        ...

    def distribution(self, sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`distribution`; None for none."""
        ...


class Sending(Protocol):
    """What writing Azure's wire format does for a type: Azure's terms for those of the spec language."""

    def component(self, value: Any) -> str:
        """A component's id; one that stands in place is kept under an anonymous one first."""
        ...

    def environment(self, value: Any) -> str | None:
        """An environment's id, likewise; None for none."""
        ...

    def code(self, value: str | None) -> str | None:
        """A code asset's id; None for none."""
        ...

    def code_reference(self, value: str | None) -> str | None:
        """A code asset's id as component specs have it, `azureml:` before it; None for none."""
        ...

    def environment_reference(self, value: Any) -> str | None:
        """An environment's id, likewise."""
        ...

    def resource(self, kind: str, value: str | None) -> str | None:
        """The id of one of the workspace's `computes` or `datastores`; None for none."""
        ...

    def node(self, name: str, node: Mapping[str, Any]) -> dict[str, Any]:
        """A node of a graph."""
        ...

    def limits(self, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`limits`, as jobs have them; None for none."""
        ...

    def distribution(self, value: Mapping[str, Any] | None, *, humped: bool) -> dict[str, Any] | None:
        """`distribution`, with camelCase keys or not; None for none."""
        ...

    def queue_settings(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        """`queueSettings`, as jobs have them."""
        ...

    def resources(self, value: Mapping[str, Any] | None) -> dict[str, Any]:
        """`resources`, as jobs have them."""
        ...


class NodeType(ABC):
    """A type of nodes and components, and of jobs where there are such.

    The methods that are abstract are what every type has to say; the others say what is so of most types.

    Attributes:
        name: Its name in specs (`type: …`).
        standalone: Whether there are jobs of this type.
        graph: Whether its components are graphs, whose nodes run in its place.
        implied_by_file: Whether a node is of this type that says none, if its component's file is (SDK: the schemas
            of nodes are tried in turn).
        implied_ports: Whether the values of a node that is written in place imply what it takes and gives; else its
            component declares that.
        takes_file_prefix: Whether Azure ML takes `component: file:…` for it.
        log: Where the log lies that `job stream` prints for its jobs, below their artifacts.
        run_type: What Azure ML's run history calls its runs.
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
        """Whether a component (or job) that doesn't say its type is of this one, by its keys."""
        return False

    @abstractmethod
    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """A node of a graph; None if nothing can be made of it. Problems go to the context."""

    @abstractmethod
    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Component | None:
        """A component from its own mapping; None if nothing can be made of it."""

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """A job of its own; None if nothing can be made of it, or the type has no jobs."""
        return None

    @abstractmethod
    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that its components have besides those of all, as plain values; `nested` writes those in it."""

    def write_job(self, job: Job, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that its jobs have besides those of all, as plain values."""
        component = job.root.component
        return {} if isinstance(component, str) else self.write_component(component, nested)

    # -- the check and the plan

    @abstractmethod
    def check_component(self, component: Any, path: tuple[str, ...], checking: Checking) -> None:
        """What is wrong with a component of this type, besides with its inputs; `path` is its key path."""

    def check_node(self, node: Node, component: Any, path: tuple[str, ...], checking: Checking) -> None:
        """What is wrong with a node of this type, besides with its inputs and outputs."""
        return

    def check_job(self, job: Job, checking: Checking) -> None:
        """What is wrong with a job of this type, besides with its root node."""
        return

    @abstractmethod
    def plan(self, place: Place, component: Any, planning: Planning) -> None:
        """How a node of this type is run: as a step, or as a graph."""

    # -- the wire

    def receive_job(self, fields: Mapping[str, Any], receiving: Receiving, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a job of this type has besides what all have, in the terms of the spec language.

        Args:
            fields: its `properties`, with snake_case keys at the first level.
            receiving: reads what is in them.
            given: the job's inputs, which were read.
        """
        return {}

    def send_job(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """The `properties` that a job of this type has besides those of all."""
        return {}

    def receive_component(self, spec: Mapping[str, Any], receiving: Receiving) -> dict[str, Any]:
        """What a component of this type has besides what all have; `spec` is its `componentSpec`."""
        return {}

    def send_component(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """What is sent otherwise than it stands in the spec language; None for what isn't sent."""
        return {}

    def inline_component(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The component of a node that is written in place, by the node's own keys."""
        return {}

    # -- parity

    def sections(self) -> Mapping[str, Section]:
        """What becomes of the fields of its jobs, nodes and components.

        The sections are called `<name>_job`, `<name>_node` and `<name>_component`; others may stand beside them.
        """
        return NOTHING
