"""Infers the types of inputs and outputs from their values.

A node that is written in place, without a `component`, doesn't declare its inputs and outputs. The SDK infers their
types (`ComponentTranslatableMixin`), and refuses some bindings that it can't infer from; this module does the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from creditml.expressions import Reference, single
from creditml.language.io import literal_type
from creditml.language.yaml import Map, Scalar
from creditml.language.yaml import Node as Tree
from creditml.model import (
    NOTHING,
    UNREAD,
    ComponentInput,
    ComponentOutput,
    Data,
    JobInput,
    JobOutput,
    Literal,
    Node,
    changed,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from creditml.language.fields import Context

# The SDK's pattern of a binding: no blanks after the first braces, but any text before the last ones.
_BOUND = re.compile(r"\$\{\{parent\.(inputs|jobs)\..*\}\}", re.DOTALL)
_DEFAULT = "uri_folder"


class Unknown(NamedTuple):
    """A type that the SDK can't infer, so that it refuses the job; `why` is the message."""

    why: str


def inferred_inputs(values: Mapping[str, JobInput], tree: Tree | None) -> Mapping[str, ComponentInput]:
    """The inputs of a standalone job that is written in place; its values contain no bindings."""
    items: Mapping[str, Tree] = tree.items if isinstance(tree, Map) else {}
    return {name: ComponentInput(_written(value, items.get(name))) for name, value in values.items()}


def inferred_outputs(outputs: Mapping[str, JobOutput]) -> Mapping[str, str]:
    """The types of a pipeline job's outputs."""
    return {name: output_type(output, NOTHING) for name, output in outputs.items()}


def output_type(output: JobOutput, parent: Mapping[str, str]) -> str:
    """The type of a node's output that no component declares; `parent` has the types of the pipeline's outputs."""
    if output.type:
        return output.type
    reference = single(output.binding) if output.binding else None
    return parent.get(reference.name, _DEFAULT) if reference else _DEFAULT


def typed(
    context: Context,
    found: dict[str, Node],
    tree: Map,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    implied: Collection[str],
) -> Mapping[str, Node]:
    """Give nodes that are written in place the inputs and outputs that their values imply.

    Args:
        context: Notes problems.
        found: The nodes, by name.
        tree: The mapping of nodes in the file.
        inputs: The types of the pipeline's inputs.
        outputs: The types of the pipeline's outputs.
        implied: The names of the nodes whose type lets them be written in place without declaring anything.

    Returns:
        `found`, with the changed nodes.
    """
    inline = [
        name
        for name, node in found.items()
        if name in implied and _is_inline(tree, name) and not isinstance(node.component, str)
    ]
    for name in inline:
        node = found[name]
        declared = {key: ComponentOutput(output_type(output, outputs)) for key, output in node.outputs.items()}
        found[name] = _declaring(node, outputs=declared)
    graph = _Graph(found, tree, set(inline), inputs, outputs)
    for name in inline:
        node, items = found[name], _items(tree, name)
        kinds = {key: graph.kind(value, items.get(key)) for key, value in node.inputs.items()}
        for key, kind in kinds.items():
            if isinstance(kind, Unknown):
                context.error(items[key], kind.why)
        specs = {key: ComponentInput("string" if isinstance(kind, Unknown) else kind) for key, kind in kinds.items()}
        found[name] = _declaring(node, inputs=specs)
        graph.waiting.discard(name)
    return found


def _declaring(node: Node, **declared: Mapping[str, ComponentInput | ComponentOutput]) -> Node:
    assert not isinstance(node.component, str)  # noqa: S101  nodes that are written in place have no reference
    return node._replace(component=changed(node.component, **declared))


class _Graph:
    """The nodes of a pipeline. `waiting` are those without types yet: the SDK infers them in the order of the file."""

    def __init__(
        self,
        found: Mapping[str, Node],
        tree: Map,
        waiting: set[str],
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
    ) -> None:
        self.waiting = waiting
        self._found, self._tree, self._inputs, self._outputs = found, tree, inputs, outputs

    def kind(self, value: JobInput, item: Tree | None, seen: tuple[str, ...] = ()) -> str | Unknown:
        """The type that a value of a node implies."""
        text = value.value if isinstance(value, Literal) else ""
        if isinstance(value, Data) or _is_data(item) or not _BOUND.fullmatch(text):
            return _written(value, item)
        reference = single(text)
        if reference is None:
            return Unknown(
                f"Azure ML reads {text} as one binding, and finds no input of that name. Give the node a component "
                "that declares the input's type, or combine the texts in the command."
            )
        if " " in text:
            return Unknown(
                f"Azure ML can't resolve a binding with a blank before the last braces; write {text.replace(' ', '')}."
            )
        if not reference.job:
            return self._of_parent(reference)
        node = self._found.get(reference.job)
        if node is None or text in seen:
            return "string"  # the check reports the missing node or the cycle
        return (self._of_output if reference.kind == "outputs" else self._of_input)(reference, node, (*seen, text))

    def _of_parent(self, reference: Reference) -> str | Unknown:
        if reference.name in self._inputs and "." in reference.name:
            return Unknown(
                f"Azure ML can't bind a node that is written in place to a parameter group: {reference.text}. "
                "Give the node a component that declares the input's type."
            )
        return self._inputs.get(reference.name, "string")

    def _of_output(self, reference: Reference, node: Node, _seen: tuple[str, ...]) -> str | Unknown:
        if not isinstance(node.component, str):
            spec = node.component.outputs.get(reference.name)
            return spec.type if spec else "string"
        if node.component == UNREAD:
            return "string"  # the reader has reported the reason
        if reference.name not in node.outputs:
            return Unknown(
                f"Azure ML can't tell the type of {reference.text}; "
                f"add 'outputs: {{{reference.name}: {{type: …}}}}' to the node '{node.name}'."
            )
        return output_type(node.outputs[reference.name], self._outputs)

    def _of_input(self, reference: Reference, node: Node, seen: tuple[str, ...]) -> str | Unknown:
        if not isinstance(node.component, str) and node.name not in self.waiting:
            spec = node.component.inputs.get(reference.name)
            return spec.type if spec else "string"
        value, item = node.inputs.get(reference.name), _items(self._tree, node.name).get(reference.name)
        if value is None:
            return "string"
        if isinstance(value, Data) or _is_data(item):
            return _written(value, item)
        if _BOUND.fullmatch(value.value):
            return self.kind(value, item, seen)
        mend = "write the value here too, or make it an input of the pipeline and bind both nodes to that input."
        return Unknown(f"Azure ML can't tell the type of {reference.text}, which is later in the file; {mend}")


def _written(value: JobInput, item: Tree | None) -> str:
    """The type of a value that is not a binding."""
    if isinstance(value, Data):
        return value.type
    if isinstance(item, Map) and not _is_data(item):
        return _written(value, item.items["value"])
    if isinstance(item, Map):
        kind = item.items.get("type")
        return str(kind.value).lower() if isinstance(kind, Scalar) else _DEFAULT
    return literal_type(item)


def _is_data(item: Tree | None) -> bool:
    """Whether an input is written as data, with `type` and `path`. A binding as its path then has that type."""
    return isinstance(item, Map) and "value" not in item.items


def _items(tree: Map, name: str) -> Mapping[str, Tree]:
    node = tree.items[name]
    inputs = node.items.get("inputs") if isinstance(node, Map) else None
    return inputs.items if isinstance(inputs, Map) else {}


def _is_inline(tree: Map, name: str) -> bool:
    child = tree.items[name]
    return isinstance(child, Map) and "component" not in child.items
