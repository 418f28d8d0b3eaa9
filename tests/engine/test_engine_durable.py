"""What 'Completed' rests on: every flush, and the order of flushes, renames and records.

A machine that loses its power can't be had in a test. So what this process asks of the system is written down.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from inside import run, steps

from creditml.model import Command, ComponentInput, ComponentOutput, Data, Job, JobOutput, Node
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml.workspace.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from creditml.seams.executor import Watched

FULL = 2
"""The value of PRAGMA synchronous with which a commit has reached the disk."""
WRITE = "mkdir ${{outputs.out}}/sub; echo one > ${{outputs.out}}/sub/one.txt; echo two > ${{outputs.out}}/two.txt"


class Record(NamedTuple):
    """A job or step is recorded as Completed, in a transaction with that value of PRAGMA synchronous."""

    name: str
    synchronous: int


class Trail:
    """What was asked of the disk, in order: inodes that were flushed, "sync", paths that got a new name, records."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def flushed(self, place: Path, since: int = 0) -> int:
        """When a file or folder had reached the disk for the first time after an event; the number of that event."""
        inode = os.lstat(place).st_ino
        found = (at for at, event in enumerate(self.events) if at >= since and event in (inode, "sync"))
        return next(found, len(self.events))

    def renamed(self, place: Path) -> int:
        """When something got that name."""
        return self.events.index(str(place))

    def completed(self, name: str) -> int:
        """When a job or step was recorded."""
        (at,) = [at for at, event in enumerate(self.events) if isinstance(event, Record) and event.name == name]
        return at


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def trail(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Trail:
    """What happens from now on."""
    made = Trail()
    fsync, sync, transit = os.fsync, os.sync, Jobs.transit

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        made.events.append(os.fstat(descriptor).st_ino)

    def flush_all() -> None:
        sync()
        made.events.append("sync")

    def naming(function: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def name(source: object, target: object) -> None:
            function(source, target)
            made.events.append(str(target))

        return name

    def record(jobs: Jobs, job: str, *statuses: str, **fields: object) -> None:
        transit(jobs, job, *statuses, **fields)
        if statuses[-1:] == ("Completed",):
            (synchronous,) = workspace.database.connection.execute("PRAGMA synchronous").fetchone()
            made.events.append(Record(job, synchronous))

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "sync", flush_all)
    monkeypatch.setattr(os, "rename", naming(os.rename))
    monkeypatch.setattr(os, "replace", naming(os.replace))
    monkeypatch.setattr(Jobs, "transit", record)
    return made


def writer(name: str, command: str, outputs: Mapping[str, JobOutput]) -> Node:
    """A step with outputs."""
    declared = {key: ComponentOutput(output.type or "uri_folder") for key, output in outputs.items()}
    return Node(name, Command(command, "azureml:any@latest", outputs=declared), outputs=outputs, compute="serverless")


def below(place: Path) -> Iterable[Path]:
    """A place, and everything in it."""
    return [place, *place.rglob("*")]


def on_disk(trail: Trail, place: Path, name: str) -> None:
    """All of an output had reached the disk, under its name, before its step was recorded."""
    recorded = trail.completed(name)
    for path in below(place):
        assert trail.flushed(path) < recorded, path
    assert trail.flushed(place.parent, trail.renamed(place)) < recorded


def test_all_of_a_folder_and_its_name_are_on_disk_before_the_step_is_completed(
    workspace: Workspace, trail: Trail
) -> None:
    job = run(pipeline(node("a", WRITE)), workspace)

    place = workspace.jobs.folder(steps(workspace, job)["a"]) / "outputs/out"
    assert len(list(below(place))) == 4
    assert "sync" not in trail.events  # so each of them is there
    on_disk(trail, place, steps(workspace, job)["a"].name)


def test_so_is_an_output_that_is_a_file(workspace: Workspace, trail: Trail) -> None:
    job = run(pipeline(writer("a", "echo one > ${{outputs.out}}", {"out": JobOutput("uri_file")})), workspace)

    place = workspace.jobs.folder(steps(workspace, job)["a"]) / "outputs/out/out"
    assert place.is_file()
    on_disk(trail, place, steps(workspace, job)["a"].name)


def test_so_is_an_output_with_a_place_of_its_own(workspace: Workspace, trail: Trail) -> None:
    place = workspace.data.datastore("workspaceblobstore") / "mine" / "kept"
    uri = "azureml://datastores/workspaceblobstore/paths/mine/kept"
    job = run(pipeline(writer("a", WRITE, {"out": JobOutput(path=uri)})), workspace)

    recorded = trail.completed(steps(workspace, job)["a"].name)
    assert all(trail.flushed(path) < recorded for path in below(place))
    assert trail.flushed(place.parent) < recorded


def test_of_many_files_none_is_forgotten(workspace: Workspace, trail: Trail) -> None:
    job = run(pipeline(node("a", "cd ${{outputs.out}}; touch $(seq 100)")), workspace)

    place = workspace.jobs.folder(steps(workspace, job)["a"]) / "outputs/out"
    assert len(list(below(place))) == 101
    on_disk(trail, place, steps(workspace, job)["a"].name)


def test_of_many_steps_that_end_at_once_none_is_forgotten(
    workspace: Workspace, trail: Trail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk is busy with the first step until the others have ended, so that these are flushed together."""
    go, all_ended, flush = tmp_path / "go", threading.Event(), os.fsync

    def wait(descriptor: int) -> None:
        go.touch()
        assert all_ended.wait(60)
        flush(descriptor)

    def look(runner: Watched) -> None:
        if all(state.status == "Completed" for state in runner.states.values()):
            all_ended.set()

    monkeypatch.setattr(os, "fsync", wait)
    write = "echo one > ${{outputs.out}}/one.txt"
    others = [node(name, f"while ! test -e {go}; do sleep 0.01; done; {write}") for name in "bcd"]
    job = run(pipeline(node("a", write), *others), workspace, look, max_parallel=4)

    made = steps(workspace, job)
    assert {name: step.status for name, step in made.items()} == dict.fromkeys("abcd", "Completed")
    for step in made.values():
        on_disk(trail, workspace.jobs.folder(step) / "outputs/out", step.name)


def test_the_job_s_own_record_comes_last_and_reaches_the_disk(workspace: Workspace, trail: Trail) -> None:
    """With it do those of its steps, which are in the log before it."""
    job = run(pipeline(node("a", WRITE), node("b", "true"), node("c", WRITE, needs="a")), workspace)

    records = [event for event in trail.events if isinstance(event, Record)]
    assert {record.name for record in records[:-1]} == {step.name for step in steps(workspace, job).values()}
    assert records[-1] == Record(job.name, FULL)


def test_a_job_of_one_command_is_recorded_when_its_output_is_on_disk(workspace: Workspace, trail: Trail) -> None:
    component = Command(WRITE, "azureml:any@latest", outputs={"out": ComponentOutput()})
    job = run(Job(Node("", component, "command", compute="serverless"), experiment_name="one"), workspace)

    assert trail.events[trail.completed(job.name)] == Record(job.name, FULL)
    on_disk(trail, workspace.jobs.folder(job) / "outputs/out", job.name)


@pytest.mark.parametrize("kind", ["uri_folder", "uri_file"])
def test_an_input_rewritten_in_place_with_equal_size_fails_the_step(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    file, begun, rewritten = tmp_path / "data/words.txt", tmp_path / "begun", tmp_path / "rewritten"
    file.parent.mkdir()
    file.write_text("before", encoding="utf-8")
    os.utime(file, (1000, 1000))
    inode = file.stat().st_ino

    def look(_: Watched) -> None:
        if begun.exists() and not rewritten.exists():
            file.write_text("after!", encoding="utf-8")
            rewritten.touch()

    command = f"touch {begun}; while ! test -e {rewritten}; do sleep 0.01; done"
    component = Command(command, "azureml:any@latest", inputs={"data": ComponentInput(kind)})
    given = {"data": Data(str(file.parent if kind == "uri_folder" else file), kind)}
    job = run(pipeline(Node("a", component, inputs=given, compute="serverless")), workspace, look)

    step = steps(workspace, job)["a"]
    assert (file.stat().st_ino, file.stat().st_size) == (inode, len("before"))
    assert (job.status, step.status, (step.error or {})["code"]) == ("Failed", "Failed", "InputChanged")
    assert str(file) in (step.error or {})["message"]
