"""A workspace 'in Azure' for tests: our service over TLS as a process of its own, before the genuine SDK."""

from __future__ import annotations

import io
import logging
import os
import shlex
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest
from cutting import Wire
from project import Done, Project

from creditml.cli import main
from creditml.service.variables import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from project import Json


class Served(Project):
    """The folder of the service; `given` are the variables that lead the SDK to it."""

    @property
    def given(self) -> dict[str, str]:
        lines = self.creditml("exec", "--print-env").out.splitlines()
        pairs = (shlex.split(line)[1].partition("=") for line in lines if line.startswith("export "))
        return {name: value for name, _, value in pairs if name != "CREDITML_HOME"}


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service, for all tests."""
    folder = tmp_path_factory.mktemp("azure")
    served = Served(folder / "cloud", HOME=str(folder))
    served.creditml("up")
    served.write("any.yml", {"name": "any", "version": "1", "image": "python:3.11"})
    served.creditml("environment", "create", "-f", "any.yml")
    yield served
    served.creditml("down")


@pytest.fixture
def signed_in(azure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process as a user of that workspace in Azure, in a folder of its own, which is returned."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    for name in [name for name in os.environ if name.startswith(("CREDITML_", "AZURE_", "ARM_", "MLFLOW_"))] + list(
        UNSET
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in azure.given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZUREML_RUN_POLLING_INTERVAL_MIN", "0.2")
    names = {"AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555", "AZURE_RESOURCE_GROUP": "team"}
    for name, value in (names | {"AZURE_ML_WORKSPACE": "credit"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CREDITML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def wire(signed_in: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:  # noqa: ARG001  its variables
    """What stands between that user and Azure, and can be cut."""
    with Wire() as made:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, made.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        yield made


class Inside(Project):
    """A project whose commands run in this process, where the SDK is imported once."""

    def creditml(self, *words: str, code: int | None = 0, **_options: Json) -> Done:
        """Run a command; see `Project.creditml`."""
        out, err = io.StringIO(), io.StringIO()
        wanted = self.environment()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            try:
                ended = main(words)
            except SystemExit as error:
                ended = int(error.code or 0)
        done = Done(ended, out.getvalue(), err.getvalue())
        assert "Traceback" not in done.err, done.err
        assert "defect" not in done.err, done.err
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done
