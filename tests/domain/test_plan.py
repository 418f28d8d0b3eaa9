"""The plan against a naive reading of the graph, and what must hold of any plan."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from generated_jobs import jobs
from graphs import graph_jobs
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from plans import holds

from creditml.check import check
from creditml.expressions import Reference, parse, single
from creditml.graph import find_cycle, unordered
from creditml.model import (
    Command,
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
from creditml.plan import Cycle, Given, Plan, Produced, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

UNSHRUNK = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
NAMES = st.sampled_from("abcdefg")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, max_size=4))


class Scope(NamedTuple):
    """A pipeline, the node that it is the component of, and where that node stands."""

    node: Node
    outer: Scope | None = None
    prefix: str = ""

    @property
    def pipeline(self) -> Pipeline:
        assert isinstance(self.node.component, Pipeline)
        return self.node.component

    def inside(self) -> Iterator[tuple[str, Node, Scope]]:
        """Path, node and surroundings of every command in it."""
        for name, node in self.pipeline.jobs.items():
            if isinstance(node.component, Command):
                yield self.prefix + name, node, self
            else:
                yield from Scope(node, self, f"{self.prefix}{name}.").inside()

    def value(self, node: Node, name: str) -> JobInput | Produced | None:
        """What an input of a node in this pipeline comes to."""
        assert not isinstance(node.component, str)
        spec = node.component.inputs[name]
        given_value = node.inputs.get(name)
        if given_value is None:
            return None if spec.default is None else Literal(spec.default)
        text = given_value.path if isinstance(given_value, Data) else given_value.value
        if "${{" not in text:
            return given_value
        found = [self.meaning(part) if isinstance(part, Reference) else Literal(part) for part in parse(text)]
        value: JobInput | Produced | None = None
        if None not in found:  # a text that takes what isn't there isn't there either
            whole = isinstance(given_value, Literal) and single(text)
            value = found[0] if whole else self.joined(given_value, [piece for piece in found if piece is not None])
        if value is None and spec.default is not None:
            return Literal(spec.default)
        return value._replace(mode=given_value.mode) if value is not None and given_value.mode else value

    @staticmethod
    def joined(given_value: JobInput, pieces: list[JobInput | Produced]) -> JobInput | Produced:
        """Pieces after each other: text alone is text, after data it is a path below it."""
        rest = "".join(piece.value for piece in pieces if isinstance(piece, Literal))
        first = pieces[0]
        if isinstance(first, Produced):
            return first._replace(suffix=first.suffix + rest)
        if isinstance(first, Data):
            kind = given_value.type if isinstance(given_value, Data) else first.type
            return first._replace(path=first.path + rest, type=kind)
        return Literal(rest, given_value.mode)

    def meaning(self, reference: Reference) -> JobInput | Produced | None:
        """What a reference in this pipeline stands for."""
        if not reference.job:
            if self.outer:
                return self.outer.value(self.node, reference.name)
            default = self.pipeline.inputs[reference.name].default
            return self.node.inputs.get(reference.name, None if default is None else Literal(default))
        node = self.pipeline.jobs[reference.job]
        if reference.kind == "inputs":
            return self.value(node, reference.name)
        return Produced(*maker(node, reference.name, self.prefix + reference.job))

    def output(self, node: Node, name: str) -> JobOutput:
        """An output's settings: of those bound together, the outermost that says something; a file stays a file."""
        assert not isinstance(node.component, str)
        own = node.outputs.get(name, JobOutput())
        reference = single(own.binding) if own.binding else None
        above: Any = JobOutput()
        if reference and self.outer:
            above = self.outer.output(self.node, reference.name)
        elif reference:
            above = self.node.outputs.get(reference.name, JobOutput())
        spec = node.component.outputs[name]
        return JobOutput(
            "uri_file" if spec.type == "uri_file" else above.type or own.type or spec.type,
            above.path or own.path,
            above.mode or own.mode or spec.mode,
            above.name or own.name,
            above.version if above.version is not None else own.version,
        )


