"""Random valid jobs for property tests: jobs that the reader could have read, and in which the check finds no error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from generated_parts import (
    COMPONENT_NAMES,
    DECLARED_INPUTS,
    FILE,
    FOLDER,
    IDENTITIES,
    INPUT_NAMES,
    KEY,
    LITERAL_TEXTS,
    MAYBE,
    NODE_NAMES,
    OTHER_TEXTS,
    OUTPUT_NAMES,
    PLAIN,
    SERVICES,
    TEXT,
    bodies,
    command_components,
    commands,
    labels,
    present,
    run_settings,
    some,
)
from hypothesis import strategies as st

from creditml.model import (
    ASSET_TYPES,
    LITERAL_TYPES,
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
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Source(NamedTuple):
    """Something that an input can be bound to: the binding, its type, and whether it always has a value."""

    binding: str
    type: str
    certain: bool = True


@st.composite
def data(draw: st.DrawFn, kind: str) -> Data:
    modes = ["ro_mount", "download", "direct", *(["eval_mount", "eval_download"] if kind == "mltable" else [])]
    return Data(
        draw(
            st.sampled_from(
                [
                    FOLDER,
                    FILE,
                    "azureml:d:1",
                    "azureml:d@latest",
                    "https://example.com/a.csv",
                    "azureml://datastores/w/paths/a b",
                ]
            )
        ),
        kind,
        draw(some(st.sampled_from(modes))),
        draw(some(TEXT, 3)),
        draw(some(TEXT, 3)),
    )


@st.composite
def bound(draw: st.DrawFn, spec: ComponentInput, sources: list[Source]) -> JobInput | None:
    """A binding for an input, or None if no source has the right type."""
    literal = spec.type in LITERAL_TYPES
    needed = not spec.optional and spec.default is None
    whole = [
        s for s in sources if (s.type == spec.type if literal else s.type in ASSET_TYPES) and (s.certain or not needed)
    ]
    parts = [s for s in sources if s.certain and (s.type in LITERAL_TYPES if literal else s.type in ASSET_TYPES)]
    if spec.type == "string" and parts and draw(st.integers(0, 3)) == 0:
        pieces = [
            piece
            for source in draw(st.lists(st.sampled_from(parts), min_size=1, max_size=2))
            for piece in (draw(TEXT), source.binding)
        ]
        return Literal("".join([*pieces, "."]))
    if not literal and parts and draw(st.integers(0, 3)) == 0:
        path = draw(st.sampled_from(parts)).binding + draw(st.sampled_from(["/a.csv", "/sub/b c"]))
        return draw(st.sampled_from([Literal(path), Data(path, spec.type), Data(path, "uri_file", "download")]))
    if not whole:
        return None
    binding = draw(st.sampled_from(whole)).binding
    return (
        Literal(binding)
        if literal
        else Literal(binding, draw(some(st.sampled_from(["ro_mount", "download", "direct"]), 2)))
    )


@st.composite
def given_inputs(
    draw: st.DrawFn, declared: Mapping[str, ComponentInput], sources: list[Source], *, implied: bool = False
) -> dict[str, JobInput]:
    """A value for every input that needs one, and for some of the others.

    `implied`: whether the types of the inputs are given only by their values.
    """
    values: dict[str, JobInput] = {}
    for name, spec in declared.items():
        if (spec.optional or spec.default is not None) and draw(st.booleans()):
            continue
        value = draw(bound(spec, sources)) if sources and draw(st.integers(0, 3)) else None
        if value is None and spec.type in LITERAL_TYPES:
            texts = LITERAL_TEXTS[spec.type]
            value = Literal(draw(texts if implied else st.one_of(texts, st.sampled_from(OTHER_TEXTS[spec.type]))))
        elif value is None:
            value = draw(data(draw(st.sampled_from(ASSET_TYPES))))
        values[name] = value
    return values


@st.composite
def job_outputs(draw: st.DrawFn) -> JobOutput:
    name = draw(some(st.sampled_from(["my-asset", "Model_2"])))
    return JobOutput(
        draw(some(st.sampled_from(ASSET_TYPES))),
        draw(some(st.sampled_from(["azureml://datastores/w/paths/${{name}}/x", "azureml://datastores/w/paths/a"]), 2)),
        draw(some(st.sampled_from(["upload", "rw_mount", "direct"]))),
        name,
        draw(some(TEXT)) if name else None,
    )


@st.composite
def inline_nodes(draw: st.DrawFn, name: str, sources: list[Source]) -> Node:
    """A command that is defined inline in a node: its inputs and outputs have the types of their values."""
    inputs: dict[str, JobInput] = {}
    declared: dict[str, ComponentInput] = {}
    certain = [source for source in sources if source.certain]
    for key in draw(st.lists(st.sampled_from(INPUT_NAMES), max_size=3, unique=True)):
        source = draw(some(st.sampled_from(certain))) if certain else None
        kind = source.type if source else draw(st.sampled_from([*LITERAL_TYPES, *ASSET_TYPES]))
        if source:
            inputs[key] = Literal(source.binding)
        else:
            inputs[key] = Literal(draw(LITERAL_TEXTS[kind])) if kind in LITERAL_TYPES else draw(data(kind))
        declared[key] = ComponentInput(kind)
    outputs = draw(st.dictionaries(st.sampled_from(OUTPUT_NAMES), job_outputs(), max_size=2))
    written = {key: ComponentOutput(output.type or "uri_folder") for key, output in outputs.items()}
    component = Command(draw(commands(declared, written)), inputs=declared, outputs=written, **draw(bodies()))
    return Node(name, component, inputs=inputs, outputs=outputs, **draw(labels()), **draw(run_settings()))


@st.composite
def component_nodes(draw: st.DrawFn, name: str, library: list[Component], sources: list[Source]) -> Node:
    component = draw(st.sampled_from(library))
    inputs = draw(given_inputs(component.inputs, sources))
    outputs = {key: draw(job_outputs()) for key in component.outputs if draw(st.booleans())}
    comment = present(comment=draw(some(TEXT, 3)))
    if isinstance(component, Pipeline):
        return Node(name, component, "pipeline", inputs, outputs, **comment, **draw(labels()))
    return Node(name, component, "command", inputs, outputs, **comment, **draw(labels()), **draw(run_settings()))


def sources_of(node: Node) -> list[Source]:
    """What other nodes can take from a node."""
    assert not isinstance(node.component, str)
    outputs = node.component.outputs.items()
    return [Source(f"${{{{parent.jobs.{node.name}.outputs.{name}}}}}", spec.type) for name, spec in outputs]


def parent_sources(inputs: Mapping[str, ComponentInput]) -> list[Source]:
    """What nodes can take from their pipeline."""
    return [
        Source(f"${{{{parent.inputs.{name}}}}}", spec.type, not spec.optional or spec.default is not None)
        for name, spec in inputs.items()
    ]


@st.composite
def graphs(draw: st.DrawFn, inputs: Mapping[str, ComponentInput], library: list[Component]) -> dict[str, Node]:
    """Nodes bound to each other and to the pipeline, in an order that may differ from that of execution."""
    sources, nodes = parent_sources(inputs), []
    for name in draw(st.lists(st.sampled_from(NODE_NAMES), min_size=1, max_size=4, unique=True)):
        node = draw(
            component_nodes(name, library, sources)
            if library and draw(st.integers(0, 2))
            else inline_nodes(name, sources)
        )
        nodes.append(node)
        sources += sources_of(node)
    return {node.name: node for node in draw(st.permutations(nodes))}


@st.composite
def promoted(draw: st.DrawFn, nodes: dict[str, Node]) -> tuple[dict[str, Node], dict[str, ComponentOutput]]:
    """Some of the nodes' outputs as outputs of the pipeline."""
    outputs: dict[str, ComponentOutput] = {}
    changed = dict(nodes)
    for name, node in nodes.items():
        assert not isinstance(node.component, str)
        for key, spec in node.component.outputs.items():
            if len(outputs) < len(OUTPUT_NAMES) and draw(st.booleans()):
                inline = node.component.name is None and isinstance(node.component, Command)
                kind = spec.type
                label = OUTPUT_NAMES[len(outputs)]
                outputs[label] = ComponentOutput(kind)
                binding = JobOutput(
                    None if inline else draw(some(st.just(kind), 2)),
                    mode=draw(some(st.just("upload"), 2)),
                    name=draw(some(st.just("step-asset"), 3)),
                    binding=f"${{{{parent.outputs.{label}}}}}",
                )
                node = node._replace(outputs={**node.outputs, key: binding})  # noqa: PLW2901  the nodes are changed one after the other
        changed[name] = node
    return changed, outputs


