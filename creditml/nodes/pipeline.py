"""The node type `pipeline`: a graph of nodes, which run in its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from creditml.errors import MEANT_BY, near_miss
from creditml.language.components import component_node, component_value, nodes
from creditml.language.fields import INVALID, Choice, Context, Table, anything, flag, text, text_map
from creditml.language.implied import inferred_inputs, inferred_outputs
from creditml.language.io import literal_type
from creditml.language.jobs import JOB_KEYS, finish_job
from creditml.language.node_keys import COMPONENT_KEYS, LABELS, NODE_KEYS, READ_ONLY
from creditml.language.writer import input_value, node_dict, settings_dict
from creditml.language.yaml import Map, Scalar, from_plain
from creditml.logs import PIPELINE_LOG
from creditml.model import NOTHING, ComponentInput, ComponentOutput, Data, Node, Pipeline
from creditml.nodes.types import NodeType, filled
from creditml.references import is_arm_id, is_reference, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.language.types import JobFiles
    from creditml.language.yaml import Node as Tree
    from creditml.model import Component, Job, JobInput
    from creditml.nodes.fields import Section
    from creditml.nodes.types import Checking, Place, Planning, Receiving, Sending

_NAME = "pipeline"
_SERVERLESS = "serverless"
_PYTHON = "DSL"
"""The value of `settings._source` of a pipeline that was made by a Python function (SDK)."""
_PARENT_INPUT = re.compile(r"\$\{\{\s*parent\.inputs\.(\S+?)\s*\}\}")


def _default_compute(context: Context, node: Tree) -> Any:  # str or INVALID
    value = text(context, node)
    if value is INVALID or value.lower() == _SERVERLESS or _is_id(value):
        return value
    mend = f"write serverless, or {named(value)} for a compute of the workspace"
    return context.error(node, f"'{value}' can't be the default compute; {mend}.")


def _default_datastore(context: Context, node: Tree) -> Any:  # str or INVALID
    value = text(context, node)
    if value is INVALID or _is_id(value):
        return value
    return context.error(node, f"'{value}' can't be the default datastore; write {named(value)}.")


def _is_id(value: str) -> bool:
    return is_reference(value) or is_arm_id(value)


_SETTINGS = Table(
    "settings",
    {
        "default_compute": _default_compute,
        "default_datastore": _default_datastore,
        "continue_on_step_failure": flag,
        "force_rerun": flag,
    },
    unknown="keep",
)
_ROOT_KEYS: Mapping[str, Any] = {
    **{key: NODE_KEYS[key] for key in ("inputs", "outputs", "display_name", "description")},
    "tags": text_map,
    "properties": text_map,
    **{key: NODE_KEYS[key] for key in ("compute", "services", "identity")},
}
"""The keys of a job that are fields of its root node."""
_JOB = Table(
    "a pipeline job",
    {
        **JOB_KEYS,
        **_ROOT_KEYS,
        "type": Choice(_NAME, exact=True),
        "settings": _SETTINGS.nested,
        "jobs": anything,
        "component": anything,
    },
    ignored=READ_ONLY,
)
_NODE_KEYS = ("inputs", "outputs", "properties", "comment", "display_name", "description", "tags")
_NODE = Table(
    "a pipeline node",
    {"type": Choice(_NAME), **{key: NODE_KEYS[key] for key in _NODE_KEYS}, **LABELS, "component": anything},
    required=("component",),
    nullable=tuple(LABELS),
    ignored=(*READ_ONLY, "name", "experiment_name", "compute", "settings"),
    unknown="warn",
)
_COMPONENT = Table(
    "a pipeline component",
    {**COMPONENT_KEYS, "type": Choice(_NAME), "jobs": anything},
    required=("jobs",),
    ignored=READ_ONLY,
    unknown="warn",
)


class PipelineType(NodeType):
    """Pipeline nodes, components and jobs."""

    name = _NAME
    standalone = True
    graph = True
    implied_by_file = True
    takes_file_prefix = False
    log = PIPELINE_LOG
    run_type = "azureml.PipelineRun"

    # -- the language

    def recognizes(self, tree: Map, *, job: bool) -> bool:
        """Whether it has `jobs`; a job is also recognized by `component`, which only pipeline jobs have."""
        return "jobs" in tree.items or (job and "component" in tree.items)

    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """Read a node with a pipeline component."""
        return component_node(context, name, tree, files, _NODE, self)

    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Pipeline | None:
        """Read a pipeline component."""
        fields = dict(_COMPONENT.read(context, _without_jobs(tree)))
        inputs, outputs = fields.get("inputs", NOTHING), fields.get("outputs", NOTHING)
        kinds = {name: spec.type for name, spec in inputs.items()}
        results = {name: spec.type for name, spec in outputs.items()}
        fields["jobs"] = nodes(context, tree.items.get("jobs"), files, kinds, results)
        return Pipeline(**fields)

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """Read a pipeline job, with its nodes in place or with a component."""
        fields = _JOB.read(context, tree)
        for name, output in fields.get("outputs", NOTHING).items():
            if output.binding:
                mend = f"bind a node's output to ${{{{parent.outputs.{name}}}}} instead"
                at = files.place(("outputs", name)) or tree
                context.error(at, f"A pipeline's output can't be a binding; {mend}.")
        component = _job_component(context, tree, fields, files, self)
        if component is None:
            return None
        return finish_job(context, tree, {**fields, "type": _NAME}, component, _ROOT_KEYS)

    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The nodes."""
        return {"jobs": {name: node_dict(node, nested) for name, node in (component.jobs or {}).items()}}

    def write_job(self, job: Job, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The settings, and the nodes or the component.

        The nodes are written in place if the job's values imply everything that the pipeline declares.
        """
        component = job.root.component
        settings = settings_dict(job.settings)
        rest = {"settings": settings} if settings else {}
        if isinstance(component, str):
            return {"component": component, **rest}
        if _implied(job.root, component):
            return {**self.write_component(component, nested), **rest}
        return {"component": nested(component), **rest}

    # -- the check and the plan

    def check_component(self, component: Component, path: tuple[str, ...], checking: Checking) -> None:
        """Check the nodes and their bindings."""
        checking.graph(component, path)

    def check_job(self, job: Job, checking: Checking) -> None:
        """Check that each step has a compute."""
        checking.computes(job.root)

    def plan(self, place: Place, component: Component, planning: Planning) -> None:  # noqa: ARG002  `place` has it too
        """Plan the nodes in the pipeline's place."""
        planning.graph(place)

    # -- the wire

    def receive_job(self, fields: Mapping[str, Any], receiving: Receiving, given: Mapping[str, Any]) -> dict[str, Any]:
        """Read the nodes or the component, and the settings."""
        settings = dict(fields.get("settings") or {})
        from_python = settings.pop("_source", None) == _PYTHON
        for key in ("default_compute", "default_datastore"):
            if settings.get(key):
                settings[key] = receiving.resource(settings[key])
        kept = filled(settings)
        rest = {"settings": kept} if kept else {}
        if fields.get("component_id"):
            return {"component": receiving.component(fields["component_id"]), **rest}
        jobs = {key: receiving.node(node) for key, node in (fields.get("jobs") or {}).items()}
        for node in jobs.values() if from_python else ():
            _leave_out(node, given)
        return {"jobs": jobs, **rest}

    def send_job(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """Write the nodes or the id of the component, and the settings."""
        component = {"componentId": sending.component(spec["component"])} if spec.get("component") else {}
        settings = dict(spec.get("settings") or {})
        for key, kind in (("default_compute", "computes"), ("default_datastore", "datastores")):
            if settings.get(key):
                settings[key] = sending.resource(kind, settings[key])
        jobs = {name: sending.node(name, node) for name, node in (spec.get("jobs") or {}).items()}
        return {**component, "jobs": jobs, "settings": settings}

    def receive_component(self, spec: Mapping[str, Any], receiving: Receiving) -> dict[str, Any]:
        """Read the nodes."""
        if "jobs" not in spec:
            return {}
        return {"jobs": {name: receiving.node(node) for name, node in spec["jobs"].items()}}

    def send_component(self, spec: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
        """Write the nodes."""
        if "jobs" not in spec:
            return {}
        return {"jobs": {name: sending.node(name, node) for name, node in spec["jobs"].items()}}

    # -- parity

    def sections(self) -> Mapping[str, Section]:
        """The fields of pipeline jobs, nodes and components, and of settings."""
        from creditml.nodes import fields

        job = {
            **fields.JOB,
            "type": fields.JOB_TYPE,
            "settings": fields.holds("settings"),
            "jobs": fields.holds("node", each=True),
            "component": fields.holds("component"),
        }
        node = {
            **fields.SCHEMA,
            **fields.LABELS,
            **{key: fields.NODE[key] for key in ("inputs", "outputs", "comment")},
            "component": fields.holds("component"),
            "compute": fields.NODE["compute"],
            "settings": fields.field_of(fields.EMULATED, "dropped, as by Azure ML's clients: the job's settings apply"),
            "type": fields.NODE_TYPE,
        }
        component = {**fields.DECLARED, "jobs": fields.holds("node", each=True)}
        return {
            "pipeline_job": fields.Section("Pipeline job", job),
            "settings": fields.Section("Settings of a pipeline job", fields.SETTINGS),
            "pipeline_node": fields.Section("Node of a pipeline: pipeline", node),
            "pipeline_component": fields.Section("Pipeline component", component),
        }


def _job_component(
    context: Context, tree: Map, fields: Mapping[str, Any], files: JobFiles, kind: PipelineType
) -> Component | str | None:
    """The component of a job, or a pipeline of its nodes in place whose inputs and outputs its values imply.

    None if the component can't be read.
    """
    if "component" in tree.items:
        if "jobs" in tree.items:
            at = context.document.key_place(tree, "component")
            context.error(at, "'jobs' and 'component' are mutually exclusive fields in a pipeline job.")
        component: Any = component_value(context, tree.items["component"], files, kind)
        return None if component is INVALID else component
    if "jobs" not in tree.items:
        context.error(tree, f"A pipeline job needs 'jobs'.{near_miss('jobs', tree.items, ask=MEANT_BY)}")
    declared = inferred_inputs(fields.get("inputs", NOTHING), tree.items.get("inputs"))
    results = inferred_outputs(fields.get("outputs", NOTHING))
    kinds = {name: spec.type for name, spec in declared.items()}
    jobs = nodes(context, tree.items.get("jobs"), files, kinds, results)
    return Pipeline(jobs, inputs=declared, outputs={name: ComponentOutput(kind) for name, kind in results.items()})


def _without_jobs(tree: Map) -> Map:
    """The mapping without its nodes, which are read afterwards since they need the types of its inputs and outputs."""
    if "jobs" not in tree.items:
        return tree
    copy = Map(tree.line, tree.column)
    read = Scalar(True, "", tree.line, tree.column)  # noqa: FBT003  a value for YAML, not a flag
    copy.items, copy.keys = {**tree.items, "jobs": read}, tree.keys
    return copy


def _implied(root: Node, component: Component) -> bool:
    """Whether the job's values imply everything that its pipeline declares, as if it were written in place."""
    kinds = {
        name: _written_type(value, component.inputs[name].type)
        for name, value in root.inputs.items()
        if name in component.inputs
    }
    inputs = {name: ComponentInput(kind) for name, kind in kinds.items()}
    outputs = {name: ComponentOutput(output.type or "uri_folder") for name, output in root.outputs.items()}
    bare = Pipeline(component.jobs or NOTHING, inputs=inputs, outputs=outputs)
    return component == bare and inputs.keys() == root.inputs.keys()


def _written_type(value: JobInput, kind: str) -> str:
    """The type that the reader infers from an input when it is written and read again."""
    return value.type if isinstance(value, Data) else literal_type(from_plain(input_value(value, kind)))


def _leave_out(node: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Remove the inputs of a node that are bound to a missing input of the pipeline.

    The SDK leaves out an optional parameter of a Python function that was not given, but not the bindings to it.
    """
    for name, value in list(node.get("inputs", {}).items()):
        bound = value.get("path") if isinstance(value, dict) else value
        match = _PARENT_INPUT.fullmatch(str(bound))
        if match and match[1] not in given:
            del node["inputs"][name]
