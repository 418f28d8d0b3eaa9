"""The README's commands work. Its two lines of set-up are what `.ci/run` runs, and are only compared here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.takes(20)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("creditml ")
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One workspace: the commands follow on each other. No service outlives them."""
    folder = tmp_path_factory.mktemp("readme")
    yield folder
    subprocess.run(
        [sys.executable, "-m", "creditml.cli", "down"],
        env={**os.environ, "CREDITML_HOME": str(folder)},
        capture_output=True,
        check=True,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_works(command: str, home: Path) -> None:
    if "https://" in command:  # no test needs the network: the rest of the command is right if it validates
        command = command.replace("creditml run", "creditml job validate -f")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    places = {"CREDITML_HOME": str(home), "JUPYTER_DATA_DIR": str(home / "jupyter")}
    environment = {**os.environ, "PATH": path, **places}

    done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_mistakes_are_found_as_the_readme_shows(tmp_path: Path) -> None:
    """Its transcript is of the example with three mistakes."""
    for folder in ("components", "examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    job = tmp_path / "examples" / "credit_defaults" / "pipeline.yml"
    text = job.read_text(encoding="utf-8")
    for right, wrong in (
        ("test_train_ratio: 0.25", "test_train_ratio: 1.5"),
        ("train_data: ${{parent.jobs.data_prep_job.", "train_data: ${{parent.jobs.data_prep."),
        ("      n_estimators: ", "      n_estimator: "),
    ):
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    job.write_text(text, encoding="utf-8")
    ((command, shown),) = re.findall(r"```console\n\$ (creditml job validate [^\n]*)\n(.*?)```", README, re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-m", "creditml.cli", *command.split()[1:]],
        cwd=job.parent,
        env={**os.environ, "CREDITML_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )

    told = [line for line in done.stderr.splitlines() if "differs from the environment" not in line]  # as installed
    assert told == shown.splitlines()


def test_the_two_lines_are_there() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]

    assert len(lines) == 2
    assert lines[0].endswith("creditml run examples/credit_defaults/pipeline.yml")
    assert lines[1].endswith("python -m pytest -q")


def test_settings_named_in_the_readme_are_read(tmp_path: Path) -> None:
    settings = "backend: nowhere\nmax_parallel: 2\nmax_jobs: 1\npass_env: [HF_HOME]\n"
    (tmp_path / "creditml.yml").write_text(settings, encoding="utf-8")
    (tmp_path / "job.yml").write_text("command: 'true'\nenvironment: azureml:any@latest\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "creditml.cli", "run", "job.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "no backend 'nowhere'" in done.stderr
    assert "local" in done.stderr
