"""Many clients at once: nothing is lost, nothing happens twice, and versions count up without gaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import crowd
import pytest
from project import Project

from creditml.references import Scope
from creditml.service.blob_places import BLOBSTORE
from creditml.service.call import Storage
from creditml.service.messages import Request
from creditml.service.service import Service

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.takes(20)

SCOPE = Scope("sub", "group", "ws")
STORE = "creditml.blob.core.windows.net"


def test_a_crowd_of_clients_of_one_service(tmp_path: Path) -> None:
    crowd.run(Project(tmp_path / "project"), clients=4, jobs=3)


class Client:
    """Asks as the SDK does for what has no version: for the next one, then with that."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._token = service.keys.token("https://management.azure.com").text

    def ask(self, method: str, place: str, properties: dict[str, Any] | None = None) -> tuple[int, Any]:
        body = json.dumps({"properties": properties}).encode() if properties else b""
        headers = {"authorization": f"Bearer {self._token}"}
        request = Request(method, "https", "management.azure.com", f"{SCOPE.path}/{place}", headers, body)
        answer = self._service.answer(request)
        return answer.status, json.loads(answer.body)

    def following(self, name: str) -> str:
        status, told = self.ask("GET", name)
        return str(told["properties"]["nextVersion"]) if status == 200 else "1"

    def upload(self, blob: str, content: bytes) -> int:
        """What the SDK does once it hasn't found the blob: it must be new."""
        headers = {"authorization": f"Bearer {self._token}", "if-none-match": "*", "x-ms-blob-type": "BlockBlob"}
        return self._service.answer(Request("PUT", "https", STORE, f"/{BLOBSTORE}/{blob}", headers, content)).status

    def put(self, name: str, version: str, properties: dict[str, Any]) -> tuple[int, str]:
        status, told = self.ask("PUT", f"{name}/versions/{version}", properties)
        return status, told.get("name", "")


@pytest.fixture
def clients(tmp_path: Path) -> tuple[Client, Client]:
    service = Service(tmp_path / "workspace", Storage("creditml", "core.windows.net"), lambda: "http://127.0.0.1:1")
    return Client(service), Client(service)


def data(path: str) -> dict[str, Any]:
    return {"dataType": "uri_file", "dataUri": f"azureml://datastores/workspaceblobstore/paths/{path}"}


@pytest.mark.parametrize("paths", [("a", "b"), ("a", "a")], ids=["other content", "the same content"])
def test_two_clients_that_were_told_the_same_next_version(clients: tuple[Client, Client], paths: list[str]) -> None:
    one, other = clients
    for first, second in (("1", "2"), ("3", "4")):
        told = one.following("data/table"), other.following("data/table")
        assert told == (first, first)
        assert one.put("data/table", first, data(paths[0])) == (201, first)
        assert other.put("data/table", first, data(paths[1])) == (201, second)
    assert one.following("data/table") == "5"


def test_a_version_that_a_client_names_is_the_one_it_means(clients: tuple[Client, Client]) -> None:
    one, other = clients
    one.following("data/table")  # as the SDK asks for the latest one
    assert one.put("data/table", "1", data("a")) == (201, "1")
    assert one.put("data/table", "1", data("a")) == (200, "1")
    assert one.put("data/table", "1", data("b"))[0] == 400
    assert other.put("data/table", "1", data("a")) == (200, "1")
    assert other.put("data/table", "1", data("b"))[0] == 400


def test_an_environment_that_is_there_already_is_taken_up(clients: tuple[Client, Client]) -> None:
    one, other = clients
    for client in clients:
        client.following("environments/env")
    assert one.put("environments/env", "1", {"image": "python:3.12"}) == (201, "1")
    assert other.put("environments/env", "1", {"image": "python:3.12"}) == (200, "1")
    for client in clients:
        client.following("environments/env")
    assert one.put("environments/env", "2", {"image": "python:3.11"}) == (201, "2")
    assert other.put("environments/env", "2", {"image": "python:3.10"}) == (201, "3")


@pytest.mark.parametrize(
    ("blob", "second", "status"),
    [
        ("LocalUpload/1a2b/same.txt", b"same", 201),
        ("LocalUpload/1a2b/same.txt", b"other", 409),
        ("mine/same.txt", b"same", 409),
    ],
)
def test_two_clients_that_upload_the_same_file(
    clients: tuple[Client, Client], blob: str, second: bytes, status: int
) -> None:
    one, other = clients
    assert one.upload(blob, b"same") == 201
    assert other.upload(blob, second) == status
