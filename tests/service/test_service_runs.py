"""Jobs and runs as the service tells of them and changes them, asked by requests alone, without the SDK."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from creditml.references import Scope
from creditml.service.call import Storage
from creditml.service.messages import Request
from creditml.service.service import Service
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord
from creditml.workspace.runner_lock import RunnerLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = Scope("sub", "group", "ws").path
HOST, STORE = "management.azure.com", "creditml.blob.core.windows.net"
SPEC = {"type": "command", "command": "true", "environment": "azureml:any:1", "compute": "azureml:cpu"}


class House(NamedTuple):
    """A workspace and its service."""

    service: Service
    workspace: Workspace

    def ask(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """Ask for what lies below the workspace's path (or at a whole URL); what is answered."""
        if "://" in path:
            parts = urlsplit(path)
            path = f"{parts.path}?{parts.query}".removeprefix(PLACE)
        plane = path.startswith(("/runs", "/experiments", "/rundata"))
        target = f"/history/v1.0{PLACE}{path}" if plane else f"{PLACE}{path}"
        headers = {"authorization": f"Bearer {self.service.keys.token('x').text}"}
        sent = b"" if body is None else json.dumps(body).encode()
        given = self.service.answer(Request(method, "https", HOST, target, headers, sent))
        assert given.status == status, given.body
        return json.loads(given.body)

    def job(self, name: str, status: str = "Completed", **fields: object) -> JobRecord:
        record = JobRecord(name, "command", name, "e", status, 1000, display_name=name, spec=SPEC)._replace(**fields)
        self.workspace.jobs.add(record)
        return record


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    workspace = Workspace(tmp_path / "workspace").create()
    storage = Storage("creditml", "core.windows.net")
    yield House(Service(workspace.root, storage, lambda: "http://127.0.0.1:1"), workspace)
    workspace.close()


def names(page: Any) -> list[str]:
    return [job["name"] for job in page["value"]]


# -- lists


@pytest.mark.parametrize(("count", "pages"), [(0, [0]), (1, [1]), (50, [50]), (51, [50, 1]), (100, [50, 50])])
def test_lists_come_in_pages_of_fifty_and_end_where_the_jobs_do(house: House, count: int, pages: list[int]) -> None:
    with house.workspace.transaction():
        for number in range(count):
            house.job(f"job{number}", created_at=1000 + number)

    found = [house.ask("GET", "/jobs")]
    while "nextLink" in found[-1]:
        found.append(house.ask("GET", found[-1]["nextLink"]))

    assert [len(page["value"]) for page in found] == pages
    assert [name for page in found for name in names(page)] == [f"job{number}" for number in reversed(range(count))]


def test_the_next_page_is_of_the_same_list(house: House) -> None:
    with house.workspace.transaction():
        for number in range(60):
            house.job(f"job{number}", created_at=number, archived=number % 2 == 0)

    view = "listViewType=All&api-version=2024-01-01"
    first = house.ask("GET", f"/jobs?{view}")
    assert len(names(first) + names(house.ask("GET", first["nextLink"]))) == 60
    assert (
        len(names(house.ask("GET", "/jobs"))) == len(names(house.ask("GET", "/jobs?listViewType=ArchivedOnly"))) == 30
    )


def test_a_list_of_one_kind_has_no_other(house: House) -> None:
    house.job("one")
    house.job("two", type="pipeline", spec={"type": "pipeline", "jobs": {}})

    assert names(house.ask("GET", "/jobs?jobType=Pipeline")) == ["two"]
    assert names(house.ask("GET", "/jobs?jobType=Command")) == ["one"]


# -- changes


def test_a_job_is_archived_and_restored_and_stays_as_it_is_else(house: House) -> None:
    house.job("job", tags={"a": "1"})

    def put(**properties: object) -> tuple[bool, dict[str, str], str | None]:
        house.ask("PUT", "/jobs/job", {"properties": {"jobType": "Command", **properties}})
        known = house.workspace.jobs.get("job")
        return known.archived, dict(known.tags), known.display_name

    assert put(isArchived=True) == (True, {"a": "1"}, "job")
    assert put(isArchived=True, displayName="other") == (True, {"a": "1"}, "other")
    assert put() == (True, {"a": "1"}, "other")
    assert put(isArchived=False, tags={"b": "2"}) == (False, {"b": "2"}, "other")
    assert house.ask("GET", "/jobs/job")["properties"]["isArchived"] is False


def test_a_job_that_runs_can_t_be_archived(house: House) -> None:
    lock = RunnerLock.take(house.workspace.jobs.folder(house.job("job", "Running")))
    assert lock

    house.ask("PUT", "/jobs/job", {"properties": {"jobType": "Command", "isArchived": True}}, status=400)

    assert not house.workspace.jobs.get("job").archived
    lock.release()


