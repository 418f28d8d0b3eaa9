"""`creditml.connect`: which workspace it is, and that one process can have several."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import creditml
from creditml.errors import BackendError
from creditml.service import transport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE", "CREDITML_BACKEND"):
        monkeypatch.delenv(name, raising=False)


def test_by_default_it_is_the_local_workspace(tmp_path: Path) -> None:
    client = creditml.connect()
    assert client.workspaces.get(client.workspace_name).location == "local"
    assert (tmp_path / ".creditml").is_dir()


@pytest.mark.parametrize("how", ["an argument", "the environment", "a file"])
def test_the_real_one_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "the environment":
        monkeypatch.setenv("CREDITML_BACKEND", "azureml")
    elif how == "a file":
        (tmp_path / "creditml.yml").write_text("backend: azureml\n")
    with pytest.raises(BackendError, match=r"config\.json"):
        creditml.connect("azureml" if how == "an argument" else None)


def test_the_real_one_by_its_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"subscription_id": "my-subscription", "resource_group": "my-group", "workspace_name": "mine"}'
    )
    client = creditml.connect("azureml")
    assert (client.subscription_id, client.workspace_name) == ("my-subscription", "mine")


def test_the_real_one_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE"):
        monkeypatch.setenv(name, name.lower())
    client = creditml.connect("azureml")
    assert client.resource_group_name == "azure_resource_group"


def test_two_workspaces_in_one_process_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.ai.ml.entities import Data

    clients = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.txt").write_text(name)
        monkeypatch.setenv("CREDITML_HOME", str(tmp_path / name / "home"))
        clients[name] = creditml.connect(show_progress=False)
    for name, client in clients.items():
        path = str(tmp_path / name / "data.txt")
        client.data.create_or_update(Data(name=name, version="1", path=path, type="uri_file"))
    for name, client in clients.items():
        assert [data.name for data in client.data.list()] == [name]
        (kept,) = (tmp_path / name).glob("home/datastores/workspaceblobstore/LocalUpload/*/data.txt")
        assert kept.read_text() == name


def test_the_seam_is_named_if_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SEAM", ("azure.storage.blob._shared.base_client", "NoSuchTransport"))
    with pytest.raises(BackendError, match="NoSuchTransport"):
        creditml.connect()


def test_other_storage_accounts_are_reached_as_ever() -> None:
    from azure.core.exceptions import ServiceRequestError
    from azure.storage.blob import ContainerClient

    creditml.connect()
    elsewhere = ContainerClient("https://localhost:9/account", "container", retry_total=0)
    with pytest.raises(ServiceRequestError):
        elsewhere.exists()


TAKEN = ({}, {"MLFLOW_TRACKING_TOKEN": "x"}, {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "mine"})
LOG = f"""
import os, creditml, mlflow
before = dict(os.environ)
for number, taken in enumerate({TAKEN}):
    os.environ.clear()
    os.environ.update(before | taken)
    client = creditml.connect()
    mlflow.set_tracking_uri(client.workspaces.get(client.workspace_name).mlflow_tracking_uri)
    with mlflow.start_run() as run:
        mlflow.log_text(f"hello {{number}}", "hello.txt")
    print(mlflow.artifacts.load_text(f"runs:/{{run.info.run_id}}/hello.txt"))
"""


def test_mlflow_gets_in_at_the_address_that_the_workspace_names_whatever_is_set(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CREDITML_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-c", LOG], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert {"hello 0", "hello 1", "hello 2"} <= {*done.stdout.splitlines()}, done.stderr
