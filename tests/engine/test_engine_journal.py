"""What is recorded of nested pipelines: how they end, and that what could not be written is written when it can."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from inside import run, steps

from creditml import tracking
from creditml.model import Command, Node, Pipeline
from creditml.statuses import TERMINAL
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from creditml.seams.executor import Watched
    from creditml.workspace.records import JobRecord

MLFLOW = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


def nested(*nodes: Node) -> Node:
    """A pipeline `inner` of nodes."""
    return Node("inner", Pipeline({each.name: each for each in nodes}), "pipeline")


def failing(name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the wish number `at` to MLflow's outbox find no room; all others do."""
    real, calls = getattr(tracking, name), []

    def call(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == at:
            message = "database or disk is full"
            raise sqlite3.OperationalError(message)
        real(*arguments)

    monkeypatch.setattr(tracking, name, call)


def limited(name: str) -> Node:
    """A step that is canceled, since it takes too long."""
    return node(name, "sleep 60")._replace(limits={"timeout": 0.05})


def in_place(step: Node, go: Path) -> Node:
    """A step whose command waits for that file."""
    assert isinstance(step.component, Command)
    return step._replace(component=step.component._replace(command=step.component.command.format(go=go)))


def ended_in_mlflow(workspace: Workspace, job: JobRecord) -> dict[str, str]:
    """The final status that MLflow is told of each run of a job, by its path."""
    names = {step.name: path for path, step in steps(workspace, job).items()}
    rows = workspace.database.connection.execute("SELECT payload FROM outbox WHERE op = 'end' ORDER BY seq")
    told = [json.loads(payload) for (payload,) in rows]
    return {names[each["run_id"]]: each["status"] for each in told if each["run_id"] in names}


def statuses(workspace: Workspace, job: JobRecord) -> dict[str, str]:
    return {path: step.status for path, step in steps(workspace, job).items()}


LATE = "while ! test -e {go}; do sleep 0.01; done; "
ENDINGS: dict[str, tuple[list[Node], bool, str]] = {
    "all well": ([node("one", "true"), node("two", "true")], True, "Completed"),
    "failed, then well": ([node("one", "exit 1"), node("two", f"{LATE} true")], True, "Failed"),
    "failed, then canceled": ([node("one", "exit 1"), node("two", f"{LATE} sleep 60")], False, "Failed"),
    "canceled, then failed": ([limited("one"), node("two", f"{LATE} exit 1")], True, "Failed"),
    "canceled, then well": ([limited("one"), node("two", f"{LATE} true")], True, "Canceled"),
    "failed, then canceled, then skipped": (
        [node("one", "exit 1"), node("two", f"{LATE} sleep 60"), node("three", "true", needs="two")],
        False,
        "Failed",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_nested_pipeline_that_failed_is_never_canceled(workspace: Workspace, tmp_path: Path, ending: str) -> None:
    """Two steps end one after the other; with `continue_on_step_failure: false` the second is canceled."""
    nodes, go_on, status = ENDINGS[ending]
    go = tmp_path / "go"
    inner = nested(*(in_place(each, go) for each in nodes))
    outer = nested(inner)._replace(name="outer")
    job = pipeline(outer)
    job = job._replace(settings=job.settings._replace(continue_on_step_failure=go_on))

    def look(runner: Watched) -> None:
        if runner.states["outer.inner.one"].status in TERMINAL:
            go.touch()

    record = run(job, workspace, look)

    made = {path: step.status for path, step in steps(workspace, record).items()}
    assert (made["outer.inner"], made["outer"]) == (status, status)
    assert ended_in_mlflow(workspace, record)["outer.inner"] == MLFLOW[status]


def test_beginnings_that_found_no_room_are_recorded_later_as_if_for_the_first_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job, the pipeline in it, and then there is no room for the step: so the pipeline isn't there either."""
    failing("begin_run", 3, monkeypatch)

    job = run(pipeline(nested(node("a", "true"))), workspace)

    made = steps(workspace, job)
    assert (job.status, (job.error or {})["code"]) == ("Failed", "DiskFull")
    assert set(made) == {"inner", "inner.a"}
    assert made["inner.a"].parent == made["inner"].name
    assert made["inner"].parent == job.name


@pytest.mark.parametrize("at", [2, 3])
def test_ends_that_found_no_room_are_recorded_later_as_if_for_the_first_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whatever was counted of a pipeline before there was no room isn't counted twice."""
    failing("end_run", at, monkeypatch)
    write = "echo one > ${{outputs.out}}/one.txt"

    job = run(pipeline(nested(*(node(name, write) for name in "ab"))), workspace)

    assert (job.status, (job.error or {})["code"]) == ("Failed", "DiskFull")
    assert statuses(workspace, job) == {"inner": "Completed", "inner.a": "Completed", "inner.b": "Completed"}
