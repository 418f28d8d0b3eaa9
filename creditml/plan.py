"""Plans a checked `Job`: makes a flat list of steps with bound inputs, each step after the steps that it needs.

Nested pipelines are flattened; the path of a step joins the names of the nodes above it and its own by dots. Literal
inputs have their final text here, and an input that another step writes names that step and its output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Union

from creditml.expressions import Reference, parse, references, single
from creditml.graph import find_cycle, output_of, unordered, writer
from creditml.model import (
    LITERAL_TYPES,
    Command,
    Component,
    ComponentInput,
    Data,
    Job,
    JobInput,
    JobOutput,
    Literal,
    Node,
)
from creditml.nodes.table import node_type
from creditml.nodes.types import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Given(NamedTuple):
    """An input whose value stands in the job. `origin` is the key path of the value."""

    value: JobInput
    origin: tuple[str, ...] = ()


class Produced(NamedTuple):
    """An input that is the output of another step; `suffix` is a path within that output."""

    step: str
    output: str
    suffix: str = ""
    mode: str | None = None


Bound = Union[Given, Produced]

VARIABLES = "environment_variables"
SETTINGS = (VARIABLES, "limits", "resources", "distribution", "queue_settings")
"""The settings of a node that may be bound to inputs of its pipeline."""
UNTOLD = Given(Literal("${{}}"))
"""In a draft, an input whose value can't be told because of a mistake that is reported elsewhere."""


class PlannedStep(NamedTuple):
    """One command to run.

    Attributes:
        path: The names of its node and of the nodes above it, joined by dots.
        node: Its node.
        component: The command.
        inputs: Its inputs that have a value.
        outputs: The settings of its outputs.
        origin: The key path of its node.
        after: Steps that it waits for without reading their outputs, and whether it runs even if they fail.
    """

    path: str
    node: Node
    component: Command
    inputs: Mapping[str, Bound]
    outputs: Mapping[str, JobOutput]
    origin: tuple[str, ...] = ()
    after: tuple[tuple[str, bool], ...] = ()

    @property
    def resources(self) -> Mapping[str, Any]:
        """The `resources` of its component, overridden by those of its node."""
        return {**(self.component.resources or {}), **(self.node.resources or {})}

    def needs(self) -> Iterator[tuple[str, bool]]:
        """The path of each step that this step waits for, and whether it can run if that step fails."""
        yield from self.after
        for name, value in self.inputs.items():
            if isinstance(value, Produced):
                spec = self.component.inputs.get(name)
                yield value.step, bool(spec and spec.optional)


class Plan(NamedTuple):
    """A job, ready to be run.

    Attributes:
        job: The job.
        steps: Its steps by their paths, each after the steps that it needs.
        pipelines: The nodes of the nested pipelines, by their paths.
        outputs: The step's output behind each output of the job.
    """

    job: Job
    steps: Mapping[str, PlannedStep]
    pipelines: Mapping[str, Node]
    outputs: Mapping[str, Produced]


class Cycle(Exception):
    """Steps wait for each other; `paths` lists them in the order of waiting, with the first one again at the end."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        super().__init__(" -> ".join(paths))


def plan(job: Job) -> Plan:
    """Plan a job that has no errors and no unresolved references.

    Raises:
        Cycle: steps wait for each other.
    """
    root = job.root
    component = _resolved(root)
    inputs: dict[str, Bound] = {name: Given(value, ("inputs", name)) for name, value in root.inputs.items()}
    graph = _Flattener()
    # an output of a pipeline job may leave its type to the node that writes it
    own = _outputs(root, {}) if component.jobs is None else root.outputs
    graph.node(Place("", root, _with_defaults(component.inputs, inputs), own))
    if component.jobs is None:
        outputs = {name: Produced("", name) for name in component.outputs}
    else:
        written = {name: writer(component, name) for name in component.outputs}
        outputs = {name: Produced(*found) for name, found in written.items() if found}
    steps = _first_and_last(graph.steps, job.settings.others) if job.settings.others else graph.steps
    return Plan(job, _in_order(steps), graph.pipelines, outputs)


def draft(job: Job) -> Plan:
    """Plan what can be planned of a job with errors, for checks that don't depend on these errors.

    The steps are not sorted. Nodes whose component is unknown are left out, and inputs whose value can't be told are
    `UNTOLD`. The component of the job itself must be known.
    """
    root = job.root
    component = _resolved(root)
    inputs: dict[str, Bound] = {name: Given(value, ("inputs", name)) for name, value in root.inputs.items()}
    graph = _Flattener(UNTOLD)
    own = _outputs(root, {}) if component.jobs is None else root.outputs
    graph.node(Place("", root, _with_defaults(component.inputs, inputs), own))
    return Plan(job, graph.steps, graph.pipelines, {})


class _Flattener:
    """Collects the steps of all nested graphs; implements `creditml.nodes.types.Planning`.

    Args:
        untold: What an input is bound to if its value can't be told: `UNTOLD` in a draft; None in a plan, whose job has
            no errors.
    """

    def __init__(self, untold: Bound | None = None) -> None:
        self.steps: dict[str, PlannedStep] = {}
        self.pipelines: dict[str, Node] = {}
        self.untold = untold
        self._after: dict[str, tuple[tuple[str, bool], ...]] = {}

    def node(self, place: Place) -> None:
        """Let the node's type add its steps."""
        component = _resolved(place.node)
        node_type(component.type).plan(place, component, self)

    def step(self, place: Place, command: Command) -> None:
        """Add a node as one step."""
        after = self._after.get(place.path, ())
        self.steps[place.path] = PlannedStep(
            place.path, place.node, command, place.inputs, place.outputs, place.origin, after
        )

    def graph(self, place: Place) -> None:
        """Add the nodes of a graph, with their inputs bound."""
        component = _resolved(place.node)
        if place.path:
            self.pipelines[place.path] = place.node
        prefix = f"{place.path}." if place.path else ""
        origin = (*place.origin, "component") if place.path else ()
        scope = _Scope(self, component, place.inputs, prefix, origin)
        after = (*self._after.get(place.path, ()), *(_unused(component, place.inputs) if place.path else ()))
        for name, child in (component.jobs or {}).items():
            if self.untold and isinstance(child.component, str):
                continue
            here = (*origin, "jobs", name)
            self._after[prefix + name] = after
            child = scope.settled(child)  # noqa: PLW2901  the same node, with the values of its settings
            bound = _with_defaults(_resolved(child).inputs, scope.inputs(child, here))
            self.node(Place(prefix + name, child, bound, _outputs(child, place.outputs), here))


