"""The workspace's database: found, made, brought up to date, or refused with a word on what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.errors import Conflict, CreditMLError, NotFound
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace."""
    made = Workspace(tmp_path / ".creditml")
    yield made
    made.close()


def record(name: str, **fields: object) -> JobRecord:
    """A job that has just been submitted."""
    return JobRecord(name, "command", name, "credit", "NotStarted", 1000)._replace(**fields)


# -- where it is


def test_jobs_lie_apart_on_the_disk(workspace: Workspace) -> None:
    look = ["lsattr", "-d", str(workspace.create().root / "jobs")]
    if shutil.which("lsattr") is None:
        pytest.skip("there is no lsattr")
    listing = subprocess.run(look, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("the file system has no attributes to look at")

    assert b"T" in listing.stdout.split()[0]


def test_it_is_the_nearest_upward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITML_HOME", raising=False)
    outer, inner = tmp_path / "outer", tmp_path / "outer/inner"
    (inner / "deep").mkdir(parents=True)
    Workspace(outer / ".creditml").database.connection.close()

    monkeypatch.chdir(inner / "deep")
    far = Workspace.find().root
    Workspace(inner / ".creditml").database.connection.close()
    near = Workspace.find().root

    assert (far, near) == (outer / ".creditml", inner / ".creditml")


def test_a_folder_of_that_name_alone_is_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITML_HOME", raising=False)
    (tmp_path / ".creditml").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    assert Workspace.find().root == tmp_path / "project/.creditml"


def test_creditml_home_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))

    monkeypatch.setenv("CREDITML_HOME", "relative")
    relative = Workspace.find().root
    monkeypatch.setenv("CREDITML_HOME", "~/mine")
    own = Workspace.find().root

    assert (relative, own) == (tmp_path / "relative", tmp_path / "me/mine")


def test_git_does_not_look_into_it(workspace: Workspace) -> None:
    assert workspace.jobs.entries() == []

    assert (workspace.root / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_folder_of_the_user_s_keeps_its_own_ignore_file(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("build/\n", encoding="utf-8")

    with closing(Workspace(tmp_path)) as workspace:
        workspace.jobs.add(record("a"))

    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "build/\n"


def test_looking_makes_nothing(workspace: Workspace) -> None:
    assert not workspace.exists

    assert not workspace.root.exists()


# -- what it can't use


def test_one_of_a_newer_creditml_is_refused(workspace: Workspace) -> None:
    workspace.jobs.add(record("a"))
    workspace.close()
    file = workspace.root / "workspace.db"
    with closing(sqlite3.connect(file)) as db:
        (known,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version={known + 1}")

    with pytest.raises(CreditMLError, match=r"newer creditml.*Upgrade creditml"):
        Workspace(workspace.root).jobs.entries()

    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT name FROM jobs").fetchall() == [("a",)]


MOUNTS = {
    "nfs": "server:/export {here} nfs4 rw 0 0",
    "above": "server:/export {above} nfs rw 0 0",
    "cifs": "//server/share {here} cifs rw 0 0",
    "sshfs": "me@server:/ {here} fuse.sshfs rw 0 0",
    "below a local one": "/dev/sda1 {above} ext4 rw 0 0\nserver:/export {here} nfs rw 0 0",
    "mounted over a local one": "/dev/sda1 {here} ext4 rw 0 0\nserver:/export {here} nfs rw 0 0",
}
LOCAL_MOUNTS = {
    "local": "/dev/sda1 {here} ext4 rw 0 0",
    "local below a network one": "server:/export {above} nfs rw 0 0\n/dev/sda1 {here} ext4 rw 0 0",
    "network beside it": "/dev/sda1 {above} ext4 rw 0 0\nserver:/export {here}-2 nfs rw 0 0",
    "network whose name begins alike": "/dev/sda1 {above} ext4 rw 0 0\nserver:/export {above}/he nfs rw 0 0",
    "network below it": "/dev/sda1 {here} ext4 rw 0 0\nserver:/export {here}/.creditml/jobs nfs rw 0 0",
}


def mounted(mounts: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system say that file systems are mounted, here and above."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the mounts are known on Linux alone")
    read = Path.read_text
    told = mounts.format(here=str(here).replace(" ", "\\040"), above=here.parent)
    root = "/dev/root / ext4 rw 0 0\n"
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda file, *words, **more: root + told if str(file) == "/proc/self/mounts" else read(file, *words, **more),
    )


@pytest.mark.parametrize("folder", ["here", "he re"])
@pytest.mark.parametrize("mounts", MOUNTS)
def test_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str, folder: str
) -> None:
    mounted(MOUNTS[mounts], tmp_path / folder, monkeypatch)

    with pytest.raises(CreditMLError, match=r"network file system \(.*set CREDITML_HOME to a folder on a local disk"):
        Workspace(tmp_path / folder / ".creditml").jobs.entries()

    assert not (tmp_path / folder / ".creditml/workspace.db").exists()


@pytest.mark.parametrize("mounts", LOCAL_MOUNTS)
def test_a_local_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str) -> None:
    mounted(LOCAL_MOUNTS[mounts], tmp_path / "here", monkeypatch)

    with closing(Workspace(tmp_path / "here/.creditml")) as workspace:
        assert workspace.jobs.entries() == []