@st.composite
def pipeline_components(draw: st.DrawFn, name: str | None, library: list[Component]) -> Pipeline:
    inputs = draw(DECLARED_INPUTS)
    nodes, outputs = draw(promoted(draw(graphs(inputs, library))))
    outputs = {key: spec._replace(description=draw(MAYBE)) for key, spec in outputs.items()}
    return Pipeline(
        nodes, name, draw(MAYBE), is_deterministic=draw(st.booleans()), inputs=inputs, outputs=outputs, **draw(labels())
    )


@st.composite
def libraries(draw: st.DrawFn) -> list[Component]:
    """Components that nodes share; later ones are pipelines of earlier ones."""
    names = draw(st.lists(COMPONENT_NAMES, max_size=4))
    library: list[Component] = []
    for name in names:
        kind = pipeline_components(name, list(library)) if draw(st.booleans()) else command_components(name)
        library.append(draw(kind))
    return library


@st.composite
def heads(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": draw(some(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}", fullmatch=True))),
        "experiment_name": draw(MAYBE),
    }


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    known = set(Settings._fields)
    others = st.dictionaries(KEY.filter(lambda key: key not in known), PLAIN, max_size=2)
    return Settings(
        draw(some(st.sampled_from(["serverless", "azureml:cpu"]))),
        draw(some(st.just("azureml:store"))),
        draw(some(st.booleans())),
        draw(some(st.booleans())),
        draw(others),
    )


