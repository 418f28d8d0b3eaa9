"""`creditml exec`, `up`, `down` and `status`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest
from project import Project, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUBMIT = """
from azure.ai.ml import MLClient, command
from azure.identity import DefaultAzureCredential
ml = MLClient(DefaultAzureCredential(), "any", "group", "workspace")
job = ml.jobs.create_or_update(command(command="echo hello", environment="azureml:python:1"))
ml.jobs.stream(job.name)
print("name:", job.name)
"""


class Script(NamedTuple):
    """A script's project, and what it printed."""

    project: Project
    out: str


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", HOME=str(tmp_path / "home"))


@pytest.fixture
def served(project: Project) -> Iterator[Project]:
    project.creditml("up")
    yield project
    project.creditml("down")


REGISTRY = """
from azure.core.exceptions import ResourceNotFoundError
registry = MLClient(DefaultAzureCredential(), registry_name="azureml")
try:
    registry.environments.get("sklearn-1.5", version="1")
except ResourceNotFoundError as error:
    print(error.message)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """A script that submits a job, and looks for what is in a registry; it makes its own clients."""
    folder = tmp_path_factory.mktemp("script")
    project = Project(folder / "project", HOME=str(folder / "home"))
    project.write("submit.py", SUBMIT + REGISTRY)
    return Script(project, project.creditml("exec", "--", sys.executable, "submit.py").out)


def test_a_script_that_makes_its_own_client_runs_unchanged(script: Script) -> None:
    name = script.out.rpartition("name:")[2].split()[0]
    assert script.project.json("job", "show", "-n", name)["status"] == "Completed"
    log = script.project.workspace / f"jobs/{name}/artifacts/user_logs/std_log.txt"
    assert "hello" in log.read_text()


def test_a_registry_is_looked_for_here_and_nowhere_else(script: Script) -> None:
    assert "There is no environment named 'sklearn-1.5' in the local registry 'azureml'" in script.out
    assert "creditml environment create -f FILE --registry-name azureml" in script.out


ASKING_NOBODY = ("DefaultAzureCredential", "AzureCliCredential", "ManagedIdentityCredential")
LOGGING_IN = ("InteractiveBrowserCredential", "DeviceCodeCredential", "ClientSecretCredential")
TOKENS = """
import json
from azure import identity
from azure.core.exceptions import ClientAuthenticationError
said = {}
for name in NAMES:
    given = {"tenant_id": "t", "client_id": "c", "client_secret": "s"} if "Secret" in name else {}
    try:
        token = getattr(identity, name)(**given).get_token("https://management.azure.com/.default").token
        said[name] = f"token {len(token) > 100}"
    except ClientAuthenticationError as error:
        said[name] = error.message
print(json.dumps(said))
"""


class Said(NamedTuple):
    """What each credential says when it is asked for a token, and the folder in which it was asked."""

    by: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    folder = tmp_path_factory.mktemp("credentials")
    project = Project(folder / "project", HOME=str(folder / "home"), BROWSER="touch opened %s")
    project.write("login.py", TOKENS.replace("NAMES", str(ASKING_NOBODY + LOGGING_IN)))
    return Said(json.loads(project.creditml("exec", "--", sys.executable, "login.py").out), project.folder)


@pytest.mark.parametrize("credential", ASKING_NOBODY)
def test_credentials_that_ask_nobody_get_a_token(said: Said, credential: str) -> None:
    assert said.by[credential] == "token True"


@pytest.mark.parametrize("credential", LOGGING_IN)
def test_credentials_that_log_somebody_in_say_at_once_what_to_use(said: Said, credential: str) -> None:
    assert "Nobody logs in to creditml's local workspace: use DefaultAzureCredential" in said.by[credential]
    assert not (said.folder / "opened").exists()


def test_other_commands_of_az_are_the_real_ones(project: Project, tmp_path: Path) -> None:
    asked = ("exec", "--", "az", "account", "show")
    assert "Azure CLI is not installed" in project.creditml(*asked, code=127).err
    real = tmp_path / "bin" / "az"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\necho "az $*"\n')
    real.chmod(0o755)
    project.variables["PATH"] = f"{real.parent}:{os.environ['PATH']}"
    assert project.creditml(*asked).out == "az account show\n"


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)])
def test_the_exit_code_is_the_commands(project: Project, command: str, code: int) -> None:
    project.creditml("exec", "--", "bash", "-c", command, code=code)


def test_what_would_lead_elsewhere_is_unset(project: Project) -> None:
    project.variables |= {"AZURE_CLIENT_ID": "x", "AZURE_CLIENT_SECRET": "y", "AZUREML_CURRENT_CLOUD": "AzureCloud"}
    shown = project.creditml("exec", "--", "env").out
    assert "AZURE_CLIENT" not in shown
    assert "AZUREML_CURRENT_CLOUD" not in shown
    assert "IDENTITY_ENDPOINT=https://localhost:" in shown
    assert "MLFLOW_TRACKING_URI=http://127.0.0.1:" in shown


def test_the_command_ends_with_exec(project: Project) -> None:
    with project.start("exec", "--", "bash", "-c", "echo $$ > pid; exec sleep 600") as process:
        file = project.folder / "pid"
        eventually(lambda: file.exists() and file.read_text().strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    eventually(
        lambda: (
            subprocess.run(["kill", "-0", file.read_text().strip()], capture_output=True, check=False).returncode != 0
        )
    )


EARLY = """
import os, signal, subprocess, sys
from creditml.cli import service

