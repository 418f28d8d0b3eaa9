"""A step is Completed only when its outputs are on disk. A disk that fails can't be provoked, so it is mocked."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from creditml import tracking
from creditml.submission.submit import prepare
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


def run(home: Path) -> Workspace:
    """Run one step that writes an output, in this process."""
    workspace = Workspace(home)
    job = pipeline(node("a", "sleep 0.2; echo one > ${{outputs.out}}/words.txt"))  # time enough to be recorded
    with LocalExecutor(workspace).run(prepare(job, workspace)) as runner:
        while runner.advance():
            pass
    return workspace


def step_status(workspace: Workspace) -> str:
    (job,) = workspace.jobs.entries()
    (step,) = workspace.jobs.steps(job.name)
    return step.status


def test_outputs_are_flushed_before_the_step_is_completed(tmp_path: Path, mocker: MockerFixture) -> None:
    seen = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        other = Workspace(tmp_path / "home")  # as another process sees it
        seen.append(step_status(other))
        other.close()
        real(descriptor)

    mocker.patch("os.fsync", side_effect=fsync)

    assert step_status(run(tmp_path / "home")) == "Completed"
    assert seen
    assert set(seen) == {"Running"}


def test_a_disk_that_fails_fails_the_step_and_the_job(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("os.fsync", side_effect=OSError(errno.EIO, "Input/output error"))

    workspace = run(tmp_path / "home")

    (job,) = workspace.jobs.entries()
    (step,) = workspace.jobs.steps(job.name)
    assert (job.status, step.status) == ("Failed", "Failed")
    assert "could not be kept" in step.error["message"]


def test_what_is_on_disk_is_recorded_though_the_database_had_no_room(tmp_path: Path, mocker: MockerFixture) -> None:
    """Several steps are recorded at once; when the last of them has no room, none was, and all are once there is."""
    real, calls = tracking.end_run, []

    def end_run(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == len("abc"):
            message = "database or disk is full"
            raise sqlite3.OperationalError(message)
        real(*arguments)

    mocker.patch("creditml.tracking.end_run", end_run)
    workspace = Workspace(tmp_path / "home")
    job = pipeline(*(node(name, "echo one > ${{outputs.out}}/words.txt") for name in "abc"))

    with LocalExecutor(workspace).run(prepare(job, workspace)) as runner:
        while runner.advance():
            pass

    (record,) = workspace.jobs.entries()
    assert (record.status, (record.error or {})["code"]) == ("Failed", "DiskFull")
    assert {step.path: step.status for step in workspace.jobs.steps(record.name)} == dict.fromkeys("abc", "Completed")


def test_a_disk_that_is_full_when_the_job_begins_is_named(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("creditml.engine.journal.Journal.begin", side_effect=OSError(errno.ENOSPC, "No space left on device"))

    workspace = run(tmp_path / "home")

    (job,) = workspace.jobs.entries()
    assert (job.status, (job.error or {})["code"]) == ("Failed", "DiskFull")
    assert workspace.jobs.steps(job.name) == []
