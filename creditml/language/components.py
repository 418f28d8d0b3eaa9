"""Reads components, in files and in place, and the nodes of a graph; each node type reads its own keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from creditml.errors import near_miss
from creditml.language.environment import versioned
from creditml.language.fields import INVALID, Context, Invalid, Table, describe
from creditml.language.implied import typed
from creditml.language.io import input_path, job_inputs, job_outputs
from creditml.language.node_keys import SHORT_KEYS
from creditml.language.yaml import Map, Scalar
from creditml.language.yaml import Node as Tree
from creditml.model import LITERAL_TYPES, UNREAD, Component, Data, JobInput, Literal, Node
from creditml.references import is_arm_id, is_reference, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.language.types import JobFiles, SpecType

_NODE_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def nodes(
    context: Context, tree: Tree | None, files: JobFiles, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> Mapping[str, Node]:
    """Read the nodes of a graph.

    Args:
        context: Notes problems.
        tree: The value of `jobs`.
        files: The files of the job.
        inputs: The types of the graph's inputs, for bindings in nodes that are written in place.
        outputs: The types of the graph's outputs.
    """
    if not isinstance(tree, Map):
        if tree is not None:
            context.error(tree, f"'jobs' must map node names to nodes, not be {describe(tree)}.")
        return {}
    found: dict[str, Node] = {}
    for name, child in tree.items.items():
        if not _NODE_NAME.fullmatch(name):
            at = context.document.key_place(tree, name)
            context.error(
                at,
                f"'{name}' is not a node name: use lower-case letters, digits and '_', and don't begin with a digit.",
            )
        node = _node(context, name, child, files)
        if node is not None:
            found[name] = node
    implied = {name for name, node in found.items() if files.types.known[node.type].implied_ports}
    return typed(context, found, tree, inputs, outputs, implied)


def _node(context: Context, name: str, tree: Tree, files: JobFiles) -> Node | None:
    if not isinstance(tree, Map):
        context.error(tree, f"The node '{name}' must be a mapping, not {describe(tree)}.")
        return None
    kind, types = tree.items.get("type"), files.types
    said = str(kind.value).lower() if isinstance(kind, Scalar) else types.default
    if kind is not None and said in types.later:
        context.error(kind, f"Nodes of type '{said}' are not supported yet; this version runs {types.listed} nodes.")
        return None
    if kind is not None and said not in types.known:
        every = (*types.known, *types.later)
        hint = near_miss(said, every)
        context.error(kind, f"'{said}' is not a node type; the types are: {', '.join(every)}.{hint}")
        return None
    if kind is None:
        said = _type_of_file(context, tree, files) or said
    return types.known[said].read_node(context, name, tree, files)


def _type_of_file(context: Context, tree: Map, files: JobFiles) -> str:
    """The type in the component's file, for a node without `type` if Azure ML then uses the file's type; else empty."""
    component = tree.items.get("component")
    if not (isinstance(component, Scalar) and isinstance(component.value, str)) or is_reference(component.value):
        return ""
    if not context.exists(context.local(component.value)):
        return ""
    loaded = files.load(context, component, component.value)
    kind = files.types.of_component(loaded.context.document.root) if loaded else ""
    return kind if kind in files.types.known and files.types.known[kind].implied_by_file else ""


def component_node(context: Context, name: str, tree: Map, files: JobFiles, table: Table, kind: SpecType) -> Node:
    """Read a node that has a `component`; `table` has the keys of the node."""
    fields = table.read(context, tree)
    given: Tree | None = tree.items.get("component")
    component: Any = INVALID if given is None else component_value(context, given, files, kind)
    if isinstance(component, Invalid):
        component = UNREAD
    for key, shorts in SHORT_KEYS.items():
        short_fields = {short: fields.pop(short) for short in shorts if short in fields}
        if short_fields:
            fields[key] = {**short_fields, **fields.get(key, {})}
    kept = {key: value for key, value in fields.items() if key not in ("component", "type")}
    node = Node(name=name, component=component, type=kind.name, **kept)
    return node if isinstance(component, str) else node._replace(inputs=_as_data(context, node.inputs, component, tree))


def unread_node(context: Context, name: str, tree: Map, kind: SpecType) -> Node:
    """A node that has no component, so that its inputs and outputs can be checked in spite of that."""
    ports = {"inputs": job_inputs, "outputs": job_outputs}
    found = {key: read(context, tree.items[key]) for key, read in ports.items() if key in tree.items}
    return Node(name, UNREAD, kind.name, **{key: value for key, value in found.items() if value is not INVALID})


def _as_data(
    context: Context, given: Mapping[str, JobInput], component: Component, tree: Map
) -> Mapping[str, JobInput]:
    """Turn the text of an input that the component declares as data into a path of that type."""
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


def component_value(context: Context, tree: Tree, files: JobFiles, kind: SpecType) -> Any:  # Component, str or INVALID
    """Read the `component` of a node or job: `azureml:…`, the path of a file, or a mapping in place."""
    if isinstance(tree, Map):
        made = kind.read_component(context, tree, files)
        return INVALID if made is None else made
    if not (isinstance(tree, Scalar) and isinstance(tree.value, str)):
        return context.error(tree, f"A component must be a file, a reference or a mapping, not {describe(tree)}.")
    if is_arm_id(tree.value):
        return named(tree.value)
    if is_reference(tree.value):
        return versioned(context, tree, tree.value)
    return _from_file(context, tree, tree.value, files, kind)


def _from_file(context: Context, tree: Scalar, path: str, files: JobFiles, kind: SpecType) -> Any:
    if not kind.takes_file_prefix and path.startswith("file:"):
        mend = f"write {path.removeprefix('file:')}"
        context.warn(tree, f"Azure ML does not accept 'file:' for {kind.name} components; {mend}.", refused=True)
    loaded = files.load(context, tree, path)
    if loaded is None:
        return INVALID
    if loaded.under_way:
        return context.error(tree, f"{path} contains itself: one of the components in it refers to it.")
    types = files.types
    found = types.of_component(loaded.context.document.root)
    if found != kind.name:
        known = found in types.known
        mend = f"set 'type: {found}' on the node" if known else f"this version runs {types.listed} components"
        return context.error(tree, f"{path} is a component of type '{found}'; {mend}.")
    return files.once(loaded, lambda inner, node: kind.read_component(inner, node, files), kind.name)


def document_component(context: Context, root: Tree, files: JobFiles) -> Component | None:
    """Read a document as a component of the type that it names or shows by its keys."""
    types = files.types
    kind = types.of_component(root)
    if kind not in types.known:
        context.error(
            root, f"Components of type '{kind}' are not supported yet; this version runs {types.listed} components."
        )
        return None
    if not isinstance(root, Map):
        context.error(root, f"A component must be a mapping of keys to values, not {describe(root)}.")
        return None
    return types.known[kind].read_component(context, root, files)
