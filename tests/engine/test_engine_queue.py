"""Submitted jobs wait until the machine has a place for them, in the order in which they came."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, processes, single

if TYPE_CHECKING:
    from project import Job

NESTING = """
    import subprocess, sys
    from creditml.engine.local_jobs import LocalJobs
    from creditml_local import LocalLauncher

    class Launcher(LocalLauncher):
        def start(self, step):
            words = ["job", "create", "-f", "inner.yml", "-n", "inner", "--backend", "local", "--stream"]
            subprocess.run([sys.executable, "-m", "creditml.cli", *words], check=True)
            return super().start(step)

    class Nesting(LocalJobs):
        name = "nesting"
        launcher = Launcher
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which one job runs at a time."""
    project = Project(tmp_path / "project")
    project.write("creditml.yml", "max_jobs: 1\n")
    return project


class Gate:
    """A file that a job waits for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.command = f"while ! test -e {path}; do sleep 0.02; done"

    def open(self) -> None:
        self.path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


def waiting(project: Project, gate: Gate, count: int, then: str = "true") -> list[Job]:
    """A job that runs until the gate opens, and others behind it."""
    head = project.submit(single(gate.command))
    eventually(lambda: head.status == "Running")
    return [head, *(project.submit(single(then.format(number=number))) for number in range(count))]


def process_of(job: Job) -> int:
    """The process of a job that waits, or the runner of one that runs."""
    found = processes(f"creditml.engine {job.project.workspace} {job.name} ")
    (process,) = [number for number, parent in found.items() if parent not in found]
    return process


def heeds(process: int) -> bool:
    """Whether a process has said what it does when it is asked to end; Python has to start first."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except FileNotFoundError:  # the system tells nothing of that
        return True
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_jobs_wait_and_run_in_the_order_in_which_they_came(project: Project, gate: Gate, tmp_path: Path) -> None:
    order = tmp_path / "order"
    jobs = waiting(project, gate, 4, f"echo {{number}} >> {order}")
    assert [job.status for job in jobs] == ["Running", *["Queued"] * 4]
    assert {job["status"] for job in project.json("job", "list")} == {"Running", "Queued"}

    gate.open()

    assert {job.wait().status for job in jobs} == {"Completed"}
    assert order.read_text() == "0\n1\n2\n3\n"


def test_a_stream_waits_with_its_job(project: Project, gate: Gate) -> None:
    _, second = waiting(project, gate, 1, "echo said")
    with project.start("job", "stream", "-n", second.name) as stream:
        assert stream.stdout
        stream.stdout.readline()
        assert second.status == "Queued"
        gate.open()
        out, _ = stream.communicate(timeout=60)
    assert stream.returncode == 0
    assert "said" in out


def test_as_many_run_as_there_are_places(project: Project, gate: Gate) -> None:
    project.write("creditml.yml", "max_jobs: 2\n")
    jobs = [project.submit(single(gate.command)) for _ in range(3)]
    eventually(lambda: [job.status for job in jobs] == ["Running", "Running", "Queued"])
    gate.open()
    assert {job.wait().status for job in jobs} == {"Completed"}


def test_a_cancel_of_a_job_that_waits_works_at_once(project: Project, gate: Gate) -> None:
    head, second, third = waiting(project, gate, 2)

    project.creditml("job", "cancel", "-n", second.name)

    assert second.wait().status == "Canceled"
    assert second.show("error.code") == "Canceled"
    assert (head.status, third.status) == ("Running", "Queued")
    assert not processes(f"{second.name} ")
    gate.open()
    assert third.wait().status == "Completed"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, "Canceled"), (signal.SIGKILL, "Failed")], ids=["terminated", "killed"]
)
def test_the_process_of_a_job_that_waits_is_ended(
    project: Project, gate: Gate, number: signal.Signals, status: str
) -> None:
    head, second, third = waiting(project, gate, 2)

    eventually(lambda: heeds(process_of(second)))

    os.kill(process_of(second), number)

    assert second.wait().status == status
    assert (head.status, third.status) == ("Running", "Queued")
    gate.open()
    assert third.wait().status == "Completed"


def test_the_place_of_a_runner_that_is_killed_is_free(project: Project, gate: Gate) -> None:
    head, second = waiting(project, gate, 1)

    os.kill(process_of(head), signal.SIGKILL)

    assert second.wait().status == "Completed"
    assert head.status == "Failed"


def test_who_watches_a_job_does_not_wait(project: Project, gate: Gate) -> None:
    head, second = waiting(project, gate, 1)
    project.run(single("echo hi"), name="watched")
    assert (head.status, second.status) == ("Running", "Queued")
    gate.open()
    second.wait()


@pytest.mark.parametrize("variable", ["AZUREML_ROOT_RUN_ID", "CREDITML_JOB"])
def test_a_job_of_a_step_does_not_wait_while_that_ones_job_runs(project: Project, gate: Gate, variable: str) -> None:
    head, second = waiting(project, gate, 1)
    project.variables[variable] = head.name
    assert project.submit(single("true")).wait().status == "Completed"
    gate.open()
    second.wait()
    gate.path.unlink()
    _, last = waiting(project, gate, 1)
    assert last.status == "Queued"
    gate.open()
    last.wait()


def test_what_a_runner_starts_may_wait_for_jobs_that_it_submits(project: Project, gate: Gate, tmp_path: Path) -> None:
    backend = tmp_path / "backend"
    places = Project(backend)
    places.write("nesting.py", NESTING)
    places.write("nesting-1.dist-info/entry_points.txt", "[creditml.executors]\nnesting = nesting:Nesting\n")
    project.variables["PYTHONPATH"] = str(backend)
    project.write("inner.yml", single("echo inner"))

    outer = project.submit(single("echo outer"), "--backend", "nesting")
    behind = project.submit(single(gate.command))

    assert outer.wait().status == "Completed"
    assert project.json("job", "show", "-n", "inner")["status"] == "Completed"
    gate.open()
    behind.wait()