def maker(node: Node, output: str, path: str) -> tuple[str, str]:
    """The command, and its output, that an output of a node is."""
    if isinstance(node.component, Command):
        return path, output
    assert isinstance(node.component, Pipeline)
    ((name, inner, key),) = [
        (name, inner, key)
        for name, inner in node.component.jobs.items()
        for key, output_settings in inner.outputs.items()
        if key in inner.component.outputs and output_settings.binding == f"${{{{parent.outputs.{output}}}}}"
    ]
    return maker(inner, key, f"{path}.{name}")


def found(planned: Plan) -> dict[str, dict[str, Any]]:
    """Every step's inputs."""
    return {
        path: {name: value.value if isinstance(value, Given) else value for name, value in step.inputs.items()}
        for path, step in planned.steps.items()
    }


def expected(job: Job) -> dict[str, dict[str, Any]]:
    """Every step's inputs, by the naive reading."""
    if isinstance(job.root.component, Command):
        return {"": {name: value for name, value in job.root.inputs.items()}}  # noqa: C416  a copy, not the same mapping
    steps = {}
    for path, node, scope in Scope(job.root).inside():
        assert isinstance(node.component, Command)
        values = {name: scope.value(node, name) for name in node.component.inputs}
        steps[path] = {name: value for name, value in values.items() if value is not None}
    return steps


def agrees(planned: Plan) -> None:
    """The plan against the naive reading of its job."""
    job = planned.job
    assert found(planned) == expected(job)
    if isinstance(job.root.component, Pipeline):
        outputs = {
            path: {name: scope.output(node, name) for name in node.component.outputs}  # type: ignore[union-attr]
            for path, node, scope in Scope(job.root).inside()
        }
        assert {path: dict(step.outputs) for path, step in planned.steps.items()} == outputs
        made = {name: maker(job.root, name, "") for name in planned.outputs}
        assert dict(planned.outputs) == {name: Produced(path[1:], key) for name, (path, key) in made.items()}


@given(jobs())
@UNSHRUNK
def test_a_valid_job_has_no_errors_and_is_planned_as_the_naive_reading_says(job: Job) -> None:
    checked = check(job)

    assert [str(problem) for problem in checked.problems if not problem.warning] == []
    assert checked.plan == plan(job)
    holds(plan(job))
    agrees(plan(job))


@given(graph_jobs())
@settings(UNSHRUNK, max_examples=6 * settings.default.max_examples)
def test_whatever_passes_the_check_is_planned_as_the_naive_reading_says(job: Job) -> None:
    checked = check(job)

    assert (checked.plan is None) == any(not problem.warning for problem in checked.problems)
    assert all(problem.message and problem.place is None for problem in checked.problems)
    if checked.plan:
        holds(checked.plan)
        agrees(checked.plan)


@given(GRAPHS)
def test_what_is_left_unordered_waits_for_a_cycle(waiting: dict[str, list[str]]) -> None:
    order: list[str] = []
    left = unordered(waiting, order)

    assert sorted([*order, *left]) == sorted({*waiting, *(need for needs in waiting.values() for need in needs)})
    for place, name in enumerate(order):
        assert set(waiting.get(name, ())) <= set(order[:place])
    for name, needs in left.items():
        assert needs == waiting[name]
        assert any(need in left for need in needs)


@given(GRAPHS)
def test_a_cycle_that_is_found_is_one(waiting: dict[str, list[str]]) -> None:
    left = unordered(waiting)
    if not left:
        return

    trail = find_cycle(left)

    assert trail[0] == trail[-1]
    assert len(set(trail[1:])) == len(trail) - 1 >= 1
    assert all(after in waiting[before] for before, after in pairwise(trail))


def step(name: str, **needs: str) -> Node:
    """A node that takes outputs `o` of others."""
    inputs = {key: Literal(f"${{{{parent.jobs.{need}.outputs.o}}}}") for key, need in needs.items()}
    return Node(
        name,
        Command("c", inputs=dict.fromkeys(inputs, ComponentInput("uri_folder")), outputs={"o": ComponentOutput()}),
        inputs=inputs,
    )


def test_steps_keep_the_order_of_the_file_where_they_can() -> None:
    nodes = [step("d"), step("b", x="z"), step("c"), step("z"), step("a")]

    planned = plan(Job(Node("", Pipeline({node.name: node for node in nodes}), "pipeline")))

    assert list(planned.steps) == ["d", "c", "z", "a", "b"]


