"""Simulated executions of random graphs: what starts when, what is skipped, and that an end is reached."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditml.engine.schedule import Schedule
from creditml.model import Command, ComponentInput, Job, Node, Pipeline
from creditml.plan import Plan, PlannedStep, Produced

EMPTY = Job(Node("", Pipeline(), "pipeline"))


class Graph(NamedTuple):
    """For each step the steps that it needs, with whether it could do without; and those that fail if they run."""

    needs: dict[str, list[tuple[str, bool]]]
    failing: frozenset[str]

    @property
    def plan(self) -> Plan:
        return self.first(len(self.needs))

    def first(self, count: int) -> Plan:
        """A plan of the first steps only."""
        return Plan(EMPTY, {path: planned(path, self.needs[path]) for path in list(self.needs)[:count]}, {}, {})

    def required(self, path: str) -> set[str]:
        return {need for need, optional in self.needs[path] if not optional}

    def outcomes(self) -> dict[str, str]:
        """How each step ends if nothing stops the job: well, badly, or not at all."""
        ends: dict[str, str] = {}
        for path in self.needs:
            runs = all(ends[need] == "well" for need in self.required(path))
            ends[path] = ("badly" if path in self.failing else "well") if runs else "skipped"
        return ends


def planned(path: str, needs: list[tuple[str, bool]]) -> PlannedStep:
    inputs = {f"i{n}": Produced(need, "o") for n, (need, _) in enumerate(needs)}
    declared = {f"i{n}": ComponentInput("uri_folder", optional=optional) for n, (_, optional) in enumerate(needs)}
    component = Command("c", inputs=declared)
    return PlannedStep(path, Node(path, component), component, inputs, {})


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"s{n}" for n in range(draw(st.integers(1, 9)))]
    needs = {
        name: draw(st.lists(st.tuples(st.sampled_from(names[:n]), st.booleans()), max_size=4)) if n else []
        for n, name in enumerate(names)
    }
    return Graph(needs, frozenset(draw(st.sets(st.sampled_from(names), max_size=3))))


class Execution:
    """A runner with one place or many, whose steps end in any order, and may be added in the meantime."""

    def __init__(self, graph: Graph, data: st.DataObject, *, go_on: bool, first: int | None = None) -> None:
        self.graph, self.data = graph, data
        count = len(graph.needs) if first is None else first
        self.schedule = Schedule(graph.first(count), go_on=go_on)
        self.later = list(graph.needs)[count:]
        self.running: list[str] = []
        self.ended: dict[str, str] = {}

    def advance(self) -> None:
        """Add steps, start one, or let one end."""
        if self.later and (self.schedule.done or self.data.draw(st.booleans())):
            self.add(self.data.draw(st.integers(1, len(self.later))))
            return
        if not self.running or self.data.draw(st.booleans()):
            path = self.schedule.take()
            if path is not None:
                self.check_start(path)
                self.running.append(path)
                return
        assert self.running, "nothing runs, nothing can start, and it isn't done"
        path = self.data.draw(st.sampled_from(self.running))
        self.running.remove(path)
        self.ended[path] = "badly" if path in self.graph.failing else "well"
        self.schedule.ended(path, well=self.ended[path] == "well")

    def add(self, count: int) -> None:
        added, self.later = self.later[:count], self.later[count:]
        before = list(self.schedule.skipped)
        skipped = self.schedule.add([planned(path, self.graph.needs[path]) for path in added])
        assert self.schedule.skipped == before + skipped
        assert set(skipped) <= set(added)

    def check_start(self, path: str) -> None:
        """What it needs has been made, and what it could do without has been settled."""
        assert path not in self.running
        assert path not in self.ended
        assert path not in self.schedule.skipped
        assert all(self.ended.get(need) == "well" for need in self.graph.required(path))
        assert all(need in self.ended or need in self.schedule.skipped for need, _ in self.graph.needs[path])

    def finish(self) -> None:
        while self.later or not self.schedule.done:
            self.advance()
        assert not self.running
        assert self.schedule.take() is None
        assert sorted([*self.ended, *self.schedule.skipped]) == sorted(self.graph.needs)


@given(graphs(), st.data())
def test_independent_branches_run_to_their_ends(graph: Graph, data: st.DataObject) -> None:
    execution = Execution(graph, data, go_on=True)
    execution.finish()

    ends = {**execution.ended, **dict.fromkeys(execution.schedule.skipped, "skipped")}
    assert ends == graph.outcomes()
    assert not execution.schedule.stopped


@given(graphs(), st.data())
def test_without_going_on_nothing_starts_after_a_failure(graph: Graph, data: st.DataObject) -> None:
    execution = Execution(graph, data, go_on=False)
    while not execution.schedule.done and "badly" not in execution.ended.values():
        execution.advance()
    running = list(execution.running)
    stopped = execution.schedule.stopped
    execution.finish()

    assert stopped == ("badly" in execution.ended.values())
    if stopped:
        assert set(execution.ended) >= set(running)
        assert not set(running) & set(execution.schedule.skipped)
    else:
        assert set(execution.ended) == set(graph.needs)


@given(graph=graphs(), data=st.data(), go_on=st.booleans(), after=st.integers(0, 8))
def test_after_a_stop_what_runs_ends_and_nothing_starts(
    graph: Graph, data: st.DataObject, *, go_on: bool, after: int
) -> None:
    execution = Execution(graph, data, go_on=go_on)
    for _ in range(after):
        if not execution.schedule.done:
            execution.advance()
    begun = {*execution.running, *execution.ended}
    execution.schedule.stop()

    assert execution.schedule.take() is None
    execution.finish()
    assert set(execution.ended) == begun
    execution.schedule.stop()
    assert len(execution.schedule.skipped) == len(set(execution.schedule.skipped))


@given(graphs(), st.data())
def test_steps_that_are_added_run_as_if_they_had_been_there_from_the_beginning(
    graph: Graph, data: st.DataObject
) -> None:
    execution = Execution(graph, data, go_on=True, first=data.draw(st.integers(0, len(graph.needs) - 1)))
    execution.finish()

    ends = {**execution.ended, **dict.fromkeys(execution.schedule.skipped, "skipped")}
    assert ends == graph.outcomes()


@given(graphs(), st.data())
def test_steps_that_are_added_after_a_stop_are_skipped(graph: Graph, data: st.DataObject) -> None:
    execution = Execution(graph, data, go_on=True, first=data.draw(st.integers(0, len(graph.needs))))
    for _ in range(data.draw(st.integers(0, 8))):
        if execution.later or not execution.schedule.done:
            execution.advance()
    begun = {*execution.running, *execution.ended}
    execution.schedule.stop()
    later = list(execution.later)
    execution.finish()

    assert set(execution.ended) == begun
    assert execution.schedule.skipped[len(execution.schedule.skipped) - len(later) :] == later


@pytest.mark.parametrize("path", ["ended", "runs", "ready", "waits"])
def test_a_step_that_is_known_cannot_be_added(path: str) -> None:
    with pytest.raises(ValueError, match=path):
        _half_way().add([planned(path, [])])


@pytest.mark.parametrize("optional", [True, False])
def test_a_step_cannot_need_one_that_is_not_known(*, optional: bool) -> None:
    with pytest.raises(ValueError, match="new"):
        _half_way().add([planned("new", [("ended", False), ("nobody", optional)])])
    with pytest.raises(ValueError, match="new"):
        _half_way().add([planned("new", [("new", optional)])])


def _half_way() -> Schedule:
    needs: dict[str, list[tuple[str, bool]]] = {"ended": [], "runs": [], "ready": [], "waits": [("runs", False)]}
    schedule = Schedule(Graph(needs, frozenset()).plan)
    schedule.take()
    schedule.take()
    schedule.ended("ended", well=True)
    return schedule


@pytest.mark.parametrize(
    ("needs", "failing", "skipped"),
    [
        ({"a": [], "b": [("a", False)], "c": [("b", False)]}, {"a"}, ["b", "c"]),
        ({"a": [], "b": [("a", True)]}, {"a"}, []),
        ({"a": [], "b": [("a", True), ("a", False)]}, {"a"}, ["b"]),
        ({"a": [], "b": [("a", False)], "c": [("b", True)]}, {"a"}, ["b"]),
        ({"a": [], "b": [], "c": [("a", True), ("b", False)]}, {"b"}, ["c"]),
    ],
)
def test_a_failure_takes_those_along_that_need_it(
    needs: dict[str, list[tuple[str, bool]]], failing: set[str], skipped: list[str]
) -> None:
    schedule = Schedule(Graph(needs, frozenset(failing)).plan)
    while (path := schedule.take()) is not None:
        schedule.ended(path, well=path not in failing)

    assert schedule.done
    assert schedule.skipped == skipped


def test_steps_start_in_the_order_of_the_plan() -> None:
    schedule = Schedule(Graph({"b": [], "a": [], "c": [("a", False)], "d": []}, frozenset()).plan)

    assert [schedule.take() for _ in range(4)] == ["b", "a", "d", None]
    schedule.ended("a", well=True)
    assert schedule.take() == "c"


@given(graphs())
def test_the_upcoming_step_is_the_one_that_comes_if_all_goes_well(graph: Graph) -> None:
    schedule = Schedule(graph.plan)
    running: list[str] = []
    while not schedule.done:
        expected = schedule.upcoming()
        path = schedule.take()
        if path is not None:
            assert path == expected
            running.append(path)
            continue
        waiting = schedule.upcoming()
        if waiting is not None:
            assert {need for need, _ in graph.needs[waiting]} & set(running)
        ending, running = running, []
        for ended in ending:
            schedule.ended(ended, well=True)
        if waiting is not None:
            started = []
            while (path := schedule.take()) is not None:
                started.append(path)
            assert waiting in started
            running = started
    assert schedule.upcoming() is None
