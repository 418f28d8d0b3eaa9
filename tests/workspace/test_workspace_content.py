"""Snapshots: the same hash as Azure ML's own, the same files, complete or absent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditml.errors import CreditMLError
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

SDK = """
import sys
from azure.ai.ml._utils._asset_utils import get_content_hash, get_ignore_file, get_object_hash
from azure.ai.ml.entities._component.code import ComponentIgnoreFile
for folder in sys.argv[1:]:
    print(get_content_hash(folder, ComponentIgnoreFile(folder)), get_object_hash(folder, get_ignore_file(folder)))
"""
TREES = {
    "order": {
        "b.txt": "b",
        "A.txt": "A",
        "a.txt": "a",
        "B/x": "1",
        "b-c": "2",
        "a/z": "3",
        "a.d/z": "4",
        "ä.txt": "5",
        "Z": "6",
    },
    "empty files": {"a": "", "b/c": "", "d": "text"},
    "deep": {"a/b/c/d/e/f/g.txt": "deep", "a/b/c.txt": "half"},
    "odd names": {"with blank": "1", "#hash#": "2", "ünï/çödé.py": "3", "quote'd": "4", "new\nline": "5", "-dash": "6"},
    "cache": {"main.py": "1", "__pycache__/main.pyc": "2", "sub/__pycache__/x.pyc": "3", "sub/keep.py": "4"},
    "amlignore": {
        ".amlignore": "*.csv\n!keep.csv\ndata/\n/top\n# no\n",
        "x.csv": "1",
        "keep.csv": "2",
        "data/y": "3",
        "top": "4",
        "sub/top": "5",
        "sub/x.csv": "6",
    },
    "gitignore": {
        ".gitignore": "build\n*.log\n**/tmp/*\n",
        "build/x": "1",
        "a.log": "2",
        "sub/tmp/y": "3",
        "sub/keep": "4",
    },
    "both": {".amlignore": "a\n", ".gitignore": "b\n", "a": "1", "b": "2"},
    "nested": {"sub/.amlignore": "*\n", "sub/x": "1", "y": "2", ".hidden": "3", ".git/config": "4"},
    "line ends": {"a": "one\r\ntwo\r\n", "b": "one\ntwo"},
    "big": {"big.bin": "x" * 3_000_000, "small": "y"},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A new workspace, beside whatever is snapshotted."""
    return Workspace(tmp_path / "home")


def grow(top: Path, tree: dict[str, str]) -> Path:
    """Make the files of a tree."""
    for path, text in tree.items():
        place = top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    return top