@pytest.mark.parametrize("damage", ["no database", "zeros", "cut off"])
def test_a_damaged_one_is_refused_and_left_alone(workspace: Workspace, damage: str) -> None:
    for number in range(200):
        workspace.jobs.add(record(f"job{number}", spec={"command": "x" * 100}))
    workspace.close()
    file = workspace.root / "workspace.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    content = file.read_bytes()
    damaged = {
        "no database": b"once upon a time" * 500,
        "zeros": b"\1" * 5000,
        "cut off": content[: len(content) // 2],
    }[damage]
    file.write_bytes(damaged)

    with pytest.raises(CreditMLError, match=r"workspace.db.*(Move it away|CREDITML_HOME)"):
        Workspace(workspace.root).jobs.add(record("new"))

    assert file.read_bytes()[:100] == damaged[:100]


def test_an_empty_file_is_a_new_one(workspace: Workspace) -> None:
    workspace.root.mkdir()
    (workspace.root / "workspace.db").touch()

    assert workspace.jobs.entries() == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_where_none_can_be_made_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CreditMLError, match=r"file.*CREDITML_HOME"):
        Workspace(tmp_path / place).jobs.add(record("a"))


def test_one_that_may_not_be_written_is_named(workspace: Workspace) -> None:
    workspace.jobs.add(record("a"))
    workspace.close()
    if os.geteuid() == 0:
        pytest.skip("root may write anything")
    for path in (workspace.root / "workspace.db", workspace.root):
        path.chmod(path.stat().st_mode & ~0o222)

    with pytest.raises(CreditMLError, match=r"workspace\.db"):
        Workspace(workspace.root).jobs.add(record("b"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("database or disk is full", "There is no space left"),
        ("unable to open database file", "can't be opened for writing"),
        ("attempt to write a readonly database", "can't be opened for writing"),
        ("database is locked", "has been locked by another process"),
        ("file is not a database", "can't be used as a workspace database"),
    ],
)
def test_it_is_said_what_is_wrong_with_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(said)

    monkeypatch.setattr(sqlite3, "connect", fail)

    with pytest.raises(CreditMLError, match=rf"{words}.*(try again|Try again|CREDITML_HOME)"):
        workspace.jobs.entries()


# -- what it keeps


def synchronous(workspace: Workspace) -> int:
    """How a commit is made: 1 (NORMAL) is lost with the machine's power, 2 (FULL) is not."""
    (value,) = workspace.database.connection.execute("PRAGMA synchronous").fetchone()
    return int(value)


def test_commits_reach_the_disk(workspace: Workspace) -> None:
    assert synchronous(workspace) == 2
    with workspace.transaction():
        assert synchronous(workspace) == 2


def test_those_that_need_not_are_the_only_ones(workspace: Workspace) -> None:
    def fail() -> None:
        with workspace.transaction(durable=False):
            workspace.jobs.add(record("b"))
            message = "stop"
            raise RuntimeError(message)

    with workspace.transaction(durable=False):
        workspace.jobs.add(record("a"))
        assert synchronous(workspace) == 1
    assert synchronous(workspace) == 2
    with pytest.raises(RuntimeError):
        fail()
    assert synchronous(workspace) == 2
    assert [job.name for job in workspace.jobs.entries()] == ["a"]