def _resolved(node: Node) -> Component:
    assert not isinstance(node.component, str)  # noqa: S101  references are resolved before planning
    return node.component


class _Scope:
    """Resolves the bindings in the nodes of one pipeline."""

    def __init__(
        self, graph: _Flattener, pipeline: Component, inputs: Mapping[str, Bound], prefix: str, origin: tuple[str, ...]
    ) -> None:
        self.graph, self.pipeline, self.given, self.prefix, self.origin = graph, pipeline, inputs, prefix, origin
        self._untold, self._following = graph.untold, set[tuple[str, str]]()

    def inputs(self, node: Node, here: tuple[str, ...]) -> dict[str, Bound]:
        declared = node.component.inputs if not isinstance(node.component, str) else {}
        bound = {}
        for name, value in node.inputs.items():
            if name in declared:
                found = self.bind(value, (*here, "inputs", name))
                if found is not None:
                    bound[name] = found
        return bound

    def settled(self, node: Node) -> Node:
        """The node with values in place of the bindings in its settings. Bindings without a text stay unchanged."""
        changes = {}
        for field in SETTINGS:
            value = getattr(node, field)
            if value and "${{" in str(value):
                changes[field] = self._settled(value, numbers=field != VARIABLES)
        variables = changes.get(VARIABLES)
        if isinstance(variables, str):
            changes[VARIABLES] = _variables(variables)
        return node._replace(**changes) if changes else node

    def _settled(self, value: Any, *, numbers: bool) -> Any:  # of the same kind as the value
        if isinstance(value, str) and "${{" in value:
            text = "".join(self._text(part) if isinstance(part, Reference) else part for part in parse(value))
            return int(text) if numbers and text.isdecimal() else text
        if isinstance(value, dict):
            return {key: self._settled(inner, numbers=numbers) for key, inner in value.items()}
        return [self._settled(inner, numbers=numbers) for inner in value] if isinstance(value, list) else value

    def _text(self, reference: Reference) -> str:
        found = self._value(reference) if reference.parent and reference.name else None
        if isinstance(found, Given) and found is not UNTOLD and isinstance(found.value, Literal):
            return found.value.value
        return reference.text

    def bind(self, value: JobInput, here: tuple[str, ...]) -> Bound | None:  # noqa: PLR0911  one per kind of value
        if isinstance(value, Data):
            if "${{" not in value.path:
                return Given(value, here)
            return self._joined(value.path, value, here)
        if "${{" not in value.value:
            return Given(value, here)
        reference = single(value.value)
        if reference is None:
            return self._joined(value.value, value, here)
        found = self._value(reference)
        if found is None or found is UNTOLD or value.mode is None:
            return found
        if isinstance(found, Produced):
            return found._replace(mode=value.mode)
        return found._replace(value=found.value._replace(mode=value.mode))

    def _value(self, reference: Reference) -> Bound | None:
        if not reference.job:
            spec = self.pipeline.inputs.get(reference.name)
            return self.given.get(reference.name, None if spec and spec.optional else self._untold)
        node = (self.pipeline.jobs or {}).get(reference.job)
        if node is None or not reference.name:
            return self._untold
        if reference.kind == "outputs":
            written = output_of(node, reference.name)
            return Produced(self.prefix + written[0], written[1]) if written else self._untold
        return self._of_input(node, reference.name)

    def _of_input(self, node: Node, name: str) -> Bound | None:
        """The value of another node's input."""
        value = node.inputs.get(name)
        if (node.name, name) in self._following:  # inputs that take their values from each other
            return self._untold
        self._following.add((node.name, name))
        bound = None if value is None else self.bind(value, (*self.origin, "jobs", node.name, "inputs", name))
        self._following.discard((node.name, name))
        if bound is None:
            spec = node.component.inputs.get(name) if not isinstance(node.component, str) else None
            absent = self._untold if value is None else None
            return Given(Literal(spec.default)) if spec and spec.default is not None else absent
        return bound

    def _joined(self, text: str, value: JobInput, here: tuple[str, ...]) -> Bound | None:
        """Resolve a text that contains bindings (`${{parent.inputs.folder}}/a.csv`); None if a binding has no value."""
        before, data = "", None
        for part in parse(text):
            found = self._value(part) if isinstance(part, Reference) else Given(Literal(part))
            if found is None or found is UNTOLD:
                return found
            if isinstance(found, Given) and isinstance(found.value, Literal):
                before += found.value.value
            elif not before and data is None:
                data = found
        if isinstance(data, Produced):
            return data._replace(suffix=data.suffix + before, mode=value.mode or data.mode)
        if data is not None and isinstance(data.value, Data):
            path = data.value.path + before
            kind = value.type if isinstance(value, Data) else data.value.type
            return Given(data.value._replace(path=path, type=kind, mode=value.mode or data.value.mode), data.origin)
        return Given(value._replace(path=before) if isinstance(value, Data) else value._replace(value=before), here)