def test_a_path_below_a_path_keeps_its_parts_and_its_mode() -> None:
    reader = Command("c", inputs={"d": ComponentInput("uri_file")})
    below = Node("r", reader, inputs={"d": Literal("${{parent.inputs.d}}/two")})
    inner = Pipeline({"r": below}, "inner", inputs={"d": ComponentInput("uri_folder")})
    outer = Node("p", inner, "pipeline", {"d": Literal("${{parent.jobs.s.outputs.o}}/one", "direct")})

    planned = plan(Job(Node("", Pipeline({"p": outer, "s": step("s")}), "pipeline")))

    assert planned.steps["p.r"].inputs == {"d": Produced("s", "o", "/one/two", "direct")}


SOURCE = "${{parent.jobs.s.outputs.o}}"
GIVEN = "${{parent.inputs.d}}"


def joined(value: JobInput) -> tuple[list[str], Given | Produced | None]:
    """What is wrong with a value that is joined of a text and data, and what a step gets if that is overlooked."""
    reader = Command("c", inputs={"d": ComponentInput("uri_folder")})
    nodes = {"s": step("s"), "r": Node("r", reader, inputs={"d": value})}
    graph = Pipeline(nodes, inputs={"d": ComponentInput("uri_folder"), "t": ComponentInput("string")})
    given_values: dict[str, JobInput] = {"d": Data("azureml:words:1"), "t": Literal("text")}
    job = Job(Node("", graph, "pipeline", given_values, compute="cpu"))
    errors = [problem.message for problem in check(job).problems if not problem.warning]
    return errors, plan(job).steps["r"].inputs.get("d")


@pytest.mark.parametrize("data", [SOURCE, GIVEN])
@pytest.mark.parametrize("before", ["x", "x/", "${{parent.inputs.t}}", "${{parent.inputs.t}}/"])
def test_text_before_data_in_a_joined_path_is_a_mistake_and_never_moves_behind_it(before: str, data: str) -> None:
    errors, found_value = joined(Literal(f"{before}{data}/y"))

    text = before.replace("${{parent.inputs.t}}", "text")
    assert found_value
    assert isinstance(found_value, Given)
    assert found_value.value == Literal(f"{text}/y")
    (error,) = errors
    assert "is a literal" in error


@pytest.mark.parametrize("data", [SOURCE, GIVEN])
def test_nor_does_it_in_a_path_of_data(data: str) -> None:
    """Azure ML takes it for a local path, and nothing is replaced in it; the reader says so."""
    errors, found_value = joined(Data(f"x/{data}/y", "uri_folder"))

    assert errors == []
    assert isinstance(found_value, Given)
    assert found_value.value == Data("x//y", "uri_folder")


def test_text_after_data_in_a_joined_path_is_one_below_it() -> None:
    assert joined(Literal(f"{SOURCE}/x/${{{{parent.inputs.t}}}}/y")) == ([], Produced("s", "o", "/x/text/y"))
    errors, found_value = joined(Literal(f"{GIVEN}/${{{{parent.inputs.t}}}}"))
    assert errors == []
    assert isinstance(found_value, Given)
    assert found_value.value == Data("azureml:words:1/text")


def test_an_output_declared_a_file_stays_one() -> None:
    component = Command("c", outputs={"f": ComponentOutput("uri_file"), "t": ComponentOutput("mltable")})
    node = Node("a", component, outputs={"f": JobOutput("uri_folder"), "t": JobOutput("uri_folder")})

    planned = plan(Job(Node("", Pipeline({"a": node}), "pipeline")))

    # as the SDK sends it: a node can say what its output is, unless it is declared a file
    assert {key: output.type for key, output in planned.steps["a"].outputs.items()} == {
        "f": "uri_file",
        "t": "uri_folder",
    }


def test_a_cycle_raises_with_its_steps() -> None:
    nodes = [step("x"), step("a", x="b"), step("b", x="c", y="x"), step("c", x="a")]

    with pytest.raises(Cycle) as caught:
        plan(Job(Node("", Pipeline({node.name: node for node in nodes}), "pipeline")))

    assert caught.value.paths == ["a", "b", "c", "a"]
