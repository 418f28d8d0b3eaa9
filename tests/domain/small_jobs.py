"""Small jobs of a few components, for tests of the check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.model import Command, ComponentInput, ComponentOutput, Job, Literal, Node, Pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT, FOLDER = ComponentInput("string"), ComponentInput("uri_folder")
ONE_OUTPUT = {"out": ComponentOutput()}
SHOW = Command(
    "echo ${{inputs.text}} ${{inputs.data}} > ${{outputs.out}}",
    name="show",
    inputs={
        "text": TEXT._replace(default="x"),
        "data": FOLDER._replace(optional=True),
        "n": ComponentInput("integer", default="1", max="9"),
    },
    outputs=ONE_OUTPUT,
)
NEED = Command("c", name="need", inputs={"r": TEXT, "o": TEXT._replace(optional=True)}, outputs=ONE_OUTPUT)


def node(name: str = "a", component: Any = SHOW, outputs: Any = None, **inputs: str) -> Node:
    kind = "pipeline" if isinstance(component, Pipeline) else "command"
    return Node(name, component, kind, {key: Literal(value) for key, value in inputs.items()}, outputs or {})


def pipeline(*nodes: Node, name: str | None = "inner", inputs: Any = None, outputs: Sequence[str] = ()) -> Pipeline:
    jobs = {child.name: child for child in nodes}
    return Pipeline(jobs, name, inputs=inputs or {}, outputs=dict.fromkeys(outputs, ComponentOutput()))


def job(*nodes: Node, inputs: Any = None, outputs: Sequence[str] = (), **values: str) -> Job:
    component = pipeline(*nodes, name=None, inputs=inputs, outputs=outputs)
    given = {key: Literal(value) for key, value in values.items()}
    return Job(Node("", component, "pipeline", given, compute="cpu"))


def nested(*nodes: Node, inputs: Any = None, outputs: Sequence[str] = (), **values: str) -> Node:
    return node("s", pipeline(*nodes, inputs=inputs, outputs=outputs), **values)
