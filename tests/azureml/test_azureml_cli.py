"""`creditml run` and `creditml job …` with `--backend azureml`, as a user of the command line sees them."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest
from azure_side import Inside
from project import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from azure_side import Served
    from project import Project

pytestmark = pytest.mark.takes(20)

IMAGE = {"image": "python:3.11"}
WORKSPACE = {
    "AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
    "AZURE_RESOURCE_GROUP": "team",
    "AZURE_ML_WORKSPACE": "credit",
}


@pytest.fixture
def project(azure: Served, tmp_path: Path) -> Project:
    """A user's folder, in a shell where Azure is the service."""
    variables = {**azure.given, **WORKSPACE, "CREDITML_BACKEND": "azureml"}
    return Inside(tmp_path / "mine", HOME=str(tmp_path), **variables)


def steps(**commands: str) -> dict[str, object]:
    """A pipeline of independent commands."""
    jobs = {
        name: {
            "type": "command",
            "command": command,
            "environment": IMAGE,
            "outputs": {"out": {"type": "uri_folder"}},
        }
        for name, command in commands.items()
    }
    return {"type": "pipeline", "experiment_name": "cli", "compute": "serverless", "jobs": jobs}


def two_steps() -> dict[str, object]:
    job = steps(
        first="echo one > ${{outputs.out}}/words.txt; echo said", second="cp ${{inputs.words}}/* ${{outputs.out}}"
    )
    job["outputs"] = {"all": {"type": "uri_folder"}}
    second = job["jobs"]["second"]  # type: ignore[index]
    second["inputs"] = {"words": {"type": "uri_folder", "path": "${{parent.jobs.first.outputs.out}}"}}
    second["outputs"] = {"out": "${{parent.outputs.all}}"}
    return job


def test_a_job_is_run_shown_and_recorded_as_one_of_this_machine(project: Project) -> None:
    project.write("pipeline.yml", two_steps())
    done = project.creditml("run", "pipeline.yml")

    name = done.out.partition(":")[0]
    for said in ("2 steps, experiment cli", "first: Completed", "second: Completed", f"{name}: Completed in", "Studio"):
        assert said in done.out
    folder = project.workspace / "jobs" / name
    assert (folder / "outputs/all/words.txt").read_text() == "one\n"
    assert (folder / "steps/first/artifacts/user_logs/std_log.txt").read_text() == "said\n"
    assert "Completing processing run id" in (folder / "artifacts/logs/azureml/executionlogs.txt").read_text()
    here = project.json("job", "show", "-n", name)
    assert (here["status"], here["backend"]) == ("Completed", "azureml")
    assert [(row["node"], row["status"]) for row in project.json("job", "list", "-p", name)] == [
        ("first", "Completed"),
        ("second", "Completed"),
    ]


def test_a_failure_is_told_with_its_log_and_exit_code_1(project: Project) -> None:
    project.write("pipeline.yml", steps(bad="echo broken >&2; exit 3"))
    done = project.creditml("run", "pipeline.yml", code=1)

    assert "bad failed: " in done.err
    assert "broken" in done.err
    assert "std_log.txt" in done.err
    assert "Traceback" not in done.err


def test_jobs_are_listed_shown_streamed_and_downloaded(project: Project) -> None:
    project.write("pipeline.yml", two_steps())
    name = project.json("job", "create", "-f", "pipeline.yml")["name"]
    cloud = ("--backend", "azureml")

    streamed = project.creditml("job", "stream", "-n", name, *cloud).out
    assert streamed.startswith(f"RunId: {name}\nWeb View: ")
    assert "Streaming logs/azureml/executionlogs.txt" in streamed
    assert "Execution Summary" in streamed
    assert name in project.creditml("job", "list", *cloud, "--query", "[].name", "-o", "tsv").out.split()
    assert project.json("job", "show", "-n", name, *cloud)["status"] == "Completed"
    nodes = project.json("job", "list", "-p", name, *cloud)
    assert [(node["node"], node["status"]) for node in nodes] == [("first", "Completed"), ("second", "Completed")]
    step = nodes[0]["name"]
    assert project.json("job", "show", "-n", step, *cloud)["status"] == "Completed"
    project.creditml("job", "download", "-n", step, *cloud, "--all", "-p", "step")
    assert (project.folder / "step/named-outputs/out/words.txt").read_text() == "one\n"
    assert len(project.json("job", "list", *cloud, "-r", "1")) == 1
    project.creditml("job", "download", "-n", name, *cloud, "--all", "-p", "got")
    assert (project.folder / "got/named-outputs/all/words.txt").read_text() == "one\n"
    assert (project.folder / "got/artifacts/logs/azureml/executionlogs.txt").is_file()
    assert "has ended already: Completed" in project.creditml("job", "cancel", "-n", name, *cloud).err


