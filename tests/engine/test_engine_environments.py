"""Steps wait for their environments; what can't be made fails the job, and is told."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, pipeline, processes, step

if TYPE_CHECKING:
    from pathlib import Path

MAKING = """
    import os, time
    from pathlib import Path
    from creditml.engine.local_jobs import LocalJobs
    from creditml.environments.wanted import Provided
    from creditml.errors import Canceled, CreditMLError
    from creditml_local import LocalLauncher

    HERE = Path(__file__).parent

    class Provider:
        def provide(self, wanted, say, canceled):
            say(f"making {wanted.title} with {', '.join(wanted.pip)}")
            with HERE.joinpath("made").open("a") as made:
                made.write(wanted.title + "\\n")
            if "broken" in wanted.pip:
                raise CreditMLError("broken can't be installed. Take another one.")
            while "slow" in wanted.pip:
                if canceled():
                    HERE.joinpath("gave up").touch()
                    raise Canceled
                time.sleep(0.01)
            return Provided(variables={"MADE_OF": ",".join(wanted.pip)})

    class Making(LocalJobs):
        name = "making"
        launcher = LocalLauncher

        def provider(self):
            return Provider()
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose backend makes environments, of which it knows two."""
    project = Project(tmp_path / "project", PYTHONPATH=str(tmp_path / "installed"), CREDITML_BACKEND="making")
    installed = Project(tmp_path / "installed")
    installed.write("making.py", MAKING)
    installed.write("making-1.dist-info/entry_points.txt", "[creditml.executors]\nmaking = making:Making\n")
    known = {
        name: {"image": "base", "conda_file": {"dependencies": [{"pip": [name]}]}, "env": "uv"}
        for name in ("fine", "broken", "slow")
    }
    project.write("creditml.yml", {"environments": known})
    return project


def on(environment: str, command: str = "echo made of $MADE_OF") -> dict[str, object]:
    return {**step(command), "environment": f"azureml:{environment}:1"}


def made(project: Project) -> list[str]:
    return (project.folder.parent / "installed/made").read_text().splitlines()


def test_each_is_made_once_before_the_first_step(project: Project) -> None:
    job = project.run(pipeline({"a": on("fine"), "b": on("fine")}))
    assert made(project) == ["azureml:fine:1"]
    assert job.log("a") == job.log("b") == "made of fine\n"


def test_what_is_said_is_shown_and_kept(project: Project) -> None:
    job = project.run(pipeline({"a": on("fine")}))
    assert "making azureml:fine:1 with fine" in job.done.out
    assert job.done.out.index("making") < job.done.out.index("a: Running")
    kept = job.folder() / "artifacts/azureml-logs/20_image_build_log.txt"
    assert kept.read_text() == "making azureml:fine:1 with fine\n"


def test_what_cannot_be_made_fails_the_job_before_any_step(project: Project) -> None:
    job = project.run(pipeline({"a": on("fine"), "b": on("broken")}), code=1)
    assert "broken can't be installed. Take another one." in job.done.err
    assert job.show("status") == "Failed"
    assert job.show("error.code") == "EnvironmentFailed"
    assert job.steps() == {}


def test_a_single_command_fails_too(project: Project) -> None:
    job = project.run({**on("broken"), "compute": "azureml:cluster"}, code=1)
    assert "broken can't be installed" in job.done.err
    assert job.show("status") == "Failed"


def test_a_submitted_job_knows_the_settings_of_its_project(project: Project) -> None:
    assert project.submit(pipeline({"a": on("fine")})).wait().log("a") == "made of fine\n"
    job = project.submit(pipeline({"a": on("broken")})).wait()
    assert "broken can't be installed" in job.show("error.message")


def test_nobody_else_sees_the_settings_of_a_submitted_job(project: Project) -> None:
    job = project.submit(pipeline({"a": on("slow")}))
    eventually((project.folder.parent / "installed/made").exists)
    assert processes(f"{project.workspace} {job.name} ")
    assert not processes("conda_file")
    project.creditml("job", "cancel", "-n", job.name)
    job.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_canceled_job_waits_for_no_environment(project: Project, number: signal.Signals) -> None:
    project.write("job.yml", pipeline({"a": on("slow")}))
    with project.start("run", "job.yml", "-n", "waiting") as process:
        eventually((project.folder.parent / "installed/made").exists)
        process.send_signal(number)
        assert process.wait() == 130
    assert (project.folder.parent / "installed/gave up").exists()
    assert project.json("job", "show", "-n", "waiting")["status"] == "Canceled"
