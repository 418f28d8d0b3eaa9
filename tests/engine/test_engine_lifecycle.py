"""Runners that come and go: detached, canceled, killed, several at a time."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from project import eventually, pipeline, processes, single, step

from creditml import errors
from creditml.nodes.specs import read_job
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from project import Job, Project

pytestmark = pytest.mark.takes(20)

OUT = {"out": {"type": "uri_folder"}}
STUBBORN = (
    "setsid bash -c 'trap \"\" TERM INT HUP; echo $$ > {0}.grandchild; while :; do sleep 0.1; done' & "
    "while ! test -s {0}.grandchild; do sleep 0.01; done; echo $$ > {0}.child; sleep 3600"
)


@pytest.fixture
def marker(tmp_path: Path) -> str:
    """A path that stands in the command lines of a stubborn step's processes, and of no other."""
    return str(tmp_path / "marker")


def running(project: Project, marker: str) -> Job:
    """A detached job with a step that doesn't end, and a grandchild that ignores signals."""
    job = project.submit(pipeline({"a": step(STUBBORN.format(marker))}))
    eventually(lambda: os.path.exists(f"{marker}.child"))
    return job


def runner_of(job: Job) -> int:
    """The process that runs a detached job."""
    found = {number: parent for number, parent in processes(job.name).items() if "creditml.engine" in words_of(number)}
    (runner,) = [number for number, parent in found.items() if parent not in found]  # the others are its guards
    return runner


def words_of(number: int) -> str:
    """A process's command line."""
    with open(f"/proc/{number}/cmdline", encoding="utf-8") as file:
        return file.read().replace("\0", " ")


