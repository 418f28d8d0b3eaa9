"""Other users of the machine get into no workspace, and files that are not creditml's keep their modes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from project import Project, single

from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A temporary folder that others can enter; pytest's own are closed to them."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can act as somebody else")
    with TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def mode(path: Path) -> int:
    """The permission bits of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def opened(root: Path) -> Path:
    """The folder of a workspace that was opened and closed again."""
    workspace = Workspace(root)
    workspace.database.check()
    workspace.close()
    return root


def test_a_new_workspace_is_its_owner_s_alone(tmp_path: Path) -> None:
    root = opened(tmp_path / "a" / ".creditml")
    assert (mode(root), mode(root / "workspace.db")) == (0o700, 0o600)
    assert mode(root.parent) == 0o755


def test_an_open_workspace_is_closed_when_it_is_used(tmp_path: Path) -> None:
    root = opened(tmp_path / ".creditml")
    root.chmod(0o755)
    (root / "workspace.db").chmod(0o644)
    opened(root)
    assert (mode(root), mode(root / "workspace.db")) == (0o700, 0o600)


def test_one_with_another_name_that_creditml_made_is_closed_too(tmp_path: Path) -> None:
    root = opened(tmp_path / "ml")
    root.chmod(0o755)
    assert mode(opened(root)) == 0o700


def test_a_folder_of_the_user_s_keeps_its_mode_and_files(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "notes.txt").write_text("mine")
    (root / "notes.txt").chmod(0o664)
    for name in ("jobs", "mlflow"):
        (root / name).mkdir()
    opened(root)
    assert (mode(root), mode(root / "notes.txt")) == (0o755, 0o664)
    own = [mode(root / name) for name in ("workspace.db", "jobs", "mlflow", "datastores")]
    assert own == [0o600, 0o700, 0o700, 0o700]


def test_what_a_job_keeps_is_read_by_nobody_else(reachable: Path) -> None:
    project = Project(reachable / "project")
    data = project.write("data/x.csv", "1\n")
    job = project.run(single("cat ${{inputs.x}}", inputs={"x": {"type": "uri_file", "path": "data/x.csv"}}))
    log = job.folder() / "artifacts/user_logs/std_log.txt"
    wanted = [log, project.workspace / "workspace.db", data]
    read = [subprocess.run([*AS_NOBODY, "cat", path], capture_output=True, text=True, check=False) for path in wanted]
    assert [done.stdout for done in read] == ["", "", "1\n"]
    assert log.read_text(encoding="utf-8") == "1\n"


def test_somebody_else_s_workspace_above_is_passed_over(reachable: Path) -> None:
    opened(reachable / ".creditml")
    here = reachable / "project"
    here.mkdir()
    code = "from creditml.workspace import Workspace; print(Workspace.find().root)"
    clean = {name: value for name, value in os.environ.items() if name != "CREDITML_HOME"}
    done = subprocess.run(
        [*AS_NOBODY, sys.executable, "-c", code], cwd=here, env=clean, capture_output=True, check=False
    )
    if b"No module named 'creditml'" in done.stderr or b"can't open" in done.stderr:
        pytest.skip("the interpreter isn't there for others")
    assert done.stdout.decode().strip() == str(here / ".creditml"), done.stderr
