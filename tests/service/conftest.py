"""Fixtures for the tests of the service."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capturing import ENTRY_POINT
from polling import ask_often
from sides import Sides

import creditml
from creditml.cli import main
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.ai.ml import MLClient


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspace's folder, which CREDITML_HOME names as a user would."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("CREDITML_", "AZURE", "ARM_", "MLFLOW_"))]:
            patch.delenv(name)
        patch.setenv("CREDITML_HOME", str(folder))
        ask_often(patch)
        patch.chdir(tmp_path_factory.mktemp("project"))
        yield folder


@pytest.fixture(scope="module")
def ml(home: Path) -> MLClient:  # noqa: ARG001  the fixture sets CREDITML_HOME
    """A client of the local workspace, from `creditml.connect()`."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    return creditml.connect(show_progress=False)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "capturing-1.dist-info").mkdir()
    (folder / "capturing-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINT, encoding="utf-8")
    logging.disable(logging.WARNING)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("CREDITML_BACKEND", "capturing")
        patch.setenv("CREDITML_HOME", str(folder / "theirs"))
        client = creditml.connect("local")
        sides = Sides(Workspace(folder / "ours").create(), Workspace(folder / "theirs"), client)
        yield sides
        sides.ours.close()
        sides.theirs.close()
    logging.disable(logging.NOTSET)


ASSETS = (("environment", "environment.yml"), ("data", "words.yml"), ("component", "copy.yml"))


@pytest.fixture(scope="module")
def jobs(sides: Sides, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with jobs, outside of git (the SDK would record that); the assets that they need are registered."""
    folder = Path(shutil.copytree(Path(__file__).parent / "jobs", tmp_path_factory.mktemp("jobs") / "jobs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for workspace in (sides.ours, sides.theirs):
            patch.setenv("CREDITML_HOME", str(workspace.root))
            for kind, file in ASSETS:
                assert main([kind, "create", "-f", file]) == 0
            there = workspace.data.datastore("workspaceblobstore") / "there" / "x.txt"
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text("x", encoding="utf-8")
    return folder
