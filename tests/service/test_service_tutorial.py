"""The tutorial's notebook: as it is, and with a client of its own, under `creditml exec` and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from project import with_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.takes(60)

ROOT = Path(__file__).parents[2]
NOTEBOOK = Path("examples/credit_defaults/tutorial.ipynb")
OWN_CLIENT = """
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential

ml_client = MLClient(
    DefaultAzureCredential(),
    subscription_id="11111111-2222-3333-4444-555555555555",
    resource_group_name="a-group",
    workspace_name="a-workspace",
)
"""
# For a folder on PYTHONPATH: whatever would leave this machine is written down, and refused.
GUARD = """
import ipaddress, os, sys

EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}

def is_here(host):
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False

def guard(event, arguments):
    if event not in EVENTS:
        return
    place = arguments[0 if event.startswith("socket.get") else 1]
    host = place[0] if isinstance(place, tuple) else place
    local = isinstance(host, (str, bytes)) and os.sep in os.fsdecode(host)  # a socket of the file system
    if not local and not isinstance(host, int) and not is_here(host):
        with open(os.environ["TRIED"], "a") as file:
            print(event, place, file=file)
        raise PermissionError(f"{event}: {place} is not on this machine")

sys.addaudithook(guard)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the notebook needs, to run in, with fewer customers."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("components", "examples"):
        ignored = shutil.ignore_patterns("__pycache__", ".creditml", "downloads")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    sample = folder / "examples/credit_defaults/data/credit_defaults_sample.csv"
    lines = sample.read_text(encoding="ascii").splitlines(keepends=True)
    sample.write_text("".join(lines[:1200]), encoding="ascii")
    return folder


@pytest.fixture
def guarded(tmp_path: Path, home: Path) -> dict[str, str]:
    """An environment in which Python reaches only this machine, and writes into the file TRIED what it tried."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CREDITML_", "AZURE", "MLFLOW_"))}
    path = os.pathsep.join((str(tmp_path / "guard"), *filter(None, [kept.get("PYTHONPATH")])))
    return {**kept, "PYTHONPATH": path, "TRIED": str(tmp_path / "tried.txt"), "CREDITML_HOME": str(home)}


@pytest.fixture(scope="module")
def _private_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the kernels of whoever runs the tests nor his settings of IPython."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / name.lower()))
        yield


@pytest.fixture(scope="module")
def first(project: Path, home: Path, _private_jupyter: None) -> Iterator[list[str]]:
    """The lines that the notebook prints when it is executed as it is, in its own folder."""
    notebook = nbformat.read(project / NOTEBOOK, as_version=4)
    folder = (project / NOTEBOOK).parent
    with with_mlflow(home):
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        yield "".join(output["text"] for output in outputs if output.get("name") == "stdout").splitlines()


def creditml(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a folder where nothing is."""
    command = [str(Path(sys.executable).with_name("creditml")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def script(client: str) -> str:
    """The notebook's cells, with `client` in the place of the one that makes the client."""
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    cells = [cell["source"] for cell in notebook.cells if cell["cell_type"] == "code"]
    (own,) = [number for number, source in enumerate(cells) if "creditml" in source.split()]
    cells[own] = client
    return "\n\n".join(cells)


def registered(version: int) -> set[str]:
    """What a run of the notebook says that it has registered."""
    names = ("data_prep_credit_defaults", "train_credit_defaults_model", "credit_defaults_tutorial_model")
    return {"credit-card:initial", *(f"{name}:{version}" for name in names)}


def test_the_notebook_runs_as_it_is(first: list[str]) -> None:
    assert registered(1) <= {*first}


@pytest.mark.usefixtures("first")
def test_it_runs_again_with_a_client_of_its_own_without_a_change_or_a_network(
    project: Path, guarded: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tutorial.py").write_text(script(OWN_CLIENT), encoding="utf-8")
    command = [sys.executable, "-m", "creditml.cli", "exec", "--", sys.executable, str(tmp_path / "tutorial.py")]

    done = subprocess.run(command, cwd=project, env=guarded, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "a-workspace in local" in done.stdout
    assert registered(2) <= {*done.stdout.splitlines()}, "it is the workspace of the first run"
    assert not Path(guarded["TRIED"]).exists(), Path(guarded["TRIED"]).read_text(encoding="utf-8")


@pytest.mark.usefixtures("_private_jupyter")
def test_a_kernel_for_editors_starts_the_service_that_it_needs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert creditml("exec", "--kernel").returncode == 0
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "11111111-2222-3333-4444-555555555555")
    source = f"{OWN_CLIENT}\nprint(ml_client.workspaces.get('a-workspace').description)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    (Path.cwd() / "select.py").write_text("raise ImportError", encoding="utf-8")  # a notebook's neighbour

    try:
        NotebookClient(notebook, timeout=120, kernel_name="creditml").execute()

        assert str(home) in notebook.cells[0]["outputs"][-1]["text"]
        assert creditml("status").returncode == 0
    finally:
        creditml("down")
        (Path.cwd() / "select.py").unlink()


@pytest.mark.parametrize(
    "attempt",
    ["socket.create_connection(('192.0.2.1', 443), 1)", "socket.create_connection(('management.azure.com', 443), 1)"],
)
def test_the_guard_would_have_seen_it(attempt: str, guarded: dict[str, str]) -> None:
    command = [sys.executable, "-m", "creditml.cli", "exec", "--", sys.executable, "-c", f"import socket; {attempt}"]

    done = subprocess.run(command, env=guarded, capture_output=True, text=True, check=False)

    assert "is not on this machine" in done.stderr
    assert Path(guarded["TRIED"]).exists()


def test_no_outputs_are_kept_in_the_notebook() -> None:
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)

    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