def files(top: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_hashes_are_those_of_azure_s_sdk(workspace: Workspace, tmp_path: Path) -> None:
    folders = [grow(tmp_path / name.replace(" ", "_"), tree) for name, tree in TREES.items()]
    linked = grow(tmp_path / "linked", {"real/x": "1", "y": "2"})
    (linked / "link").symlink_to("y")
    (linked / "folder").symlink_to("real")
    folders.append(linked)
    theirs = subprocess.run(
        [sys.executable, "-c", SDK, *map(str, folders)], capture_output=True, text=True, check=True
    ).stdout.split()

    code = {folder.name: workspace.content.snapshot_code(folder) for folder in folders}
    data = {folder.name: workspace.content.upload(folder, tmp_path / "store") for folder in folders}

    assert code == dict(zip(code, theirs[::2], strict=True))
    assert data == dict(zip(data, theirs[1::2], strict=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": "bc"}, {"ab": "c"}), ({"a": "1", "b": "2"}, {"a": "1"})],
    ids=["the same hash", "an upload that was broken off"],
)
def test_data_never_takes_other_data_s_place(
    workspace: Workspace, tmp_path: Path, one: dict[str, str], other: dict[str, str]
) -> None:
    store = tmp_path / "store"
    wanted = grow(tmp_path / "wanted" / "data", one)
    place = store / workspace.content.upload(wanted, tmp_path / "elsewhere") / "data"
    grow(place, other)

    uploaded = store / workspace.content.upload(wanted, store) / "data"

    assert files(uploaded) == files(wanted)
    assert files(place) == {path: text.encode() for path, text in other.items()}


def test_files_of_the_same_content_keep_their_names(workspace: Workspace, tmp_path: Path) -> None:
    folder = grow(tmp_path / "data", {"a.csv": "1", "b.csv": "1"})

    hashes = {workspace.content.upload(folder / name, tmp_path / "store") for name in ("a.csv", "b.csv")}

    assert len(hashes) == 1
    assert files(tmp_path / "store" / hashes.pop()) == {"a.csv": b"1", "b.csv": b"1"}


def test_a_snapshot_holds_what_is_not_ignored(workspace: Workspace, tmp_path: Path) -> None:
    code = grow(tmp_path / "code", TREES["amlignore"])

    snapshot = workspace.content.folder(workspace.content.snapshot_code(code))

    assert set(files(snapshot)) == {".amlignore", "keep.csv", "sub/top"}


def test_a_snapshot_is_a_copy_with_modes(workspace: Workspace, tmp_path: Path) -> None:
    code = grow(tmp_path / "code", {"run.sh": "echo hi", "x": "1"})
    (code / "run.sh").chmod(0o755)
    snapshot = workspace.content.folder(workspace.content.snapshot_code(code))

    (code / "x").write_text("2", encoding="utf-8")

    assert (snapshot / "x").read_text(encoding="utf-8") == "1"
    assert os.access(snapshot / "run.sh", os.X_OK)
    assert (snapshot / "x").stat().st_ino != (code / "x").stat().st_ino


def test_links_are_followed(workspace: Workspace, tmp_path: Path) -> None:
    shared = grow(tmp_path / "shared", {"lib.py": "lib", "deep/more.py": "more"})
    code = grow(tmp_path / "code", {"main.py": "main"})
    (code / "lib.py").symlink_to(shared / "lib.py")
    (code / "shared").symlink_to(shared)

    snapshot = workspace.content.folder(workspace.content.snapshot_code(code))

    assert files(snapshot) == {
        "main.py": b"main",
        "lib.py": b"lib",
        "shared/lib.py": b"lib",
        "shared/deep/more.py": b"more",
    }
    assert not any(path.is_symlink() for path in snapshot.rglob("*"))


def test_a_folder_that_links_to_itself_ends(workspace: Workspace, tmp_path: Path) -> None:
    code = grow(tmp_path / "code", {"a/main.py": "main"})
    (code / "a/up").symlink_to("..")
    (code / "self").symlink_to(".")

    assert "a/main.py" in files(workspace.content.folder(workspace.content.snapshot_code(code)))


def test_the_workspace_is_no_part_of_a_snapshot_around_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / ".creditml")
    grow(tmp_path, {"main.py": "main"})
    first = workspace.content.snapshot_code(tmp_path)

    second = workspace.content.snapshot_code(tmp_path)

    assert first == second
    assert set(files(workspace.content.folder(first))) == {"main.py"}


def test_the_same_content_is_kept_once_whatever_its_times(workspace: Workspace, tmp_path: Path) -> None:
    one, other = (grow(tmp_path / name, TREES["deep"]) for name in ("one", "other"))
    os.utime(other / "a/b/c.txt", (1, 1))

    assert workspace.content.snapshot_code(one) == workspace.content.snapshot_code(other)
    assert len(list(workspace.content.root.iterdir())) == 1


@pytest.mark.parametrize("tree", [{}, {".amlignore": "*\n", "x": "1"}], ids=["empty", "all ignored"])
def test_a_folder_of_which_nothing_is_left_is_refused(
    workspace: Workspace, tmp_path: Path, tree: dict[str, str]
) -> None:
    (tmp_path / "code").mkdir()
    grow(tmp_path / "code", tree)

    with pytest.raises(CreditMLError, match="empty"):
        workspace.content.snapshot_code(tmp_path / "code")


def test_a_snapshot_that_fails_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    code = grow(tmp_path / "code", {"a.py": "1"})
    (code / "b.py").symlink_to("nowhere")

    with pytest.raises(CreditMLError, match=r"b\.py"):
        workspace.content.snapshot_code(code)

    assert not list(workspace.root.glob("content/*"))


def test_a_name_that_is_no_text_is_told(workspace: Workspace, tmp_path: Path) -> None:
    code = grow(tmp_path / "code", {"a.py": "1"})
    (code / os.fsdecode(b"caf\xe9.py")).touch()

    with pytest.raises(CreditMLError, match="caf"):
        workspace.content.snapshot_code(code)


NAMES = st.text(st.sampled_from("aAbBzZ019._-# äÄ"), min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.binary(max_size=20), min_size=1, max_size=8))
def test_a_snapshot_is_what_was_there(tmp_path: Path, tree: dict[str, bytes]) -> None:
    top = tmp_path / str(len(list(tmp_path.iterdir())))
    code = top / "code"
    code.mkdir(parents=True)
    for name, content in tree.items():
        (code / name).write_bytes(content)
    workspace = Workspace(top / "home")

    digest = workspace.content.snapshot_code(code)

    assert files(workspace.content.folder(digest)) == files(code)
    assert workspace.content.snapshot_code(workspace.content.folder(digest)) == digest


def test_nothing_is_left_beside_a_snapshot_or_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even of one that came to no end."""
    workspace = Workspace(tmp_path / "home").create()
    source, content = tmp_path / "source", workspace.content
    (source / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (source / name).write_text(name, encoding="utf-8")
    store = tmp_path / "store"

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", fail)  # the last thing that is done for a file
        for keep in (content.snapshot_code, content.keep, lambda folder: content.upload(folder, store)):
            with pytest.raises(OSError, match="No space"):
                keep(source)
    left = [path for folder in (content.root, store) for path in folder.rglob("*") if not path.is_dir()]
    assert left == []

    digest, uploaded = content.snapshot_code(source), content.upload(source, store)

    assert os.listdir(content.root) == [digest]
    assert [*os.listdir(store), *os.listdir(store / uploaded)] == [uploaded, "source"]
    assert sorted(os.listdir(store / uploaded / "source")) == sorted(os.listdir(content.folder(digest))) == ["a", "sub"]