def test_interrupting_cancels_the_job(project: Project) -> None:
    project.write("pipeline.yml", steps(slow="echo up; sleep 300"))
    project.variables["AZUREML_RUN_POLLING_INTERVAL_MIN"] = "0.2"
    with project.start("run", "pipeline.yml") as process:
        assert process.stdout
        deadline = time.monotonic() + PATIENCE
        for line in process.stdout:
            if "slow: Running" in line:
                break
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(PATIENCE) == 130
    assert "CancelRequested: Azure ML is asked to end it" in rest
    assert "slow: Canceled" in rest


def test_a_job_is_cancelled_from_elsewhere(project: Project) -> None:
    project.write("pipeline.yml", steps(slow="sleep 300"))
    name = project.json("job", "create", "-f", "pipeline.yml")["name"]
    for command in ("cancel", "stream", "download"):  # nothing here could
        assert "add --backend azureml" in project.creditml("job", command, "-n", name, code=1).err

    project.creditml("job", "cancel", "-n", name, "--backend", "azureml")

    project.creditml("job", "stream", "-n", name, "--backend", "azureml", code=1)
    assert project.json("job", "show", "-n", name, "--backend", "azureml")["status"] == "Canceled"


def test_a_name_that_was_used_is_refused_and_nothing_is_sent(project: Project) -> None:
    project.write("pipeline.yml", steps(one="true"))
    project.creditml("run", "pipeline.yml", "-n", "twice_mine")

    done = project.creditml("run", "pipeline.yml", "-n", "twice_mine", code=1)

    assert "a job named 'twice_mine' already" in done.err


def test_what_ran_here_under_that_name_is_not_lost(project: Project) -> None:
    project.write("pipeline.yml", steps(one="true"))
    project.creditml("run", "pipeline.yml", "-n", "once_here", "--backend", "local")

    done = project.creditml("run", "pipeline.yml", "-n", "once_here", code=1)

    assert "ran here already" in done.err
    assert project.json("job", "show", "-n", "once_here")["backend"] == "local"


def test_jobs_of_one_name_in_two_workspaces_are_not_mixed(project: Project) -> None:
    project.write("pipeline.yml", steps(one="true"))
    project.creditml("run", "pipeline.yml", "-n", "in_credit")

    done = project.creditml("run", "pipeline.yml", "-n", "in_credit", "-w", "another", code=1)

    assert "ran in another workspace in Azure already" in done.err


def test_a_workspace_that_is_named_nowhere_is_told_with_all_ways_to_name_it(azure: Served, tmp_path: Path) -> None:
    lost = Inside(tmp_path / "lost", HOME=str(tmp_path), **azure.given)
    lost.write("pipeline.yml", steps(one="true"))

    done = lost.creditml("run", "pipeline.yml", "--backend", "azureml", code=1)
    for way in ("config.json", "--subscription", "AZURE_ML_WORKSPACE"):
        assert way in done.err

    lost.write("config.json", json.dumps({"subscription_id": "1", "resource_group": "team"}))
    assert "no workspace_name" in lost.creditml("run", "pipeline.yml", "--backend", "azureml", code=1).err
    lost.creditml("run", "pipeline.yml", "--backend", "azureml", "-w", "credit")
    lost.write("creditml.yml", "backend: azureml\nazureml: {workspace_name: credit}\n")
    lost.creditml("run", "pipeline.yml")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--pass-env", "X", "--max-parallel", "2"), "--max-parallel and --pass-env are only for jobs on this machine"),
        (("--pull", "always"), "--pull is only for containers"),
        (("--backend", "local", "-w", "credit"), "--workspace-name is only for a workspace in Azure"),
    ],
)
def test_flags_that_mean_nothing_there_are_refused(project: Project, flags: tuple[str, ...], said: str) -> None:
    project.write("pipeline.yml", steps(one="true"))
    assert said in project.creditml("run", "pipeline.yml", *flags, code=2).err
