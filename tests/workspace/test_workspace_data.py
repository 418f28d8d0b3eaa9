"""Paths of data and what is kept of them: nothing leads out, and nothing is kept that Azure ML would refuse."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from creditml.errors import CreditMLError, NotFound, Unsupported
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = "azureml://datastores/workspaceblobstore/paths/"
LONG_STORE = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceblobstore/paths/"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a job, whose output `words` is a folder and `file` a file, and a secret beside it."""
    with closing(Workspace(tmp_path / "home")) as made:
        outputs = made.root / "jobs/job/outputs"
        results = {"outputs": {"words": str(outputs / "words"), "file": str(outputs / "file/f.txt")}}
        made.jobs.add(JobRecord("job", "command", "job", "e", "Completed", 1000, results=results))
        files = (outputs / "words/sub/w.txt", outputs / "file/f.txt", made.root / "jobs/job/artifacts/log.txt")
        for file in (*files, made.root / "datastores/workspaceblobstore/mine/m.txt", tmp_path / "secret"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(file.name, encoding="utf-8")
        yield made


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"{STORE}mine/m.txt", "datastores/workspaceblobstore/mine/m.txt"),
        (f"{LONG_STORE}mine/m.txt", "datastores/workspaceblobstore/mine/m.txt"),
        (f"{STORE}azureml/job/words/sub/w.txt", "jobs/job/outputs/words/sub/w.txt"),
        (f"{STORE}azureml/job/words/", "jobs/job/outputs/words"),
        (f"{STORE}azureml/job/file/f.txt", "jobs/job/outputs/file/f.txt"),
        ("azureml://jobs/job/outputs/words/paths/sub/w.txt", "jobs/job/outputs/words/sub/w.txt"),
        ("azureml://jobs/job/outputs/words", "jobs/job/outputs/words"),
        ("runs:/job/log.txt", "jobs/job/artifacts/log.txt"),
    ],
)
def test_paths_of_azure_ml_lead_to_files_here(workspace: Workspace, path: str, found: str) -> None:
    assert workspace.data.locate(path) == workspace.root / found


@pytest.mark.parametrize(
    "path",
    [
        f"{STORE}../../../secret",
        f"{STORE}mine/../../../../secret",
        f"{LONG_STORE}mine/../m.txt",
        f"{STORE}azureml/job/words/../../../../../secret",
        "azureml://jobs/job/outputs/words/paths/../../../../../secret",
        "azureml://datastores/../paths/secret",
        "runs:/job/../../../../secret",
        "runs:/../job/log.txt",
    ],
)
def test_none_of_them_leads_out(workspace: Workspace, path: str) -> None:
    with pytest.raises(NotFound, match=r"may lead out of the folder.*without '\.\.'"):
        workspace.data.source(path)


def test_names_may_hold_dots(workspace: Workspace) -> None:
    place = workspace.root / "datastores/workspaceblobstore/a..b/..c"
    place.parent.mkdir()
    place.touch()

    assert workspace.data.locate(f"{STORE}a..b/..c") == place


@pytest.mark.parametrize("path", ["s3://bucket/x", "WASBS://c@a.blob.core.windows.net/x", "abfss://x", "hdfs:/x"])
def test_other_storage_is_refused_by_name(workspace: Workspace, path: str) -> None:
    with pytest.raises(Unsupported, match="Download it"):
        workspace.data.source(path)


# -- what is kept


def test_a_folder_that_is_empty_for_an_upload_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    """A folder whose ignore file leaves out everything counts as empty, and so does a folder of empty folders."""
    empty, ignored, folders = (tmp_path / name for name in ("empty", "ignored", "folders"))
    for folder in (empty, ignored, folders / "a/b"):
        folder.mkdir(parents=True)
    (ignored / ".amlignore").write_text("*\n", encoding="utf-8")
    (ignored / "data.csv").touch()

    for folder in (empty, ignored, folders):
        with pytest.raises(CreditMLError, match="is empty; Azure ML refuses that"):
            workspace.data.keep(str(folder), "uri_folder")
    (folders / "a/b/c.csv").touch()
    assert workspace.data.keep(str(folders), "uri_folder").startswith(f"{STORE}LocalUpload/")


@pytest.mark.parametrize(
    ("place", "kind", "word"),
    [
        ("file", "uri_file", ""),
        ("folder", "uri_folder", ""),
        ("file", "uri_folder", "is a file"),
        ("folder", "uri_file", "is a folder"),
        ("file", "mltable", "is a file"),
        ("folder", "mltable", "MLTable"),
        ("file", "mlflow_model", "is a file"),
        ("file", "custom_model", ""),
        ("folder", "custom_model", ""),
        ("nothing", "uri_file", "does not exist"),
    ],
)
def test_only_what_is_of_its_type_is_kept(
    workspace: Workspace, tmp_path: Path, place: str, kind: str, word: str
) -> None:
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "file", tmp_path / "folder/x"):
        file.write_text("x", encoding="utf-8")

    if word:
        with pytest.raises(CreditMLError, match=word):
            workspace.data.keep(str(tmp_path / place), kind)
    else:
        kept = workspace.data.keep(str(tmp_path / place), kind)
        assert workspace.data.locate(kept, kind).name == place


def test_what_is_kept_stays_as_it_was(workspace: Workspace, tmp_path: Path) -> None:
    source = tmp_path / "words.txt"
    source.write_text("before", encoding="utf-8")
    kept = workspace.data.keep(str(source), "uri_file")
    source.write_text("after", encoding="utf-8")

    assert workspace.data.locate(kept).read_text(encoding="utf-8") == "before"
    assert workspace.data.keep(kept, "uri_file") == kept