class Interrupted(subprocess.Popen):
    def __init__(self, *words, **names):
        super().__init__(*words, **names)
        open("pid", "w").write(str(self.pid))
        os.kill(os.getpid(), signal.SIGTERM)

service.subprocess.Popen = Interrupted
service._variables = lambda *_: {}
sys.exit(service._run(["sleep", "600"], None, None))
"""


def test_the_command_ends_with_exec_even_if_it_has_just_started(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], cwd=tmp_path, check=False)
    process = int((tmp_path / "pid").read_text())
    try:
        assert done.returncode == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_up_status_and_down(project: Project) -> None:
    assert project.creditml("status", code=1).err.startswith("No service is running for this workspace")
    first = project.creditml("up").out.split()[0]
    assert first.startswith("https://localhost:")
    assert project.creditml("up").out.split()[0] == first, "it is there already"
    assert project.creditml("status").out.split()[0] == first
    assert "has stopped" in project.creditml("down").err
    project.creditml("status", code=1)
    assert "No service" in project.creditml("down").err


def test_a_port_that_is_taken(served: Project, tmp_path: Path) -> None:
    port = served.creditml("status").out.split()[0].rpartition(":")[2]
    other = Project(tmp_path / "other")
    assert "can't listen on port" in other.creditml("up", "--port", port, code=1).err
    other.creditml("status", code=1)


def test_the_variables_of_a_shell(served: Project) -> None:
    served.write("submit.py", SUBMIT)
    script = f'eval "$({sys.executable} -m creditml.cli exec --print-env)" && {sys.executable} submit.py'
    done = subprocess.run(
        ["bash", "-c", script], cwd=served.folder, env=served.environment(), capture_output=True, text=True, check=True
    )
    assert "name:" in done.stdout


def test_a_kernel_for_jupyter_names_the_workspace_and_no_server_of_today(project: Project, tmp_path: Path) -> None:
    project.variables |= {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    folder = project.creditml("exec", "--kernel").out.strip()
    assert folder == str(tmp_path / "jupyter/kernels/creditml")
    spec = json.loads((tmp_path / "jupyter/kernels/creditml/kernel.json").read_text())
    assert spec["argv"][0] == sys.executable
    assert spec["env"] == {"CREDITML_HOME": str(project.workspace)}


def test_a_config_is_written_once(project: Project) -> None:
    project.creditml("exec", "--config", ".", "--", "true")
    file = project.folder / "config.json"
    assert set(json.loads(file.read_text())) == {"subscription_id", "resource_group", "workspace_name"}
    file.write_text("mine")
    assert "is not changed" in project.creditml("exec", "--config", ".", "--", "true").err
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "give one of", 2),
        (("--print-env", "--", "true"), "give one of", 2),
        (("--print-env",), "creditml up", 1),
        (("--", "nosuchcommand"), "nosuchcommand can't be started", 1),
    ],
)
def test_calls_that_cant_be_meant(project: Project, words: tuple[str, ...], said: str, code: int) -> None:
    assert said in project.creditml("exec", *words, code=code).err


def test_mlflow_s_client_gets_in(project: Project) -> None:
    project.variables |= {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "of another server"}
    log = "import mlflow; mlflow.log_metric('loss', 1); print('logged')"
    assert "logged" in project.creditml("exec", "--", sys.executable, "-c", log).out
