"""A node type for tests: `type: echo` prints a message and writes it to its output `said`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.language.components import component_node
from creditml.language.fields import Choice, Context, Table, anything, text
from creditml.language.jobs import JOB_KEYS, finish_job
from creditml.language.node_keys import COMPONENT_KEYS, NODE_KEYS
from creditml.model import NOTHING, Command, ComponentInput, ComponentOutput, Node
from creditml.nodes import fields
from creditml.nodes.types import Checking, NodeType, Place, Planning, Receiving, Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.language.types import JobFiles
    from creditml.language.yaml import Map
    from creditml.model import Component, Job
    from creditml.nodes.fields import Section

OUTPUTS = {"said": ComponentOutput()}


class Echo(NamedTuple):
    """A component that prints a message."""

    message: str
    name: str | None = None
    version: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = NOTHING
    properties: Mapping[str, str] = NOTHING
    is_deterministic: bool = True
    inputs: Mapping[str, ComponentInput] = NOTHING
    outputs: Mapping[str, ComponentOutput] = OUTPUTS
    type: str = "echo"

    @property
    def jobs(self) -> None:
        return None


TYPE = {"type": Choice("echo")}
NODE = Table("an echo node", {**TYPE, **NODE_KEYS, "message": text, "component": anything})
COMPONENT = Table("an echo component", {**TYPE, **COMPONENT_KEYS, "message": text}, required=("message",))
JOB = Table("an echo job", {**TYPE, **JOB_KEYS, "compute": NODE_KEYS["compute"], "message": text}, ("message",))


class EchoType(NodeType):
    name = "echo"
    standalone = True

    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        if "component" in tree.items:
            return component_node(context, name, tree, files, NODE, self)
        values = NODE.read(context, tree)
        message, _ = values.pop("message"), values.pop("type")
        return Node(name=name, component=Echo(message), type=self.name, **values)

    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Echo | None:  # noqa: ARG002
        values = COMPONENT.read(context, tree)
        return Echo(**values) if "message" in values else None

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:  # noqa: ARG002
        values = JOB.read(context, tree)
        return finish_job(context, tree, values, Echo(values["message"]), ("compute", "outputs", "display_name"))

    def write_component(self, component: Any, nested: Callable[[Component], Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"message": component.message}

    def check_component(self, component: Echo, path: tuple[str, ...], checking: Checking) -> None:
        if not component.message.isprintable():
            checking.findings.error((*path, "message"), "An echo needs a message that can be printed.")

    def plan(self, place: Place, component: Echo, planning: Planning) -> None:
        line = f"echo '{component.message}' | tee ${{{{outputs.said}}}}/said.txt"
        planning.step(place, Command(line, outputs=component.outputs, inputs=component.inputs))

    def receive_job(self, fields: Mapping[str, Any], receiving: Receiving, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"message": fields["message"]}

    def send_job(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:  # noqa: ARG002
        return {"message": spec["message"]}

    def sections(self) -> Mapping[str, Section]:
        kept = {"type": fields.DONE, "message": fields.DONE, "outputs": fields.NODE["outputs"]}
        return {f"echo_{what}": fields.Section(f"Echo {what}", kept) for what in ("job", "node", "component")}