def test_tags_and_properties_of_a_run_are_added_to_those_there_are(house: House) -> None:
    house.job("job", tags={"a": "1", "b": "1"}, properties={"p": "1"})

    house.ask("PATCH", "/experiments/e/runs/job", {"tags": {"b": "2", "c": "3"}, "properties": {"q": "2"}})
    house.ask("PATCH", "/experiments/e/runs/job", {"description": "words", "displayName": "shown"})

    known = house.workspace.jobs.get("job")
    assert known.tags == {"a": "1", "b": "2", "c": "3"}
    assert known.properties == {"p": "1", "q": "2"}
    assert (known.display_name, known.spec) == ("shown", {**SPEC, "description": "words"})
    told = house.ask("GET", "/runs/job")
    assert (told["tags"], told["description"], told["displayName"]) == (known.tags, "words", "shown")


@pytest.mark.parametrize("hidden", [True, False])
def test_a_run_is_hidden_and_shown(house: House, hidden: bool) -> None:  # noqa: FBT001  a parameter of the test
    house.job("job", archived=not hidden)

    assert house.ask("PATCH", "/experiments/e/runs/job", {"hidden": hidden})["hidden"] is hidden
    assert house.ask("PATCH", "/experiments/e/runs/job", {"tags": {"a": "1"}})["hidden"] is hidden


# -- cancel


def test_a_cancel_is_over_when_the_job_has_ended(house: House) -> None:
    lock = RunnerLock.take(house.workspace.jobs.folder(house.job("job", "Running")))
    assert lock

    house.ask("POST", "/jobs/job/cancel", status=202)
    assert house.workspace.jobs.cancel_requested("job")
    house.ask("GET", "/jobs/job/cancelOperation", status=202)
    house.ask("GET", "/jobs/job/cancelOperation", status=202)
    house.workspace.jobs.transit("job", "Canceled")
    house.ask("GET", "/jobs/job/cancelOperation", status=200)
    lock.release()


def test_nobody_waits_for_a_runner_that_is_gone(house: House) -> None:
    house.job("job", "Running")

    house.ask("GET", "/jobs/job/cancelOperation", status=200)

    assert house.workspace.jobs.get("job").status == "Failed"


# -- what is told of a run


@pytest.mark.parametrize(
    ("status", "told"),
    [("Failed", True), ("Canceled", False), ("Completed", False)],
    ids=["failed", "canceled", "well"],
)
def test_only_what_failed_has_an_error(house: House, status: str, told: bool) -> None:  # noqa: FBT001  likewise
    house.job("job", status, error={"code": "X", "message": "what was wrong"})

    for path in ("/runs/job", "/runs/job/details"):
        error = house.ask("GET", path)["error"]
        assert (error is not None) == told
        assert not told or error["error"]["message"] == "what was wrong"


def test_of_the_artifacts_the_logs_are_shown_and_can_be_read(house: House) -> None:
    folder = house.workspace.jobs.folder(house.job("job")) / "artifacts"
    logs = ["user_logs/std_log.txt", "logs/azureml/executionlogs.txt", "azureml-logs/70_driver_log.txt"]
    others = ["outputs/user_logs/x.txt", "logs/mine.txt", "model/MLmodel", "user_logs.txt"]
    for name in (*logs, *others):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"of {name}", encoding="utf-8")

    found = house.ask("GET", "/runs/job/details")["logFiles"]

    assert sorted(found) == sorted(logs)
    for name, url in found.items():
        parts = urlsplit(url)
        request = Request("GET", "https", STORE, f"{parts.path}?{parts.query}", {}, b"")
        assert house.service.answer(request).body == f"of {name}".encode()
        assert house.service.answer(request._replace(method="PUT")).status == 403


def test_children_are_told_with_their_parents_and_components(house: House) -> None:
    step = {"type": "command", "component": {"name": "train", "command": "true"}}
    inner = {"type": "pipeline", "jobs": {"a": step, "b": {"type": "command", "command": "true"}}}
    house.job("top", type="pipeline", spec={"type": "pipeline", "jobs": {"inner": inner}})
    house.job("group", type="pipeline", root="top", parent="top", path="inner")
    for name in "ab":
        house.job(name, root="top", parent="group", path=f"inner.{name}")

    told = [house.ask("GET", f"/runs/{parent}/children")["value"] for parent in ("top", "group")]

    modules = [[(run["runId"], run["properties"]["azureml.moduleName"]) for run in runs] for runs in told]
    assert modules == [[("group", "inner")], [("a", "train"), ("b", "b")]]
    assert {(run["parentRunId"], run["rootRunId"]) for run in told[1]} == {("group", "top")}


# -- tokens


@pytest.mark.parametrize(("age", "status"), [(0, 200), (24 * 3600 - 60, 200), (24 * 3600 + 1, 401)])
def test_a_token_lives_for_a_day(house: House, monkeypatch: pytest.MonkeyPatch, age: int, status: int) -> None:
    token = house.service.keys.token("x").text
    later = time.time() + age
    monkeypatch.setattr(time, "time", lambda: later)

    request = Request("GET", "https", HOST, f"{PLACE}/jobs", {"authorization": f"Bearer {token}"}, b"")

    assert house.service.answer(request).status == status
