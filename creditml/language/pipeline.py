"""Pipelines: nodes, pipeline components and pipeline jobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from creditml.errors import MEANT_BY, near_miss
from creditml.language.command import INLINE_KEYS, NODE_KEYS, READ_ONLY, SHORT_KEYS, command_component, environment_of
from creditml.language.environment import versioned
from creditml.language.fields import (
    INVALID,
    Choice,
    Context,
    Invalid,
    Table,
    anything,
    describe,
    flag,
    loose,
    loose_labels,
    loose_text_map,
    text,
)
from creditml.language.implied import typed
from creditml.language.io import component_inputs, component_outputs, input_path
from creditml.language.yaml import Map, Scalar
from creditml.language.yaml import Node as Tree
from creditml.model import (
    LITERAL_TYPES,
    NOTHING,
    Command,
    Component,
    Data,
    JobInput,
    Literal,
    Node,
    Pipeline,
)
from creditml.references import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.language.files import Files

NODE_TYPES = ("command", "pipeline")
LATER_NODE_TYPES = (
    "sweep",
    "parallel",
    "import",
    "spark",
    "automl",
    "data_transfer",
    "if_else",
    "do_while",
    "parallel_for",
)
_NODE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_GRAPH_ONLY = ("inputs", "outputs", "type", "properties", "comment", "component", "display_name", "description", "tags")

_SHORT_KEYS = {key: kind for kinds in SHORT_KEYS.values() for key, kind in kinds.items()}
# Not in the SDK's schema of such nodes, so it takes anything for them.
_LABELS = {"display_name": loose, "description": loose, "tags": loose_labels}
_REFERENCE_NODE = Table(
    "a node with a component",
    {**NODE_KEYS, **_SHORT_KEYS, **_LABELS, "component": anything},
    required=("component",),
    nullable=tuple(_LABELS),
    ignored=(*READ_ONLY, "name", "experiment_name", "is_deterministic", "command", "environment", "code"),
    unknown="warn",
)
_INLINE_NODE = Table("a command node", INLINE_KEYS, required=("command",), ignored=READ_ONLY)
_PIPELINE_NODE = Table(
    "a pipeline node",
    {**{key: NODE_KEYS.get(key, anything) for key in _GRAPH_ONLY}, **_LABELS},
    required=("component",),
    nullable=tuple(_LABELS),
    ignored=(*READ_ONLY, "name", "experiment_name", "compute", "settings"),
    unknown="warn",
)
_PIPELINE_COMPONENT = Table(
    "a pipeline component",
    {
        "name": loose,
        "version": loose,
        "display_name": text,
        "description": text,
        "tags": loose_text_map,
        "properties": loose_text_map,
        "is_deterministic": flag,
        "type": Choice("pipeline"),
        "inputs": component_inputs,
        "outputs": component_outputs,
        "jobs": anything,
    },
    required=("jobs",),
    ignored=READ_ONLY,
    unknown="warn",
)


def pipeline_component(context: Context, node: Map, files: Files) -> Pipeline | None:
    """A pipeline component from its own mapping."""
    fields = dict(_PIPELINE_COMPONENT.read(context, _without_jobs(node)))
    inputs, outputs = fields.get("inputs", NOTHING), fields.get("outputs", NOTHING)
    kinds = {name: spec.type for name, spec in inputs.items()}
    jobs = nodes(context, node.items.get("jobs"), files, kinds, {name: spec.type for name, spec in outputs.items()})
    fields.pop("jobs", None)
    return Pipeline(**{**fields, "jobs": jobs})


def nodes(
    context: Context, tree: Tree | None, files: Files, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> Mapping[str, Node]:
    """The nodes of a graph. `inputs` and `outputs` are the types of the pipeline's own, for nodes written in place."""
    if not isinstance(tree, Map):
        if tree is not None:
            context.error(tree, f"'jobs' is a mapping of node names to nodes, not {describe(tree)}.")
        return {}
    found: dict[str, Node] = {}
    for name, child in tree.items.items():
        if not _NODE_NAME.fullmatch(name):
            at = context.document.key_place(tree, name)
            context.error(
                at, f"'{name}' is no name for a node: lower-case letters, digits and '_', not starting with a digit."
            )
        node = _node(context, name, child, files)
        if node is not None:
            found[name] = node
    return typed(context, found, tree, inputs, outputs)


def _node(context: Context, name: str, tree: Tree, files: Files) -> Node | None:  # noqa: PLR0911  one per kind of node
    if not isinstance(tree, Map):
        context.error(tree, f"The node '{name}' must be a mapping, not {describe(tree)}.")
        return None
    kind = tree.items.get("type")
    word = str(kind.value).lower() if isinstance(kind, Scalar) else "command"
    if word in LATER_NODE_TYPES and kind is not None:
        context.error(
            kind, f"Nodes of type '{word}' are not supported yet; this version runs command and pipeline nodes."
        )
        return None
    if word not in NODE_TYPES and kind is not None:
        known = (*NODE_TYPES, *LATER_NODE_TYPES)
        context.error(kind, f"'{word}' is no type of a node; there are: {', '.join(known)}.{near_miss(word, known)}")
        return None
    if word == "pipeline":
        return _component_node(context, name, tree, files, _PIPELINE_NODE, "pipeline")
    if kind is None and _names_pipeline(context, tree, files):
        return _component_node(context, name, tree, files, _PIPELINE_NODE, "pipeline")
    if "component" in tree.items or "command" not in tree.items:
        return _component_node(context, name, tree, files, _REFERENCE_NODE, "command")
    return _inline_node(context, name, tree, files)


