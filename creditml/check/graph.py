"""Checks the graph of a job: nodes against their components, and bindings against the inputs and outputs they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.check.commands import BASH_FAILS, in_command
from creditml.check.outputs import promoted, unbound
from creditml.check.values import article, group, number, required
from creditml.errors import MEANT_BY, near_miss
from creditml.expressions import Reference, leftovers, references, single
from creditml.graph import find_cycle, leaves, only_optional, output_of, unordered
from creditml.model import (
    ASSET_TYPES,
    LITERAL_TYPES,
    Command,
    Component,
    ComponentInput,
    JobInput,
    Literal,
    Node,
)
from creditml.nodes.table import node_type
from creditml.plan import SETTINGS, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.check.values import Values
    from creditml.findings import Findings

_PROCESS_COUNTS = ("process_count_per_instance", "worker_count")
_DATA_ONLY_MODES = ("eval_mount", "eval_download")


class _Taker(NamedTuple):
    """An input of a node: its declaration, if its component has one, its value, and the key path of the value."""

    spec: ComponentInput | None
    value: JobInput
    path: tuple[str, ...]


class Graph:
    """Checks a job's graph and adds problems to `findings`; implements `creditml.nodes.types.Checking`."""

    def __init__(self, findings: Findings, values: Values) -> None:
        self.findings, self._values = findings, values
        self._components: set[int] = set()

    def root(self) -> None:
        """Check the job's root node and all nodes below it."""
        node = self.findings.job.root
        component = node.component
        if isinstance(component, str):
            return
        self._given(node, component, ())
        for name, value in node.inputs.items():
            text = value.value if isinstance(value, Literal) else value.path
            if "${{" in text:
                self.findings.error(
                    ("inputs", name), f"{text} can't be resolved: a job has no parent, so its inputs must be values."
                )
        self.component(component, ("component",))
        kind = node_type(component.type)
        kind.check_node(node, component, (), self)
        kind.check_job(self.findings.job, self)

    def component(self, component: Component, path: tuple[str, ...]) -> None:
        """Check a component, unless it was checked before for another node."""
        if id(component) in self._components:
            return
        self._components.add(id(component))
        for name, spec in component.inputs.items():
            self._declared(spec, (*path, "inputs", name))
        node_type(component.type).check_component(component, path, self)

    # -- the operations of `creditml.nodes.types.Checking`

    def command(self, component: Command, path: tuple[str, ...]) -> None:
        """Check a command template against the inputs and outputs of its component."""
        in_command(self.findings, component, path)

    def processes(self, node: Node, component: Command, path: tuple[str, ...]) -> None:
        """Warn if a node asks for several processes or machines, since it runs as one process on this machine."""
        resources = node.resources or component.resources or {}
        distribution = node.distribution or component.distribution or {}
        counts = [resources.get("instance_count"), *(distribution.get(key) for key in _PROCESS_COUNTS)]
        if any(isinstance(count, int) and count > 1 for count in counts):
            key = "distribution" if distribution else "resources"
            message = "On this machine it runs as one process on one node, with the variables of rank 0."
            self.findings.warn((*path, key), message)

    def graph(self, component: Component, path: tuple[str, ...]) -> None:
        """Check the nodes of a graph, and the bindings between them."""
        jobs = component.jobs or {}
        if not jobs and not self._any_node(path):
            self.findings.error((*path, "jobs"), "The pipeline has no jobs.")
        waiting: dict[str, dict[str, str]] = {}
        taken: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for name, node in jobs.items():
            here = (*path, "jobs", name)
            known = None if isinstance(node.component, str) else node.component
            for key, value in node.inputs.items():
                taker = _Taker(known.inputs.get(key) if known else None, value, (*here, "inputs", key))
                for reference in self._bindings(component, taker):
                    if reference.job in jobs and reference.kind == "outputs":
                        waiting.setdefault(name, {})[reference.job] = key
                    elif reference.job in jobs:
                        taken.setdefault((name, key), []).append((reference.job, reference.name))
            for keys, text in _bound_settings(node):
                for reference in references(text):
                    self._binding(reference, component, _Taker(None, Literal(text), (*here, *keys)))
            promoted(self.findings, node, component, here)
            if known:
                self._given(node, known, here)
                node_type(known.type).check_node(node, known, here, self)
                self.component(known, (*here, "component"))
        self._cycles(waiting, path)
        self._taken_in_turn(taken, path)
        unbound(self.findings, component, path, whole=self._nodes_read(component, path))

    def computes(self, node: Node) -> None:
        """Check that a compute is set for each step of a job's graph."""
        component = node.component
        if node.compute or self.findings.job.settings.default_compute or isinstance(component, str):
            return
        jobs = component.jobs or {}
        missing = [name for name, child in jobs.items() if any(leaf.compute is None for leaf in leaves(child))]
        if missing:
            shown = 3
            others = " and others" if len(missing) > shown else ""
            self.findings.warn(
                ("jobs", missing[0]),
                f"No compute is set for {', '.join(missing[:shown])}{others}, and Azure ML requires one. "
                "Add 'settings: {default_compute: serverless}'.",
                refused=True,
            )

    # -- nodes

    def _given(self, node: Node, component: Component, path: tuple[str, ...]) -> None:
        """Check the inputs and outputs that a node sets against those that its component declares."""
        for name, spec in component.inputs.items():
            missing = (
                name not in node.inputs
                and not group(name, node.inputs)
                and not self.findings.unread(*path, "inputs", name)
            )
            if missing and required(spec) and (path or not self._inferred_optional(component, name)):
                self.findings.error(
                    (*path, "inputs"),
                    f"The required input '{name}' ({spec.type}) is missing.{self._hint(name, node, component)}",
                )
        for name in node.inputs:
            if name not in component.inputs and not self.findings.unread(*path, "component", "inputs", name):
                hint = near_miss(name, component.inputs) or f" It has: {', '.join(component.inputs) or 'none'}."
                self.findings.warn(
                    (*path, "inputs", name), f"The component has no input '{name}'; Azure ML ignores it.{hint}"
                )
        for name in node.outputs:
            if name not in component.outputs and not self.findings.unread(*path, "component", "outputs", name):
                hint = near_miss(name, component.outputs) or f" It has: {', '.join(component.outputs) or 'none'}."
                self.findings.warn(
                    (*path, "outputs", name), f"The component has no output '{name}'; Azure ML ignores it.{hint}"
                )

    def _inferred_optional(self, component: Component, name: str) -> bool:
        """Whether an input of the job's own pipeline is optional because all inputs that are bound to it are.

        The SDK infers that unless the component sets `optional` explicitly.
        """
        said = self.findings.unread("component", "inputs", name, "optional")
        return not said and only_optional(component, name)

    def _hint(self, name: str, node: Node, component: Component) -> str:
        strays = [given for given in node.inputs if given not in component.inputs]
        return near_miss(name, strays, ask=MEANT_BY)

    def _declared(self, spec: ComponentInput, path: tuple[str, ...]) -> None:
        if spec.default is not None and spec.type in LITERAL_TYPES:
            self._values.literal(spec.default, spec, path[-1], (*path, "default"), lenient=True)
        if spec.default is not None and "${{" in spec.default:
            what = f"Expressions in a default are not replaced, so '{spec.default}' stays unchanged"
            self.findings.warn((*path, "default"), f"{what}, and {BASH_FAILS}. Write a value without expressions.")
        low, high = number(spec.min or "", "number"), number(spec.max or "", "number")
        if low is not None and high is not None and low > high:
            self.findings.warn((*path, "min"), f"min ({spec.min}) is greater than max ({spec.max}).")
        if spec.mode in _DATA_ONLY_MODES and spec.type != "mltable":
            self.findings.error((*path, "mode"), f"The mode {spec.mode} is for mltable, not for {spec.type}.")

    def _bindings(self, graph: Component, taker: _Taker) -> Iterator[Reference]:
        """Check the references in the value of a node's input, and yield each of them."""
        text = taker.value.value if isinstance(taker.value, Literal) else taker.value.path
        for rest in leftovers(text):
            what = f"{rest} is not a binding, so it is passed on unchanged"
            mend = "write ${{parent.inputs.<name>}} or ${{parent.jobs.<node>.outputs.<name>}}"
            self.findings.warn(taker.path, f"{what}, and {BASH_FAILS}. For a binding {mend}.")
        for reference in references(text):
            self._binding(reference, graph, taker)
            yield reference

    def _any_node(self, path: tuple[str, ...]) -> bool:
        """Whether the reader has reported why the graph has no nodes: `jobs` is missing, or its nodes are invalid."""
        source = self.findings.job.source
        if source is None:
            return False
        return not source.holds((*path, "jobs")) or source.size((*path, "jobs")) > 0

    def _nodes_read(self, graph: Component, path: tuple[str, ...]) -> bool:
        """Whether all nodes of a graph were read, with all their outputs."""
        source, jobs, at = self.findings.job.source, graph.jobs or {}, (*path, "jobs")
        return source is None or (
            source.size(at) <= len(jobs)
            and not any(source.instead((*at, name, "outputs")) for name in jobs)
            and all(source.size((*at, name, "outputs")) <= len(node.outputs) for name, node in jobs.items())
        )

    def _complete(self, component: Component, path: tuple[str, ...]) -> bool:
        """Whether a component and the components of all nodes in it were read completely."""
        below = [((*path, "jobs", name, "component"), node.component) for name, node in (component.jobs or {}).items()]
        return self._nodes_read(component, path) and all(
            not isinstance(inner, str) and self._complete(inner, place) for place, inner in below
        )

    def _binding(self, reference: Reference, pipeline: Component, taker: _Taker) -> None:
        path = taker.path
        if not reference.parent:
            known = "${{parent.inputs.<name>}} or ${{parent.jobs.<node>.outputs.<name>}}"
            meant = next(references(f"${{{{parent.{reference.text[3:].strip('{} ')}}}}}"))
            hint = f" Did you mean {meant.text}?" if _leads(meant, pipeline) else ""
            self.findings.error(path, f"{reference.text} can't be used in a node's input; write {known}.{hint}")
        elif reference.job:
            self._from_node(reference, pipeline, taker)
        elif reference.kind == "outputs":
            self.findings.error(
                path,
                f"{reference.text} can't be an input; "
                "use the output of another node: ${{parent.jobs.<node>.outputs.<name>}}.",
            )
        elif reference.name not in pipeline.inputs:
            if not group(reference.name, pipeline.inputs) and not self.findings.unread(
                *path[:-4], "inputs", reference.name
            ):
                hint = near_miss(reference.name, pipeline.inputs) or f" It has: {', '.join(pipeline.inputs) or 'none'}."
                self.findings.error(path, f"The pipeline has no input '{reference.name}'.{hint}")
        else:
            self._from_parent(reference, pipeline.inputs[reference.name], taker)

    def _from_parent(self, reference: Reference, given: ComponentInput, taker: _Taker) -> None:
        spec, value, path = taker
        if spec is None:
            return
        whole = isinstance(value, Literal) and single(value.value) is not None
        if given.optional and not spec.optional and spec.default is None and given.default is None and whole:
            at = (*path[:-4], "inputs", reference.name)
            self.findings.error(
                at,
                f"The pipeline's input '{reference.name}' is optional, "
                f"but the input '{path[-1]}' of '{path[-3]}' that is bound to it is required.",
            )
        if whole and given.type in LITERAL_TYPES and spec.type in ASSET_TYPES:
            mend = f"write {reference.name}: {{type: {spec.type}, path: …}}"
            self.findings.error(
                path,
                f"The input '{path[-1]}' is {article(spec.type)}, "
                f"but the pipeline's input '{reference.name}' is a literal; {mend}.",
            )
        elif whole and given.type in ASSET_TYPES:
            self._values.edge(given.type, spec, path[-1], path, f"the pipeline's input '{reference.name}'")

    def _from_node(self, reference: Reference, pipeline: Component, taker: _Taker) -> None:
        spec, value, path = taker
        node = (pipeline.jobs or {}).get(reference.job)
        if node is None and self.findings.unread(*path[:-3], reference.job):
            return
        if node is None:
            hint = near_miss(reference.job, (pipeline.jobs or {})) or f" There are: {', '.join(pipeline.jobs or {})}."
            self.findings.error(path, f"There is no node '{reference.job}'.{hint}")
            return
        if isinstance(node.component, str):
            return
        known = node.component.outputs if reference.kind == "outputs" else node.component.inputs
        if reference.name not in known:
            hint = near_miss(reference.name, known) or f" It has: {', '.join(known) or 'none'}."
            self.findings.error(
                path, f"The node '{reference.job}' has no {reference.kind[:-1]} '{reference.name}'.{hint}"
            )
        elif reference.kind == "outputs" and output_of(node, reference.name) is None:
            if not self._complete(node.component, (*path[:-3], reference.job, "component")):
                return
            message = f"No node in '{reference.job}' writes its output '{reference.name}', so it can't be an input."
            self.findings.error(path, message)
        elif reference.kind == "inputs" and spec and not _has_value(node, reference.name) and required(spec):
            message = f"The input '{reference.name}' of '{reference.job}' has no value, but '{path[-1]}' is required."
            self.findings.error(path, message)
        elif reference.kind == "outputs" and spec:
            own = node.outputs.get(reference.name)
            kind = (own.type if own else None) or known[reference.name].type
            below = single(value.value if isinstance(value, Literal) else value.path) is None
            if below and kind not in (*LITERAL_TYPES, "uri_file") and spec.type not in LITERAL_TYPES:
                return  # the content of the folder isn't known yet
            self._values.edge(kind, spec, path[-1], path, f"'{reference.job}.{reference.name}'")

    def _cycles(self, waiting: Mapping[str, Mapping[str, str]], path: tuple[str, ...]) -> None:
        left = unordered({name: list(needs) for name, needs in waiting.items()})
        if left:
            trail = find_cycle(left)
            at = (*path, "jobs", trail[0], "inputs", waiting[trail[0]][trail[1]])
            self.findings.error(at, f"Steps wait for each other: {' -> '.join(trail)}.")

    def _taken_in_turn(self, taken: Mapping[tuple[str, str], list[tuple[str, str]]], path: tuple[str, ...]) -> None:
        """Find inputs whose bindings form a cycle."""
        left = unordered({".".join(end): [".".join(start) for start in starts] for end, starts in taken.items()})
        if left:
            trail = find_cycle(left)
            name, _, key = trail[0].partition(".")
            message = f"Inputs take their values from each other: {' -> '.join(trail)}."
            self.findings.error((*path, "jobs", name, "inputs", key), message)


def _bound_settings(node: Node) -> Iterator[tuple[tuple[str, str], str]]:
    """Each setting of a node that contains an expression: its two keys, or its key twice if it is bound as a whole."""
    for field in SETTINGS:
        value = getattr(node, field)
        if not value or "${{" not in str(value):
            continue
        if isinstance(value, str):
            yield (field, field), value
        elif field != VARIABLES:  # their values may be any texts; the values that are no bindings are told later
            yield from (((field, key), str(inner)) for key, inner in value.items() if "${{" in str(inner))


def _leads(reference: Reference, pipeline: Component) -> bool:
    """Whether a reference of a node leads to an input of the pipeline, or to an input or output of another node."""
    if not reference.job:
        return reference.kind == "inputs" and reference.name in pipeline.inputs
    node = (pipeline.jobs or {}).get(reference.job)
    if node is None or isinstance(node.component, str):
        return node is not None
    return reference.name in (node.component.outputs if reference.kind == "outputs" else node.component.inputs)


def _has_value(node: Node, name: str) -> bool:
    spec = None if isinstance(node.component, str) else node.component.inputs.get(name)
    return name in node.inputs or (spec is not None and spec.default is not None)
