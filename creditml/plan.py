"""Plans a checked `Job`: makes a flat list of steps with bound inputs, each step after the steps that it needs.

Nested pipelines are flattened; the path of a step joins the names of the nodes above it and its own by dots. Literal
inputs have their final text here, and an input that another step writes names that step and its output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Union

from creditml.expressions import Reference, parse, references, single
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

UNTOLD = Given(Literal("${{}}"))
"""In a draft, an input whose value can't be told because of a mistake that is reported elsewhere."""


class PlannedStep(NamedTuple):
    """One command to run. `origin` is the key path of its node; `inputs` holds only the inputs that have a value."""

    path: str
    node: Node
    component: Command
    inputs: Mapping[str, Bound]
    outputs: Mapping[str, JobOutput]
    origin: tuple[str, ...] = ()

    @property
    def resources(self) -> Mapping[str, Any]:
        """The `resources` of its component, overridden by those of its node."""
        return {**(self.component.resources or {}), **(self.node.resources or {})}

    def needs(self) -> Iterator[tuple[str, bool]]:
        """The path of each step whose output this step reads, and whether the input that reads it is optional."""
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
    return Plan(job, _in_order(graph.steps), graph.pipelines, outputs)


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

    def node(self, place: Place) -> None:
        """Let the node's type add its steps."""
        component = _resolved(place.node)
        node_type(component.type).plan(place, component, self)

    def step(self, place: Place, command: Command) -> None:
        """Add a node as one step."""
        self.steps[place.path] = PlannedStep(place.path, place.node, command, place.inputs, place.outputs, place.origin)

    def graph(self, place: Place) -> None:
        """Add the nodes of a graph, with their inputs bound."""
        component = _resolved(place.node)
        if place.path:
            self.pipelines[place.path] = place.node
        prefix = f"{place.path}." if place.path else ""
        origin = (*place.origin, "component") if place.path else ()
        scope = _Scope(self, component, place.inputs, prefix, origin)
        for name, child in (component.jobs or {}).items():
            if self.untold and isinstance(child.component, str):
                continue
            here = (*origin, "jobs", name)
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


def writer(graph: Component, output: str) -> tuple[str, str] | None:
    """The step that writes an output of a pipeline, and the name of the step's output.

    Returns:
        The step's path within the pipeline, and the output's name; None if no node writes it.
    """
    for node in (graph.jobs or {}).values():
        for name, settings in node.outputs.items():
            reference = single(settings.binding) if settings.binding else None
            if reference and reference.name == output and reference.parent and not reference.job:
                found = output_of(node, name)
                if found:
                    return found
    return None


def output_of(node: Node, output: str) -> tuple[str, str] | None:
    """The step that writes an output of a node, and the name of the step's output.

    Returns:
        The step's path within the pipeline that contains the node, and the output's name; None if the node has no such
        output or no step writes it.
    """
    if isinstance(node.component, str) or output not in node.component.outputs:
        return None
    if node.component.jobs is None:
        return node.name, output
    found = writer(node.component, output)
    return (f"{node.name}.{found[0]}", found[1]) if found else None


def only_optional(component: Component, name: str) -> bool:
    """Whether a pipeline's input is bound to optional inputs only; Azure ML then requires no value for it in a job.

    The SDK looks only at the last node that is bound to the input. Here all of them count, because an earlier node
    that requires the input would fail without a value.
    """
    specs = [
        None if isinstance(node.component, str) else node.component.inputs.get(key)
        for node in (component.jobs or {}).values()
        for key, value in node.inputs.items()
        for reference in references(value.value if isinstance(value, Literal) else value.path)
        if reference.parent and not reference.job and reference.name == name
    ]
    return bool(specs) and all(spec and spec.optional for spec in specs)


def _in_order(steps: Mapping[str, PlannedStep]) -> dict[str, PlannedStep]:
    """Sort steps topologically, and in the order of the file where there is a choice."""
    waiting = {path: [need for need, _ in step.needs()] for path, step in steps.items()}
    order: list[str] = []
    left = unordered(waiting, order)
    if left:
        raise Cycle(find_cycle(left))
    return {path: steps[path] for path in order}


def unordered(waiting: Mapping[str, list[str]], order: list[str] | None = None) -> dict[str, list[str]]:
    """Find the steps that can't be sorted because they are part of a cycle or wait for one.

    Args:
        waiting: The steps that each step waits for.
        order: A list to which all other steps are appended, sorted.

    Returns:
        The entries of `waiting` that are left.
    """
    count = {path: len(set(needs)) for path, needs in waiting.items()}
    users: dict[str, list[str]] = {}
    for path, needs in waiting.items():
        for need in set(needs):
            users.setdefault(need, []).append(path)
    names = dict.fromkeys([*waiting, *users])
    ready = [path for path in names if not count.get(path)]
    done = set(ready)
    for path in ready:
        for user in users.get(path, ()):
            count[user] -= 1
            if not count[user]:
                ready.append(user)
                done.add(user)
    if order is not None:
        order += ready
    return {path: needs for path, needs in waiting.items() if path not in done}


def find_cycle(waiting: Mapping[str, list[str]]) -> list[str]:
    """One cycle of a graph in which every node waits for another; its first node is repeated at the end."""
    seen: dict[str, int] = {}
    path = next(iter(waiting))
    trail: list[str] = []
    while path not in seen:
        seen[path] = len(trail)
        trail.append(path)
        path = next(need for need in waiting[path] if need in waiting)
    return [*trail[seen[path] :], path]
