"""Steps that are added to a job while it runs, and steps that are no commands: the doors for what comes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from inside import run, steps

from creditml.engine.nodes import RUNS
from creditml.engine.outcome import Outcome
from creditml.engine.run import Phase
from creditml.engine.runner import Runner
from creditml.model import Job, Node, Pipeline
from creditml.plan import plan
from creditml.statuses import TERMINAL
from creditml.submission.submit import prepare
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml.engine.context import Context
    from creditml.plan import PlannedStep
    from creditml.seams.executor import Watched

WRITE = "echo one > ${{outputs.out}}/words.txt"
READ = "cat ${{inputs.given}}/words.txt"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


def nested(*nodes: Node) -> Job:
    """A job with a pipeline `inner` of nodes."""
    return pipeline(Node("inner", Pipeline({each.name: each for each in nodes}), "pipeline"))


def late(go: Path) -> Node:
    """A step that waits for a file."""
    return node("late", f"while ! test -e {go}; do sleep 0.01; done")


def adding(step: PlannedStep, go: Path) -> Callable[[Watched], None]:
    """Add a step when `inner.a` has ended, and let `late` end when it has started or will never start."""

    def look(runner: Watched) -> None:
        assert isinstance(runner, Runner)
        if runner.states["inner.a"].status in TERMINAL and step.path not in runner.states:
            runner.add([step])
            assert dict(runner.changes())[step.path].status == "NotStarted"
            assert runner.plan.steps[step.path] is step
        elif step.path in runner.states:
            go.touch()

    return look


def test_a_step_is_added_that_needs_one_that_has_ended(workspace: Workspace, tmp_path: Path) -> None:
    go = tmp_path / "go"
    whole = plan(nested(node("a", WRITE), late(go), node("b", READ, needs="a")))

    job = run(nested(node("a", WRITE), late(go)), workspace, adding(whole.steps["inner.b"], go))

    made = steps(workspace, job)
    assert {path: step.status for path, step in made.items()} == dict.fromkeys(
        ["inner", "inner.a", "inner.b", "inner.late"], "Completed"
    )
    assert made["inner.b"].parent == made["inner"].name
    assert (made["inner"].ended_at or 0) >= (made["inner.b"].ended_at or 0)
    log = workspace.jobs.folder(made["inner.b"]) / "artifacts/user_logs/std_log.txt"
    assert log.read_text(encoding="utf-8") == "one\n"


def test_a_step_is_skipped_that_needs_one_that_has_failed(workspace: Workspace, tmp_path: Path) -> None:
    go = tmp_path / "go"
    whole = plan(nested(node("a", "exit 1"), late(go), node("b", READ, needs="a")))

    job = run(nested(node("a", "exit 1"), late(go)), workspace, adding(whole.steps["inner.b"], go))

    assert {path: step.status for path, step in steps(workspace, job).items()} == {
        "inner": "Failed",
        "inner.a": "Failed",
        "inner.late": "Completed",
    }
    assert job.status == "Failed"


def test_nothing_is_added_to_a_job_that_has_ended(workspace: Workspace) -> None:
    whole = plan(pipeline(node("a", WRITE), node("b", READ, needs="a")))

    with LocalExecutor(workspace).run(prepare(pipeline(node("a", WRITE)), workspace)) as runner:
        while runner.advance():
            pass
        with pytest.raises(ValueError, match="has ended"):
            runner.add([whole.steps["b"]])


class Waits:
    """A run without a process: it ends well when something is written to a pipe."""

    def __init__(self, context: Context, step: PlannedStep) -> None:
        self.step, self.run_id, self.phase = step, f"wait-{step.path}", Phase.NEW
        self.folder = context.workspace.jobs.folder(context.record._replace(path=step.path))
        self.log = self.folder / "log.txt"
        self.deadline: float | None = None
        self.outcome: Outcome | None = None
        self._read, self.write = os.pipe()

    def fileno(self) -> int:
        return self._read

    def prepare(self) -> None:
        self.phase = self.phase.to(Phase.PREPARED)

    def give_up(self) -> None:
        self._end("Canceled")

    def begin(self) -> None:
        self.phase = self.phase.to(Phase.STAGING).to(Phase.RUNNING)

    def advance(self) -> None:
        self._end(os.read(self._read, 64).decode())

    def terminate(self) -> None:
        os.write(self.write, b"Canceled")

    def kill(self) -> None:
        self._end("Canceled")

    overdue = kill

    def _end(self, status: str) -> None:
        self.phase, self.outcome = self.phase.to(Phase.ENDED), Outcome(status)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Waits]:
    """The runs of steps of the type `wait`, which only the table of the engine knows."""
    made: list[Waits] = []

    def make(context: Context, step: PlannedStep) -> Waits:
        made.append(Waits(context, step))
        return made[-1]

    monkeypatch.setitem(RUNS, "wait", make)
    return made


def waiting(name: str) -> Node:
    return node(name, "exit 1")._replace(type="wait")


@pytest.mark.parametrize(("word", "ends"), [("Completed", "Completed"), ("Failed", "Failed")])
def test_a_type_of_the_table_is_run_by_what_the_table_says(
    workspace: Workspace, waits: list[Waits], word: str, ends: str
) -> None:
    def look(runner: Watched) -> None:
        if runner.states["b"].status == "Completed" and waits[0].phase is Phase.RUNNING:
            os.write(waits[0].write, word.encode())

    job = run(pipeline(waiting("a"), node("b", "true")), workspace, look)

    made = steps(workspace, job)
    assert {path: (step.type, step.status) for path, step in made.items()} == {
        "a": ("wait", ends),
        "b": ("command", "Completed"),
    }
    assert made["a"].name == "wait-a"
    assert job.status == ends


@pytest.mark.parametrize("force", [False, True])
def test_such_a_run_is_ended_like_all_others(workspace: Workspace, waits: list[Waits], *, force: bool) -> None:
    def look(runner: Any) -> None:
        if runner.status == "Running" and waits and waits[0].phase is Phase.RUNNING:
            runner.cancel(force=force)

    job = run(pipeline(waiting("a")), workspace, look)

    assert job.status == "Canceled"
    assert {path: step.status for path, step in steps(workspace, job).items()} == {"a": "Canceled"}
    assert waits[0].phase is Phase.ENDED