def _variables(text: str) -> Mapping[str, str] | str:
    """Environment variables that are given as one input: a JSON object. Any other text is returned unchanged."""
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return text
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else text


def _with_defaults(declared: Mapping[str, ComponentInput], given: Mapping[str, Bound]) -> Mapping[str, Bound]:
    """The declared inputs that have a value or a default, in the order of their declaration."""
    bound: dict[str, Bound] = {}
    for name, spec in declared.items():
        if name in given:
            bound[name] = given[name]
        elif spec.default is not None:
            bound[name] = Given(Literal(spec.default) if spec.type in LITERAL_TYPES else Data(spec.default, spec.type))
    return bound


def _outputs(node: Node, parent: Mapping[str, JobOutput]) -> dict[str, JobOutput]:
    """The settings of each declared output. An output bound to the pipeline's output takes the latter's settings."""
    merged = {}
    declared = node.component.outputs if not isinstance(node.component, str) else {}
    for name, spec in declared.items():
        own = node.outputs.get(name, JobOutput())
        reference = single(own.binding) if own.binding else None
        above = parent.get(reference.name) if reference else None
        if above is not None:
            own = JobOutput(*(a if a is not None else b for a, b in zip(above, own, strict=True)))
        # a node may change the declared type of its output, except uri_file (the SDK sets that type back)
        kind = spec.type if spec.type == "uri_file" else own.type or spec.type
        merged[name] = own._replace(type=kind, mode=own.mode or spec.mode, binding=None)
    return merged


def _unused(component: Component, inputs: Mapping[str, Bound]) -> Iterator[tuple[str, bool]]:
    """The steps that a pipeline waits for because of inputs that no node in it uses."""
    produced = {name: value for name, value in inputs.items() if isinstance(value, Produced)}
    if produced:
        values = (value for node in (component.jobs or {}).values() for value in node.inputs.values())
        texts = (value.path if isinstance(value, Data) else value.value for value in values)
        used = {found.name for text in texts for found in references(text) if found.parent and not found.job}
        yield from (
            (value.step, component.inputs[name].optional) for name, value in produced.items() if name not in used
        )


def _first_and_last(steps: Mapping[str, PlannedStep], settings: Mapping[str, Any]) -> Mapping[str, PlannedStep]:
    """Let all steps wait for the node `on_init`, and the node `on_finalize` for all steps, even failed ones."""
    first, last = (str(settings.get(key) or "") for key in ("on_init", "on_finalize"))
    node_of = {path: path.partition(".")[0] for path in steps}
    before = tuple((path, False) for path, node in node_of.items() if node == first)
    others = tuple((path, True) for path, node in node_of.items() if node != last)
    waits = {path: others if node == last else before for path, node in node_of.items() if node != first}
    return {path: step._replace(after=(*step.after, *waits.get(path, ()))) for path, step in steps.items()}


def _in_order(steps: Mapping[str, PlannedStep]) -> dict[str, PlannedStep]:
    """Sort steps topologically, and in the order of the file where there is a choice."""
    waiting = {path: [need for need, _ in step.needs()] for path, step in steps.items()}
    order: list[str] = []
    left = unordered(waiting, order)
    if left:
        raise Cycle(find_cycle(left))
    return {path: steps[path] for path in order}
