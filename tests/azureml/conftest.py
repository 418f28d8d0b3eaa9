"""Fixtures for tests of the azureml backend: our own service, as a process with TLS, takes the place of Azure."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import pytest
from azure_side import Served
from cutting import Wire
from polling import ask_often
from project import Project

from creditml.service.variables import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service, shared by all tests of a session."""
    folder = tmp_path_factory.mktemp("azure")
    served = Served(folder / "cloud", HOME=str(folder))
    served.creditml("up")
    served.write("any.yml", {"name": "any", "version": "1", "image": "python:3.11"})
    served.creditml("environment", "create", "-f", "any.yml")
    yield served
    served.creditml("down")


@pytest.fixture(autouse=True)
def _asking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_often(monkeypatch)


@pytest.fixture
def signed_in(azure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this process a user of the workspace in Azure, in a folder of its own; returns the folder."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    own = [name for name in os.environ if name.startswith(("CREDITML_", "AZURE", "ARM_", "MLFLOW_"))]
    for name in {*own, *UNSET}:
        monkeypatch.setenv(name, "")  # otherwise the SDK's own changes (AZUREML_CURRENT_CLOUD) would remain
        monkeypatch.delenv(name)
    for name, value in azure.given.items():
        monkeypatch.setenv(name, value)
    names = {"AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555", "AZURE_RESOURCE_GROUP": "team"}
    for name, value in (names | {"AZURE_ML_WORKSPACE": "credit"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CREDITML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def wire(signed_in: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:  # noqa: ARG001  the fixture sets variables
    """The connection between the user and the service, which tests can cut."""
    with Wire() as made:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, made.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK retry as often as usual, but with shorter waits."""
    from azure.core.pipeline.transport import HttpTransport

    monkeypatch.setattr(HttpTransport, "sleep", lambda _, duration: time.sleep(min(duration, 0.2)))


@pytest.fixture
def folder(signed_in: Path) -> Project:
    """The user's project in its folder."""
    return Project(signed_in, CREDITML_HOME=str(signed_in / "home"))
