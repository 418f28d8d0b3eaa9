"""Notes of submissions: which are kept, which are taken up, and what a job's sender is told. Nothing is sent here."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from creditml.errors import AuthenticationFailed, BackendError, BackendUnavailable, Conflict, SpecError
from creditml.model import Command, ComponentInput, Data, Node, Pipeline
from creditml.testing.executors import node, pipeline
from creditml_azureml.attempts import attempt

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Job

TARGET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
DAY = 24 * 3600.0
JOB = pipeline(node("a", "true"))


def notes(root: Path) -> list[Path]:
    return sorted(root.glob("azureml/*.json"))


def cut_off(root: Path, error: BaseException | None = None, job: Job = JOB, *, sent: bool = False) -> str:
    """A submission that ends so; the name that it had."""
    name = ""
    with suppress(BaseException), attempt(root, TARGET, job) as tried:
        name, tried.sent = tried.name, sent
        if error is not None:
            raise error
    return name


def taken_up(root: Path, job: Job = JOB, target: str = TARGET) -> str | None:
    """The name of the submission that the next one takes up; None if it begins anew."""
    with attempt(root, target, job) as tried:
        return tried.name if tried.resumed else None


def reading(path: Path, *, deep: bool = False) -> Job:
    """A job that reads local data."""
    component = Command("true", "azureml:any@latest", inputs={"data": ComponentInput("uri_folder")})
    step = Node("a", component, inputs={"data": Data(str(path), "uri_folder")}, compute="serverless")
    return pipeline(Node("inner", Pipeline({"a": step}), "pipeline")) if deep else pipeline(step)


# -- which notes are kept


@pytest.mark.parametrize(
    "error",
    [BackendUnavailable("no network"), AuthenticationFailed("expired"), KeyboardInterrupt()],
    ids=["connection", "sign-in", "ctrl-c"],
)
def test_a_submission_cut_off_before_it_was_sent_is_taken_up(tmp_path: Path, error: BaseException) -> None:
    name = cut_off(tmp_path, error)

    assert taken_up(tmp_path) == name
    assert taken_up(tmp_path) is None  # that one has ended well


@pytest.mark.parametrize(
    "error", [None, SpecError([]), Conflict("taken"), BackendError("refused"), RuntimeError("defect"), SystemExit()]
)
def test_one_that_ended_otherwise_before_it_was_sent_is_not(tmp_path: Path, error: BaseException | None) -> None:
    cut_off(tmp_path, error)

    assert notes(tmp_path) == []
    assert taken_up(tmp_path) is None


@pytest.mark.parametrize("error", [Conflict("x"), RuntimeError("defect"), KeyboardInterrupt(), SystemExit()])
def test_one_that_may_have_arrived_is_taken_up_whatever_ended_it(tmp_path: Path, error: BaseException) -> None:
    name = cut_off(tmp_path, error, sent=True)

    assert taken_up(tmp_path) == name


def test_an_error_is_raised_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationFailed, match="expired"), attempt(tmp_path, TARGET, JOB):
        raise AuthenticationFailed("expired")


def test_the_name_is_on_disk_before_anything_can_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, flush = [], os.fsync

    def fsync(descriptor: int) -> None:
        flush(descriptor)
        flushed.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    with attempt(tmp_path, TARGET, JOB) as tried:
        (note,) = notes(tmp_path)
        told = json.loads(note.read_bytes())
        assert told["name"] == tried.name
        assert (note.stat().st_ino, note.stat().st_size) in flushed
        assert note.stat().st_mode & 0o077 == 0


# -- which are taken up


@pytest.mark.parametrize(("age", "meant"), [(DAY - 60, True), (DAY + 60, False)])
def test_one_older_than_a_day_is_forgotten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    age: float,
    meant: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    name = cut_off(tmp_path, KeyboardInterrupt())
    later = time.time() + age
    monkeypatch.setattr(time, "time", lambda: later)

    with attempt(tmp_path, TARGET, JOB) as tried:
        assert (tried.resumed, tried.name == name) == (meant, meant)
        assert len(notes(tmp_path)) == 1  # what is forgotten is gone


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("change", ["content", "time", "size", "name", "more"])
def test_one_with_other_local_data_is_another(
    tmp_path: Path,
    change: str,
    deep: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    file = tmp_path / "data/sub/words.txt"
    file.parent.mkdir(parents=True)
    file.write_text("before", encoding="utf-8")

    def settle() -> None:
        for place in (file, file.parent, file.parent.parent):
            os.utime(place, (1000, 1000))

    settle()
    job = reading(tmp_path / "data", deep=deep)
    cut_off(tmp_path, KeyboardInterrupt(), job)

    if change == "content":
        file.write_text("after!", encoding="utf-8")
    elif change == "time":
        os.utime(file, (1000, 1001))
    elif change == "size":
        file.write_text("before and after", encoding="utf-8")
        settle()
    elif change == "name":
        file = file.rename(file.with_name("other.txt"))
        settle()
    else:
        (file.parent / "more").touch()

    assert taken_up(tmp_path, job) is None


def test_one_with_the_same_local_data_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/words.txt").touch()
    name = cut_off(tmp_path, KeyboardInterrupt(), reading(tmp_path / "data"))

    assert taken_up(tmp_path, reading(tmp_path / "data")) == name


def test_data_that_is_not_local_is_not_looked_at(tmp_path: Path) -> None:
    job = pipeline(
        Node(
            "a",
            Command("true", "azureml:any@latest", inputs={"data": ComponentInput("uri_folder")}),
            inputs={"data": Data("azureml:words:1", "uri_folder")},
            compute="serverless",
        )
    )
    name = cut_off(tmp_path, KeyboardInterrupt(), job)

    assert taken_up(tmp_path, job) == name


def test_one_of_another_job_or_to_another_workspace_is_another(tmp_path: Path) -> None:
    cut_off(tmp_path, KeyboardInterrupt())

    assert taken_up(tmp_path, pipeline(node("a", "false"))) is None
    assert taken_up(tmp_path, target=TARGET + "2") is None


def test_ids_in_azure_know_no_case(tmp_path: Path) -> None:
    name = cut_off(tmp_path, KeyboardInterrupt())

    assert taken_up(tmp_path, target=TARGET.upper()) == name


def test_one_that_goes_on_is_not_taken_up(tmp_path: Path) -> None:
    with attempt(tmp_path, TARGET, JOB) as tried:
        with attempt(tmp_path, TARGET, JOB) as beside:
            assert (beside.resumed, beside.name != tried.name) == (False, True)
        assert len(notes(tmp_path)) == 1


def test_one_that_was_cut_off_while_its_name_was_written_is_none(tmp_path: Path) -> None:
    cut_off(tmp_path, KeyboardInterrupt())
    (note,) = notes(tmp_path)
    note.write_text('{"name": "ha', encoding="utf-8")

    assert taken_up(tmp_path) is None


def test_a_job_with_a_name_keeps_it(tmp_path: Path) -> None:
    job = JOB._replace(name="mine")

    assert cut_off(tmp_path, KeyboardInterrupt(), job) == "mine"
    assert taken_up(tmp_path, job) == "mine"