def test_create_prints_the_job_at_once_and_the_runner_goes_on(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write("job.yml", single(f"while ! test -e {go}; do sleep 0.01; done; echo done"))

    created = project.json("job", "create", "-f", "job.yml")
    shown = project.json("job", "show", "-n", created["name"])
    go.touch()

    assert created["status"] in ("NotStarted", "Queued", "Preparing", "Running")
    assert shown["status"] in ("NotStarted", "Queued", "Preparing", "Running")
    eventually(lambda: project.json("job", "show", "-n", created["name"])["status"] == "Completed")


def test_cancel_from_another_process_ends_the_whole_tree(project: Project, marker: str) -> None:
    jobs = {
        "a": step(STUBBORN.format(marker), outputs=OUT),
        "b": step("echo never", inputs={"data": "${{parent.jobs.a.outputs.out}}"}),
    }
    job = project.submit(pipeline(jobs))
    eventually(lambda: os.path.exists(f"{marker}.child"))

    project.creditml("job", "cancel", "-n", job.name)

    assert job.wait().status == "Canceled"
    assert job.statuses() == {"a": "Canceled"}
    assert job.show("error.code") == "Canceled"
    assert not processes(marker)


def test_a_run_in_the_foreground_can_be_canceled_from_elsewhere(project: Project, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    project.write("job.yml", single(f"touch {ready}; sleep 3600"))

    with project.start("run", "job.yml", "--name", "mine") as running:
        eventually(ready.exists)
        project.creditml("job", "cancel", "-n", "mine")
        out, _ = running.communicate(timeout=60)

    assert running.returncode == 1
    assert "mine: Canceled in" in out


def test_a_step_that_ends_well_when_it_is_canceled_is_canceled(project: Project, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = f"trap 'exit 0' TERM; echo half > ${{{{outputs.out}}}}/x; touch {ready}; sleep 3600 & wait"
    out = {"out": {"type": "uri_folder", "name": "halves"}}
    job = project.submit(pipeline({"a": step(command, outputs=out)}))
    eventually(ready.exists)

    project.creditml("job", "cancel", "-n", job.name)

    assert job.wait().statuses() == {"a": "Canceled"}
    assert project.json("data", "list") == []


def test_cancelling_again_or_too_late_does_nothing(project: Project) -> None:
    job = project.run(single("echo hi"))

    project.creditml("job", "cancel", "-n", job.name)
    project.creditml("job", "cancel", "-n", job.name)

    assert job.status == "Completed"


def test_a_nested_pipeline_is_canceled_with_its_job(project: Project, marker: str) -> None:
    project.write(
        "inner.yml", {"type": "pipeline", "jobs": {"s": step(f"touch {marker}; sleep 3600"), "t": step("sleep 3600")}}
    )
    job = project.submit(pipeline({"n": {"type": "pipeline", "component": "./inner.yml"}}), "--max-parallel", "2")
    eventually(lambda: os.path.exists(marker))

    project.creditml("job", "cancel", "-n", job.name)
    job.wait()

    assert job.statuses() == {"n": "Canceled"}
    children = project.json("job", "list", "-p", job.steps()["n"]["name"])
    assert {child["status"] for child in children} == {"Canceled"}


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="looks at /proc")
def test_when_the_runner_is_killed_so_are_its_steps_and_the_job_has_failed(project: Project, marker: str) -> None:
    job = running(project, marker)
    eventually(lambda: job.statuses() == {"a": "Running"})

    os.kill(runner_of(job), signal.SIGKILL)

    eventually(lambda: not processes(marker))
    assert job.wait().status == "Failed"
    assert job.statuses() == {"a": "Failed"}
    assert project.creditml("job", "stream", "-n", job.name, code=1).out.count("Execution Summary") == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="looks at /proc")
def test_a_terminated_runner_cancels_its_job(project: Project) -> None:
    job = project.submit(single("echo ready; sleep 3600"))
    eventually(lambda: (job.folder() / "artifacts/user_logs/std_log.txt").exists() and job.log() == "ready\n")

    os.kill(runner_of(job), signal.SIGTERM)

    assert job.wait().status == "Canceled"


def test_jobs_run_side_by_side_in_one_workspace(project: Project, tmp_path: Path) -> None:
    meet = "touch {here}; for i in $(seq 1500); do test -e {there} && exit 0; sleep 0.02; done; exit 1"
    one, other = str(tmp_path / "one"), str(tmp_path / "other")

    first = project.submit(single(meet.format(here=one, there=other)))
    second = project.submit(single(meet.format(here=other, there=one)))

    assert (first.wait().status, second.wait().status) == ("Completed", "Completed")


def test_nothing_is_left_running_after_a_job(project: Project) -> None:
    job = project.submit(single("echo hi")).wait()

    eventually(lambda: not processes(str(project.folder)) and not processes(job.name))


def test_the_name_of_a_job_is_unique(project: Project) -> None:
    project.run(single("echo hi"), name="mine")

    again = project.creditml("run", "job.yml", "--name", "mine", code=1)

    assert "'mine' exists already" in again.err
    assert [job["name"] for job in project.json("job", "list")] == ["mine"]


# -- the executor, from Python


@pytest.fixture
def executor(project: Project) -> LocalExecutor:
    """An executor on the project's workspace."""
    return LocalExecutor(Workspace(project.workspace))


def submitted(executor: LocalExecutor, project: Project, command: str, **keys: object) -> str:
    """A pipeline of one step, submitted."""
    reading = read_job(str(project.write("job.yml", pipeline({"a": step(command, **keys)}))), [])
    assert reading.job is not None
    return executor.submit(reading.job)


def test_submit_poll_logs_and_fetch(executor: LocalExecutor, project: Project, tmp_path: Path) -> None:
    name = submitted(executor, project, "echo one; echo two; echo 3 > ${{outputs.out}}/w.txt", outputs=OUT)

    assert list(executor.logs(name, "a")) == ["one", "two"]
    eventually(lambda: executor.poll(name).status == "Completed")
    state = executor.poll(name)
    assert [(node.path, node.status) for node in state.nodes] == [("a", "Completed")]
    assert (executor.fetch(name, "a", "out", tmp_path / "got") / "w.txt").read_text(encoding="utf-8") == "3\n"
    with pytest.raises(errors.NotFound, match="no output 'none'"):
        executor.fetch(name, "a", "none", tmp_path / "got")


def test_a_cancel_that_comes_at_once_is_heard(executor: LocalExecutor, project: Project) -> None:
    name = submitted(executor, project, "sleep 3600")

    executor.cancel(name)

    eventually(lambda: executor.poll(name).status == "Canceled")


def test_a_character_that_comes_in_two_pieces_is_one(executor: LocalExecutor, project: Project) -> None:
    name = submitted(executor, project, r"printf 'gr\xc3'; sleep 0.7; printf '\xbcn\n'")

    assert list(executor.logs(name, "a")) == ["grün"]


def test_a_job_with_errors_is_not_submitted(executor: LocalExecutor, project: Project) -> None:
    with pytest.raises(errors.SpecError, match="no data asset named 'none'"):
        submitted(executor, project, "ls ${{inputs.x}}", inputs={"x": {"path": "azureml:none:1", "type": "uri_file"}})

    assert executor.workspace.jobs.entries() == []
