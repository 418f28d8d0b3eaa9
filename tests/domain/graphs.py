"""Random graphs of a few small components, some of them with mistakes, and with only the fields that graphs need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from creditml.model import (
    Command,
    Component,
    ComponentInput,
    ComponentOutput,
    Data,
    Job,
    JobInput,
    JobOutput,
    Literal,
    Node,
    Pipeline,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT, FOLDER = ComponentInput("string"), ComponentInput("uri_folder")
INPUTS = {
    "s": TEXT,
    "t": TEXT._replace(default=""),
    "u": TEXT._replace(optional=True),
    "d": FOLDER,
    "e": FOLDER._replace(optional=True),
}
COMMANDS = [
    Command("c", name="source", outputs={"x": ComponentOutput(), "y": ComponentOutput(mode="direct")}),
    Command("c", name="text", inputs={"s": TEXT, "t": INPUTS["t"], "u": INPUTS["u"]}),
    Command("c", name="pass_on", inputs={"d": FOLDER, "t": INPUTS["t"]}, outputs={"x": ComponentOutput("uri_file")}),
    Command("c", name="all", inputs=INPUTS, outputs={"x": ComponentOutput(), "y": ComponentOutput()}),
    Command(
        "c", name="could_do_without", inputs={"e": INPUTS["e"], "u": INPUTS["u"]}, outputs={"x": ComponentOutput()}
    ),
]
OUTPUTS = ("x", "z")


def reference(*words: str) -> str:
    return f"${{{{{'.'.join(('parent', *words))}}}}}"


@st.composite
def values(draw: st.DrawFn, kind: str, jobs: Mapping[str, Node], inputs: Mapping[str, ComponentInput]) -> JobInput:
    """A value of a type: a binding to an existing output, a text with such a binding, or a literal."""
    bindings = [reference("inputs", name) for name, spec in inputs.items() if spec.type == kind]
    for name, node in jobs.items():
        assert not isinstance(node.component, str)
        bindings += [
            reference("jobs", name, "inputs", key) for key, s in node.component.inputs.items() if s.type == kind
        ]
        if kind == "uri_folder":
            bindings += [reference("jobs", name, "outputs", key) for key in node.component.outputs] * 3
    own = Literal("v") if kind == "string" else Data("azureml:d:1", mode=draw(st.sampled_from([None, "direct"])))
    if not bindings:
        return own
    text = draw(st.sampled_from(bindings))
    forms = [Literal(text), Literal(text), Literal(text), own]
    if kind == "string":
        forms += [Literal(f"<{text}>"), Literal(text + draw(st.sampled_from(bindings)))]
    else:
        forms += [Literal(f"{text}/f"), Data(f"{text}/f", "uri_file", "download"), Literal(text, "download")]
    return draw(st.sampled_from(forms))


@st.composite
def stray_values(draw: st.DrawFn, jobs: Mapping[str, Node], inputs: Mapping[str, ComponentInput]) -> JobInput:
    """A value that may have the wrong type or refer to something that doesn't exist."""
    wrong = [
        "inputs.nope",
        "jobs.nope.outputs.x",
        "jobs.a.outputs.nope",
        "jobs.a",
        "outputs.x",
        "jobs..inputs.s",
        "name",
    ]
    return draw(
        st.one_of(
            values("string", jobs, inputs),
            values("uri_folder", jobs, inputs),
            st.sampled_from([Literal(reference(text)) for text in wrong]),
        )
    )


@st.composite
def pipelines(draw: st.DrawFn, name: str | None, library: list[Component], *, wild: bool) -> Pipeline:
    declared = draw(st.sets(st.sampled_from(sorted(INPUTS))))
    inputs = {key: spec for key, spec in INPUTS.items() if key in declared}
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=5, unique=True))
    jobs: dict[str, Node] = {}
    for label in names:
        component = draw(st.sampled_from(library))
        jobs[label] = Node(label, component, component.type)
    outputs: dict[str, ComponentOutput] = {}
    for number, (label, node) in enumerate(jobs.items()):
        known = jobs if wild else dict(list(jobs.items())[:number])
        jobs[label] = node._replace(inputs=draw(given(node, known, inputs, wild=wild)))
    for label, node in jobs.items():
        jobs[label] = draw(promoted(node, outputs, wild=wild))
    if wild and draw(st.booleans()):
        outputs["unbound"] = ComponentOutput()
    return Pipeline(
        {label: jobs[label] for label in draw(st.permutations(names))}, name, inputs=inputs, outputs=outputs
    )


@st.composite
def given(
    draw: st.DrawFn, node: Node, jobs: Mapping[str, Node], inputs: Mapping[str, ComponentInput], *, wild: bool
) -> dict[str, JobInput]:
    assert not isinstance(node.component, str)
    found: dict[str, JobInput] = {}
    for key, spec in node.component.inputs.items():
        needed = not spec.optional and spec.default is None
        certain = {name: s for name, s in inputs.items() if not needed or not s.optional}
        if wild and draw(st.integers(0, 9)) == 0:
            found[key] = draw(stray_values(jobs, inputs))
        elif needed or draw(st.booleans()):
            found[key] = draw(values(spec.type, jobs, certain))
    return found


@st.composite
def promoted(draw: st.DrawFn, node: Node, outputs: dict[str, ComponentOutput], *, wild: bool) -> Node:
    """A node, some of whose outputs become outputs of the pipeline, and are added to `outputs`."""
    assert not isinstance(node.component, str)
    settings: dict[str, JobOutput] = {}
    for key in [*node.component.outputs, *(["stray"] if wild and draw(st.integers(0, 5)) == 0 else [])]:
        free = [label for label in OUTPUTS if wild or label not in outputs]
        if free and draw(st.booleans()):
            label = draw(st.sampled_from(free))
            outputs[label] = ComponentOutput()
            mode = draw(st.sampled_from([None, "upload"]))
            settings[key] = JobOutput(
                mode=mode, name=draw(st.sampled_from([None, "asset"])), binding=reference("outputs", label)
            )
        elif draw(st.booleans()):
            settings[key] = JobOutput("mltable", mode="direct")
    return node._replace(outputs=settings)


@st.composite
def graph_jobs(draw: st.DrawFn) -> Job:
    """Pipeline jobs with pipelines in pipelines; half of them may have mistakes."""
    wild = draw(st.booleans())
    library: list[Component] = [*COMMANDS]
    for number in range(draw(st.integers(0, 2))):
        library.append(draw(pipelines(f"p{number}", [*library, *library[len(COMMANDS) :] * 3], wild=wild)))
    root = draw(pipelines(None, [*library, *library[len(COMMANDS) :] * 3], wild=wild))
    inputs: dict[str, JobInput] = {
        key: Literal("root")
        if spec.type == "string"
        else Data("azureml:root:1", mode=draw(st.sampled_from([None, "direct"])))
        for key, spec in root.inputs.items()
        if not spec.optional and (spec.default is None or draw(st.booleans()))
    }
    outputs = {
        key: JobOutput(mode=draw(st.sampled_from([None, "rw_mount"])), name=draw(st.sampled_from([None, "final"])))
        for key in root.outputs
    }
    return Job(Node("", root, "pipeline", inputs, outputs, compute="cpu"))
