"""The node type `command`: a step runs a command line, with its code, in its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.errors import MEANT_BY, near_miss
from creditml.language.components import component_node, unread_node
from creditml.language.fields import Choice, Context, Table, anything, text
from creditml.language.implied import inferred_inputs, inferred_outputs
from creditml.language.io import command_job_inputs, command_job_outputs
from creditml.language.jobs import finish_job
from creditml.language.node_keys import (
    BOUND_KEYS,
    COMPONENT_KEYS,
    LABELS,
    NODE_KEYS,
    READ_ONLY,
    RESOURCES,
    SHORT_KEYS,
    code_path,
    component_distribution,
    environment_of,
    environment_variables,
    includes,
)
from creditml.language.writer import environment_value, some
from creditml.model import NOTHING, UNREAD, Command, ComponentOutput, Node
from creditml.nodes.types import NodeType, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.language.types import JobFiles
    from creditml.language.yaml import Map
    from creditml.model import Component, Job
    from creditml.nodes.fields import Section
    from creditml.nodes.types import Checking, Place, Planning, Receiving, Sending

_NAME = "command"
_TYPE = {"type": Choice(_NAME)}
_SHORT_KEYS = {key: kind for kinds in SHORT_KEYS.values() for key, kind in kinds.items()}
_OWN_KEYS: Mapping[str, Any] = {"command": text, "code": code_path, "environment": anything}
_INLINE_KEYS: Mapping[str, Any] = {
    **_TYPE,
    **{key: kind for key, kind in NODE_KEYS.items() if key != "comment"},
    "name": text,
    "experiment_name": text,
    **_OWN_KEYS,
}
_BOUND_VARIABLES = {"environment_variables": BOUND_KEYS["environment_variables"]}
_INLINE_NODE = Table("a command node", {**_INLINE_KEYS, **_BOUND_VARIABLES}, required=("command",), ignored=READ_ONLY)
_COMPONENT_NODE = Table(
    "a node with a component",
    {**_TYPE, **NODE_KEYS, **BOUND_KEYS, **_SHORT_KEYS, **LABELS, "component": anything},
    required=("component",),
    nullable=tuple(LABELS),
    ignored=(*READ_ONLY, "name", "experiment_name", "is_deterministic", *_OWN_KEYS),
    unknown="warn",
)
_JOB = Table(
    "a command job",
    {**_INLINE_KEYS, "inputs": command_job_inputs, "outputs": command_job_outputs},
    required=("command",),
    ignored=READ_ONLY,
)
_COMPONENT = Table(
    "a command component",
    {
        **COMPONENT_KEYS,
        **_TYPE,
        **_OWN_KEYS,
        "resources": Table("resources", RESOURCES, unknown="warn").nested,
        "distribution": component_distribution,
        "additional_includes": includes,
        "environment_variables": environment_variables,
        "queue_settings": anything,
    },
    required=("command",),
    nullable=("name", "version"),
    ignored=READ_ONLY,
    unknown="warn",
)
_DROPPED = ("type", "environment", "environment_variables", "queue_settings")
"""Keys of a component that Azure ML moves to the node, or that are read separately."""
_NOT_OF_NODES = ("command", "code", "environment", "name", "type", "experiment_name")


class CommandType(NodeType):
    """Command nodes, components and jobs."""

    name = _NAME
    standalone = True
    implied_ports = True

    # -- the language

    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """Read a node with a `component`, or with a `command` in place."""
        if "component" in tree.items:
            return component_node(context, name, tree, files, _COMPONENT_NODE, self)
        if "command" in tree.items:
            return _inline_node(context, name, tree, files)
        hint = near_miss("command", tree.items, ask=MEANT_BY) or near_miss("component", tree.items, ask=MEANT_BY)
        context.error(tree, f"The node '{name}' needs a 'component', or a 'command' in place.{hint}")
        return unread_node(context, name, tree, self)

    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Command | None:
        """Read a command component; None if it has no command."""
        fields = _COMPONENT.read(context, tree)
        environment = environment_of(context, tree, files)
        if "command" not in fields:
            return None
        kept = {key: value for key, value in fields.items() if key not in _DROPPED}
        return Command(**kept, environment=environment)

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """Read a standalone command job; the types of its inputs and outputs are inferred from their values."""
        fields = _JOB.read(context, tree)
        environment = environment_of(context, tree, files)
        if "command" not in fields:
            return None
        outputs = inferred_outputs(fields.get("outputs", NOTHING))
        component = Command(
            fields["command"],
            environment,
            fields.get("code"),
            inputs=inferred_inputs(fields.get("inputs", NOTHING), tree.items.get("inputs")),
            outputs={name: ComponentOutput(kind) for name, kind in outputs.items()},
        )
        job = finish_job(context, tree, fields, component, NODE_KEYS)
        if job.name is not None and job.name != job.name.lower():
            context.warn(tree.items["name"], f"Azure ML changes the name to lower case: {job.name.lower()}.")
            return job._replace(name=job.name.lower())
        return job

    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:  # noqa: ARG002  a command has no nested components
        """The command and what it needs to run."""
        assert isinstance(component, Command)  # noqa: S101  the table chose this type by the component
        return some(
            {
                "command": component.command,
                "code": component.code,
                "environment": environment_value(component.environment),
                "distribution": component.distribution,
                "resources": component.resources,
                "additional_includes": list(component.additional_includes),
            }
        )

    # -- the check and the plan

    def check_component(self, component: Command, path: tuple[str, ...], checking: Checking) -> None:
        """Check the command against the declared inputs and outputs."""
        checking.command(component, path)

    def check_node(self, node: Node, component: Command, path: tuple[str, ...], checking: Checking) -> None:
        """Warn if the node asks for several processes or machines."""
        checking.processes(node, component, path)

    def plan(self, place: Place, component: Command, planning: Planning) -> None:
        """Plan one step, which runs the component unchanged."""
        planning.step(place, component)

    # -- the wire

    def receive_job(self, fields: Mapping[str, Any], receiving: Receiving, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002  only other types need the inputs
        """Read the command, and the ids of its code and environment."""
        return filled(
            {
                "command": fields.get("command"),
                "code": receiving.code(fields.get("code_id")),
                "environment": receiving.environment(fields.get("environment_id")),
            }
        )

    def send_job(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """Write the command and what it needs to run, with the ids of its code and environment."""
        return filled(
            {
                "command": spec.get("command"),
                "codeId": sending.code(spec.get("code")),
                "environmentId": sending.environment(spec.get("environment")),
                "environmentVariables": spec.get("environment_variables") or {},
                "limits": sending.limits(spec.get("limits")),
                "resources": sending.resources(spec.get("resources")),
                "distribution": sending.distribution(spec.get("distribution"), humped=True),
                "queueSettings": sending.queue_settings(spec.get("queue_settings")),
            }
        )

    def receive_component(self, spec: Mapping[str, Any], receiving: Receiving) -> dict[str, Any]:
        """Read the command and what it needs to run."""
        return filled(
            {
                "command": spec.get("command"),
                "code": receiving.code(spec.get("code")),
                "environment": receiving.environment(spec.get("environment")),
                "resources": receiving.resources(spec.get("resources")),
                "distribution": receiving.distribution(spec.get("distribution")),
            }
        )

    def send_component(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """Write the ids of the code and the environment, and the distribution."""
        return {
            "code": sending.code_reference(spec.get("code")),
            "environment": sending.environment_reference(spec.get("environment")),
            "distribution": sending.distribution(spec.get("distribution"), humped=False),
        }

    def inline_component(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of the node that belong to its component."""
        return {key: node[key] for key in _OWN_KEYS if key in node}

    # -- parity

    def sections(self) -> Mapping[str, Section]:
        """The fields of command jobs, nodes and components."""
        from creditml.nodes import fields

        job = {**fields.JOB, **fields.RUN, "limits": fields.NODE["limits"], "type": fields.JOB_TYPE}
        node = {
            **fields.SCHEMA,
            **fields.READ_ONLY_FIELDS,
            **fields.LABELS,
            **fields.NODE,
            **fields.RUN,
            "name": fields.field_of(fields.EMULATED, "dropped, as by Azure ML's clients: a node is named by its key"),
            "experiment_name": fields.field_of(
                fields.EMULATED, "dropped, as by Azure ML's clients: the job's experiment applies"
            ),
            "component": fields.holds("component"),
            "type": fields.NODE_TYPE,
        }
        of_node = fields.field_of(fields.EMULATED, "dropped, as by Azure ML: it is set on nodes")
        component = {
            **fields.DECLARED,
            **fields.RUN,
            "environment_variables": of_node,
            "queue_settings": of_node,
            "additional_includes": fields.DONE,
        }
        return {
            "command_job": fields.Section("Command job", job),
            "command_node": fields.Section("Node of a pipeline: command", node),
            "command_component": fields.Section("Command component", component),
        }


def _inline_node(context: Context, name: str, tree: Map, files: JobFiles) -> Node:
    """Read a node with a command in place. The inputs and outputs of its component are inferred later."""
    fields = _INLINE_NODE.read(context, tree)
    environment = environment_of(context, tree, files)
    kept = {key: value for key, value in fields.items() if key not in _NOT_OF_NODES}
    component = Command(fields["command"], environment, fields.get("code")) if "command" in fields else UNREAD
    return Node(name=name, component=component, type=_NAME, **kept)
