"""Steps whose scripts make an MLClient of their own reach the workspace that runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, pipeline, processes, step

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.takes(30)

CLIENT = """
import os
from azure.ai.ml import MLClient, command
from azure.identity import DefaultAzureCredential
ml = MLClient(DefaultAzureCredential(), "any", "group", "workspace")
"""
LOOK = f"""
{CLIENT}
asset = ml.data.get("words", label="latest")
print("data:", asset.name, asset.version)
registry = MLClient(DefaultAzureCredential(), registry_name="shared")
print("registry:", [asset.name for asset in registry.data.list()])
print("this job:", ml.jobs.get(os.environ["AZUREML_ROOT_RUN_ID"]).status)
print("mlflow:", ml.workspaces.get("any").mlflow_tracking_uri == os.environ["MLFLOW_TRACKING_URI"])
"""
NESTED = """
from azure.ai.ml import MLClient, command
from azure.identity import DefaultAzureCredential
ml = MLClient.from_config(DefaultAzureCredential())
job = ml.jobs.create_or_update(command(command="echo from within", environment="azureml:python:1"))
ml.jobs.stream(job.name)
print("nested:", job.name, ml.jobs.get(job.name).status)
"""
CHEAP_CLIENT = """
# does what an MLClient does, without the SDK, which takes two seconds to import
import json, os, ssl, time, urllib.request
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
def ask(url, **headers):
    return json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=context))
(cloud,) = ask(os.environ["ARM_CLOUD_METADATA_URL"])
identity = f"{os.environ['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={cloud['resourceManager']}"
token = ask(identity, **{"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]})["access_token"]
workspace = "resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/workspace"
def get(place):
    url = f"{cloud['resourceManager'].rstrip('/')}/subscriptions/any/{workspace}/{place}?api-version=2023-10-01"
    return ask(url, Authorization=f"Bearer {token}")
"""
REACH = f"""
{CHEAP_CLIENT}
found = get("data/words/versions/3")
print("data:", found["name"], found["properties"]["dataType"])
"""
WAIT = f"""
{CHEAP_CLIENT}
print(len(get("jobs")["value"]), flush=True)
time.sleep(600)
"""
SUBMIT = f"""
{CLIENT}
from azure.ai.ml import dsl, load_component
@dsl.pipeline(compute="serverless")
def flow():
    load_component("component.yml")()
job = ml.jobs.create_or_update(flow())
ml.jobs.stream(job.name)
print("name:", job.name)
"""
CONNECTED = SUBMIT.replace(CLIENT, "import creditml\nml = creditml.connect()\n")


def project_of(folder: Path, script: str) -> Project:
    project = Project(folder / "project", HOME=str(folder / "home"), AZUREML_RUN_POLLING_INTERVAL_MIN="1")
    project.write("src/main.py", script)
    return project


def client_step() -> dict[str, object]:
    return step("python main.py", code="./src")


def is_quiet(project: Project) -> bool:
    return not processes(str(project.workspace))


def test_a_step_reads_from_its_workspace_and_submits_to_it(tmp_path: Path) -> None:
    project = project_of(tmp_path, LOOK + NESTED)
    project.write("words.txt", "a b c")
    project.write("words.yml", {"name": "words", "version": "3", "type": "uri_file", "path": "words.txt"})
    project.creditml("data", "create", "-f", "words.yml")
    project.creditml("data", "create", "-f", "words.yml", "--name", "theirs", "--registry-name", "shared")
    project.variables |= {"AZURE_CLIENT_ID": "x", "AZURE_CLIENT_SECRET": "y", "AZURE_TENANT_ID": "z"}
    flags = [flag for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET") for flag in ("--pass-env", name)]
    job = project.run(pipeline({"look": client_step()}), *flags, "--max-parallel", "1")
    log = job.log("look")
    assert "data: words 3" in log
    assert "registry: ['theirs']" in log
    assert "this job: JobStatus.RUNNING" in log
    assert "mlflow: True" in log
    nested, status = log.rpartition("nested:")[2].split()
    assert status == "JobStatus.COMPLETED"
    assert "from within" in (project.workspace / f"jobs/{nested}/artifacts/user_logs/std_log.txt").read_text()
    assert not (job.folder() / "service.log").exists(), (job.folder() / "service.log").read_text()
    eventually(lambda: is_quiet(project))


def test_a_step_does_not_wait_for_itself_and_may_use_the_azure_cli_s_credential(tmp_path: Path) -> None:
    script = NESTED.replace("DefaultAzureCredential", "AzureCliCredential") + "\nimport sys; print(sys.prefix)"
    project = project_of(tmp_path, script)
    project.write("creditml.yml", {"max_jobs": 1})

    log = project.submit(pipeline({"submit": client_step()})).wait().log("submit")

    assert log.rpartition("nested:")[2].split()[1] == "JobStatus.COMPLETED"
    assert sys.prefix in log.splitlines(), "PATH still begins with the environment's programs"
    eventually(lambda: is_quiet(project))


@pytest.mark.parametrize(("script", "prefix"), [(SUBMIT, ("exec", "--")), (CONNECTED, ())])
def test_however_the_job_is_submitted(tmp_path: Path, script: str, prefix: tuple[str, ...]) -> None:
    project = project_of(tmp_path, REACH)
    project.write("words.yml", {"name": "words", "version": "3", "type": "uri_file", "path": "words.yml"})
    project.creditml("data", "create", "-f", "words.yml")
    project.write("component.yml", {"name": "look", **client_step()})
    project.write("submit.py", script)
    command = [sys.executable, "submit.py"]
    if prefix:
        out = project.creditml(*prefix, *command).out
    else:
        options = {"cwd": project.folder, "env": project.environment(), "capture_output": True, "text": True}
        out = subprocess.run(command, check=True, **options).stdout  # type: ignore[call-overload]
    name = out.rpartition("name:")[2].strip()
    log = project.workspace / f"jobs/{name}/steps/look/artifacts/user_logs/std_log.txt"
    assert log.read_text() == "data: 3 uri_file\n"
    eventually(lambda: is_quiet(project))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_runner_is_gone(tmp_path: Path, number: signal.Signals) -> None:
    project = project_of(tmp_path, WAIT)
    project.write("job.yml", pipeline({"wait": client_step()}))
    with project.start("run", "job.yml", "--name", "held") as process:
        log = project.workspace / "jobs/held/steps/wait/artifacts/user_logs/std_log.txt"
        eventually(lambda: log.exists() and log.read_text() == "1\n")
        assert any("attached" in text for text in lines(project)), "the service runs"
        process.send_signal(number)
        process.communicate()
    eventually(lambda: is_quiet(project))


def lines(project: Project) -> list[str]:
    found = processes(str(project.workspace))
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if int(line.split()[0]) in found]


def test_code_that_names_no_client_gets_no_variables(tmp_path: Path) -> None:
    project = project_of(tmp_path, "import os; print(sorted(os.environ))")
    job = project.run(pipeline({"plain": client_step()}))
    assert "IDENTITY_ENDPOINT" not in job.log("plain")
    assert not (project.workspace / "service").exists()


def test_a_service_that_cant_start_is_told(tmp_path: Path) -> None:
    project = project_of(tmp_path, "print('MLClient is not needed')")
    project.write("broken/uvicorn.py", "raise ImportError('no uvicorn here')")
    project.variables |= {"PYTHONPATH": os.pathsep.join([str(project.folder / "broken"), *sys.path])}
    job = project.run(pipeline({"plain": client_step()}))
    assert "no MLClient of a step reaches the workspace: ImportError: no uvicorn here" in job.done.err
    assert job.statuses() == {"plain": "Completed"}