def _component_node(context: Context, name: str, tree: Map, files: Files, table: Table, kind: str) -> Node | None:
    if "component" not in tree.items and kind == "command":
        hint = near_miss("command", tree.items, ask=MEANT_BY) or near_miss("component", tree.items, ask=MEANT_BY)
        context.error(tree, f"The node '{name}' needs a 'component', or a 'command' in place.{hint}")
        return None
    fields = table.read(context, tree)
    component = component_value(context, tree.items["component"], files, kind) if "component" in tree.items else INVALID
    if isinstance(component, Invalid):
        return None
    for key, shorts in SHORT_KEYS.items():
        given = {short: fields.pop(short) for short in shorts if short in fields}
        if given:
            fields[key] = {**given, **fields.get(key, {})}
    kept = {key: value for key, value in fields.items() if key not in ("component", "type")}
    node = Node(name=name, component=component, type=kind, **kept)
    return node if isinstance(component, str) else node._replace(inputs=_as_data(context, node.inputs, component, tree))


def _names_pipeline(context: Context, tree: Map, files: Files) -> bool:
    """Whether a node without a type has a pipeline component's file: Azure ML then takes it for a pipeline node."""
    component = tree.items.get("component")
    if not (isinstance(component, Scalar) and isinstance(component.value, str)) or is_reference(component.value):
        return False
    if not context.exists(context.local(component.value)):
        return False
    loaded = files.load(context, component, component.value)
    return loaded is not None and component_type(loaded.context.document.root) == "pipeline"


def _as_data(
    context: Context, given: Mapping[str, JobInput], component: Component, tree: Map
) -> Mapping[str, JobInput]:
    """A text for an input of data is a path, of the type that is declared."""
    items = tree.items.get("inputs")
    values = dict(given)
    for name, value in given.items():
        spec = component.inputs.get(name)
        scalar = items.items.get(name) if isinstance(items, Map) else None
        if (
            spec
            and spec.type not in LITERAL_TYPES
            and isinstance(value, Literal)
            and isinstance(scalar, Scalar)
            and "${{" not in value.value
        ):
            path = input_path(context, scalar) if isinstance(scalar.value, str) else INVALID
            if isinstance(path, str):
                values[name] = Data(path, spec.type)
            elif not isinstance(scalar.value, str):
                context.error(scalar, f"The input '{name}' is data ({spec.type}); give a path, not {describe(scalar)}.")
                del values[name]
    return values


def _inline_node(context: Context, name: str, tree: Map, files: Files) -> Node | None:
    fields = _INLINE_NODE.read(context, tree)
    environment = environment_of(context, tree, files)
    if "command" not in fields:
        return None
    component = Command(fields["command"], environment, fields.get("code"))
    kept = {
        key: value
        for key, value in fields.items()
        if key not in ("command", "code", "environment", "name", "type", "experiment_name")
    }
    return Node(name=name, component=component, **kept)


def component_value(context: Context, tree: Tree, files: Files, kind: str) -> Any:  # noqa: PLR0911  Component, str or INVALID; one per way to write it
    """The `component` of a node or job: `azureml:…`, a file, or a mapping in place."""
    if isinstance(tree, Map):
        return _read_component(context, tree, files, kind)
    if not (isinstance(tree, Scalar) and isinstance(tree.value, str)):
        return context.error(tree, f"A component is a file, a reference or a mapping, not {describe(tree)}.")
    reference = tree.value
    if is_reference(reference):
        return versioned(context, tree, reference)
    if kind == "pipeline" and reference.startswith("file:"):
        context.warn(
            tree,
            f"Azure ML takes no 'file:' for pipeline components; write {reference.removeprefix('file:')}.",
            refused=True,
        )
    loaded = files.load(context, tree, reference)
    if loaded is None:
        return INVALID
    if loaded.under_way:
        return context.error(tree, f"{reference} contains itself, through the components in it.")
    root = loaded.context.document.root
    found = component_type(root)
    if found != kind:
        mend = (
            f"set 'type: {found}' on the node"
            if found in NODE_TYPES
            else "this version runs command and pipeline components"
        )
        return context.error(tree, f"{reference} is a component of type '{found}'; {mend}.")

    def make(inner: Context, node: Map) -> Component | None:
        made = _read_component(inner, node, files, kind)
        return None if isinstance(made, Invalid) else made

    return files.once(loaded, make, kind)


def _read_component(context: Context, tree: Map, files: Files, kind: str) -> Component | Invalid:
    component = (
        pipeline_component(context, tree, files) if kind == "pipeline" else command_component(context, tree, files)
    )
    return INVALID if component is None else component


def component_type(root: Tree) -> str:
    """The type that a component's file says it is."""
    kind = root.items.get("type") if isinstance(root, Map) else None
    if isinstance(kind, Scalar):
        return str(kind.value).lower()
    return "pipeline" if isinstance(root, Map) and "jobs" in root.items else "command"


def _without_jobs(tree: Map) -> Map:
    """The mapping with its graph left out: that is read by itself, since it needs the types of the rest."""
    if "jobs" not in tree.items:
        return tree
    copy = Map(tree.line, tree.column)
    read = Scalar(True, "", tree.line, tree.column)  # noqa: FBT003  a value of the spec
    copy.items, copy.keys = {**tree.items, "jobs": read}, tree.keys
    return copy