def test_one_that_need_not_within_one_that_must_does(workspace: Workspace) -> None:
    with workspace.transaction(), workspace.transaction(durable=False):
        workspace.jobs.add(record("a"))
        assert synchronous(workspace) == 2


def test_what_fails_halfway_leaves_nothing(workspace: Workspace) -> None:
    def half() -> None:
        with workspace.transaction():
            workspace.jobs.add(record("a"))
            workspace.assets.create("data", "d", None, {"path": "x"})
            message = "stop"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        half()

    assert workspace.jobs.entries() == []
    assert workspace.assets.entries("data") == []
    assert workspace.assets.create("data", "d", None, {"path": "x"}).version == "1"


def test_every_transition_is_remembered(workspace: Workspace) -> None:
    workspace.jobs.add(record("a"))
    workspace.jobs.transit("a", "Preparing", "Running", started_at=2000)
    workspace.jobs.transit("a", "Finalizing", "Completed", results={"metrics": {"auc": 0.7}})

    assert [status for status, _ in workspace.jobs.history("a")] == [
        "NotStarted",
        "Preparing",
        "Running",
        "Finalizing",
        "Completed",
    ]
    kept = workspace.jobs.get("a")
    assert (kept.status, kept.started_at, kept.results) == ("Completed", 2000, {"metrics": {"auc": 0.7}})


def test_a_job_s_name_is_given_once(workspace: Workspace) -> None:
    workspace.jobs.add(record("a", display_name="first"))

    with pytest.raises(Conflict, match="'a' exists already"):
        workspace.jobs.add(record("a", display_name="second"))

    assert workspace.jobs.get("a").display_name == "first"


def test_names_and_specs_may_hold_anything(workspace: Workspace) -> None:
    odd = "a'b\"; DROP TABLE jobs; -- \u00fc\u2713\U0001f680\n\t"
    workspace.jobs.add(record("a", display_name=odd, tags={odd: odd}, spec={"command": odd}))

    kept = workspace.jobs.get("a")

    assert (kept.display_name, kept.tags, kept.spec) == (odd, {odd: odd}, {"command": odd})
    with pytest.raises(NotFound):
        workspace.jobs.get("' OR 1=1 --")


def test_two_connections_see_the_same(workspace: Workspace) -> None:
    workspace.jobs.add(record("a"))

    with closing(Workspace(workspace.root)) as other:
        other.jobs.transit("a", "Running")
        other.assets.create("data", "d", None, {"path": "x"})

    assert workspace.jobs.get("a").status == "Running"
    assert workspace.assets.get("data", "d").version == "1"


# -- brought up to date

FIRST = """
    CREATE TABLE containers (
        kind TEXT NOT NULL, name TEXT NOT NULL, next_version INTEGER NOT NULL DEFAULT 1,
        archived INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, name)) WITHOUT ROWID;
    CREATE TABLE assets (
        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
        spec TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL,
        archived INTEGER NOT NULL DEFAULT 0,
        UNIQUE (kind, name, version), FOREIGN KEY (kind, name) REFERENCES containers);
    INSERT INTO containers VALUES ('data', 'words', 3, 0), ('data', 'old', 2, 1);
    INSERT INTO assets VALUES
        (1, 'data', 'words', '1', '{"path": "a"}', 5, 5, 1), (2, 'data', 'words', '2', '{"path": "b"}', 5, 6, 0),
        (3, 'data', 'old', '1', '{"path": "c"}', 5, 5, 0);
    PRAGMA user_version=1;
"""


def test_assets_of_the_first_schema_stay_what_they_were(workspace: Workspace) -> None:
    workspace.create()
    with closing(sqlite3.connect(workspace.root / "workspace.db")) as db:
        db.executescript(FIRST)

    found = workspace.assets.entries("data", archived=True)
    assert [(a.name, a.version, a.spec["path"], a.archived) for a in found] == [
        ("old", "1", "c", True),
        ("words", "2", "b", False),
    ]
    assert [(a.version, a.archived) for a in workspace.assets.entries("data", "words", archived=True)] == [
        ("2", False),
        ("1", True),
    ]
    assert workspace.assets.create("data", "words", None, {"path": "d"}).version == "3"
    assert workspace.registry("mine").entries("data", archived=True) == []
    assert workspace.registry("mine").create("data", "words", None, {"path": "e"}).version == "1"
    assert workspace.assets.get("data", "words").spec == {"path": "d"}
