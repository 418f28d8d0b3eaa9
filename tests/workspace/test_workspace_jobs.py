"""Jobs as they are recorded: lists, cancels, archives, and the folders that they have."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from creditml.errors import CreditMLError, NotFound
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with closing(Workspace(tmp_path / "home")) as made:
        yield made


def job(name: str, status: str = "Running", **fields: object) -> JobRecord:
    return JobRecord(name, "pipeline", name, "credit", status, 1000)._replace(**fields)


def step(name: str, root: str, **fields: object) -> JobRecord:
    return job(name, root=root, parent=root, path=name, **fields)


# -- cancel


def test_a_cancel_is_asked_of_the_job_even_by_a_step_s_name(workspace: Workspace) -> None:
    workspace.jobs.add(job("top"))
    workspace.jobs.add(step("a", "top"))

    assert workspace.jobs.request_cancel("a").name == "a"

    assert workspace.jobs.cancel_requested("top")
    assert not workspace.jobs.cancel_requested("a")
    assert not workspace.jobs.cancel_requested("nothing")


@pytest.mark.parametrize("status", ["Completed", "Failed", "Canceled"])
def test_of_an_ended_job_nothing_is_asked(workspace: Workspace, status: str) -> None:
    workspace.jobs.add(job("top", status))
    workspace.jobs.add(step("a", "top"))
    before = workspace.jobs.get("top")

    workspace.jobs.request_cancel("top")
    workspace.jobs.request_cancel("a")

    assert not workspace.jobs.cancel_requested("top")
    assert workspace.jobs.get("top") == before
    assert [found for found, _ in workspace.jobs.history("top")] == [status]


def test_who_runs_a_job_is_woken(workspace: Workspace) -> None:
    workspace.jobs.add(job("top"))
    folder = workspace.jobs.folder(workspace.jobs.get("top"))
    folder.mkdir(parents=True)
    os.mkfifo(folder / "wake")
    pipe = os.open(folder / "wake", os.O_RDONLY | os.O_NONBLOCK)

    workspace.jobs.request_cancel("top")

    assert os.read(pipe, 10) == b"!"
    os.close(pipe)
    workspace.jobs.request_cancel("top")  # nobody listens any more


def test_a_job_that_is_not_there_can_t_be_canceled(workspace: Workspace) -> None:
    workspace.jobs.add(job("training"))

    with pytest.raises(NotFound, match="training"):
        workspace.jobs.request_cancel("trainin")


# -- archive


@pytest.mark.parametrize("status", ["NotStarted", "Queued", "Running", "CancelRequested"])
def test_a_job_that_has_not_ended_can_t_be_archived_but_shown_again(workspace: Workspace, status: str) -> None:
    workspace.jobs.add(job("a", status))

    with pytest.raises(CreditMLError, match=f"is {status}.*only an ended job"):
        workspace.jobs.archive("a", archived=True)

    workspace.jobs.archive("a", archived=False)
    assert not workspace.jobs.get("a").archived


def test_lists_hide_what_is_archived(workspace: Workspace) -> None:
    for name in ("a", "b", "c"):
        workspace.jobs.add(job(name, "Completed"))
    workspace.jobs.archive("b", archived=True)

    names = {kind: [each.name for each in workspace.jobs.entries(archived=kind)] for kind in (False, True, None)}
    assert names == {False: ["c", "a"], True: ["c", "b", "a"], None: ["b"]}


# -- lists


def test_jobs_are_listed_newest_first_and_their_children_oldest_first(workspace: Workspace) -> None:
    for number, name in enumerate(["old", "new", "newest"]):
        workspace.jobs.add(job(name, created_at=1000 + number))
        workspace.jobs.add(step(f"{name}.2", name, created_at=3000))
        workspace.jobs.add(step(f"{name}.1", name, created_at=2000))
        workspace.jobs.add(step(f"{name}.3", name, created_at=3000))

    assert [each.name for each in workspace.jobs.entries()] == ["newest", "new", "old"]
    assert [each.name for each in workspace.jobs.entries(limit=2)] == ["newest", "new"]
    assert [each.name for each in workspace.jobs.entries("new")] == ["new.1", "new.2", "new.3"]
    assert [each.name for each in workspace.jobs.steps("old")] == ["old.1", "old.2", "old.3"]
    assert sorted(workspace.jobs.names("old")) == ["old", "old.1", "old.2", "old.3"]


# -- folders


def test_a_step_with_a_long_path_has_a_folder_of_its_own(workspace: Workspace) -> None:
    """File names end at 255 bytes."""
    paths = [".".join(["x" * 60] * 5) + end for end in ("a", "b")]
    folders = {workspace.jobs.folder(step("s", "top")._replace(path=path)) for path in paths}

    assert len(folders) == 2
    for folder in folders:
        folder.mkdir(parents=True)


def test_places_of_outputs_move_with_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    inside, outside = workspace.root / "jobs/a/outputs/x", tmp_path / "elsewhere"
    workspace.jobs.add(job("a", results={"outputs": {"in": str(inside), "out": str(outside)}}))
    workspace.close()
    moved = (tmp_path / "home").rename(tmp_path / "moved")

    with closing(Workspace(moved)) as there:
        found = there.jobs.get("a").results["outputs"]
    assert found == {"in": str(moved / "jobs/a/outputs/x"), "out": str(outside)}