@st.composite
def pipeline_jobs(draw: st.DrawFn) -> Job:
    library = draw(libraries())
    common = {
        **draw(labels()),
        **present(
            compute=draw(some(st.just("azureml:cpu"))),
            services=draw(some(SERVICES, 3)),
            identity=draw(some(IDENTITIES, 3)),
        ),
    }
    pipelines = [component for component in library if isinstance(component, Pipeline)]
    if pipelines and draw(st.integers(0, 3)) == 0:
        component = draw(st.sampled_from(pipelines))
        inputs = draw(given_inputs(component.inputs, []))
        outputs = {key: draw(job_outputs()) for key in component.outputs if draw(st.booleans())}
    else:
        component, inputs, outputs = draw(roots(library))
    root = Node("", component, "pipeline", inputs, outputs, **common)
    return Job(root, settings=draw(settings()), **draw(heads()))


@st.composite
def roots(draw: st.DrawFn, library: list[Component]) -> tuple[Pipeline, dict[str, JobInput], dict[str, JobOutput]]:
    """A pipeline that is defined in the job itself: its inputs and outputs have the types of the job's values."""
    names = draw(st.sets(st.sampled_from(INPUT_NAMES)))
    declared = {name: ComponentInput(draw(st.sampled_from([*LITERAL_TYPES, *ASSET_TYPES]))) for name in sorted(names)}
    inputs = draw(given_inputs(declared, [], implied=True))
    declared |= {name: ComponentInput(value.type) for name, value in inputs.items() if isinstance(value, Data)}
    nodes, promoted_outputs = draw(promoted(draw(graphs(declared, library))))
    outputs = {}
    for name, spec in promoted_outputs.items():
        output = draw(job_outputs())
        outputs[name] = output._replace(
            type=spec.type if spec.type != "uri_folder" else draw(st.sampled_from([None, "uri_folder"]))
        )
    return Pipeline(nodes, inputs=declared, outputs=promoted_outputs), inputs, outputs


@st.composite
def command_jobs(draw: st.DrawFn) -> Job:
    node = draw(inline_nodes("", []))
    inputs = {name: value for name, value in node.inputs.items() if "." not in name}
    assert isinstance(node.component, Command)
    declared = {name: node.component.inputs[name] for name in inputs}
    component = node.component._replace(inputs=declared, command=draw(commands(declared, node.component.outputs)))
    head = draw(heads())
    if head.get("name"):
        head["name"] = head["name"].lower()  # Azure ML's clients change the names of command jobs in the same way
    return Job(node._replace(inputs=inputs, component=component), **head)


def jobs() -> st.SearchStrategy[Job]:
    """Valid jobs of every form."""
    return st.one_of(pipeline_jobs(), pipeline_jobs(), pipeline_jobs(), command_jobs())


@st.composite
def components(draw: st.DrawFn) -> Component:
    """Components that can be registered."""
    library = draw(libraries())
    return draw(st.one_of(command_components("train_model"), pipeline_components("train_model", library)))
