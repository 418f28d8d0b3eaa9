"""Blobs: what jobs have written stays as it is, lists show nothing from outside, and ranges end where the file does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from creditml.service.blob_places import ARTIFACTS, BLOBSTORE, CONTENT
from creditml.service.call import Storage
from creditml.service.messages import Answer, Request
from creditml.service.service import Service
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    from pathlib import Path

STORE = "creditml.blob.core.windows.net"
WORDS = "azureml/run/folder/sub/words.txt"
FILE = "azureml/run/file/file"
WRITTEN = {
    "a folder's file": f"{BLOBSTORE}/{WORDS}",
    "a file": f"{BLOBSTORE}/{FILE}",
    "among all that jobs have written": f"{ARTIFACTS}/Jobs/run/outputs/folder/sub/words.txt",
}


class Store(NamedTuple):
    """A storage account with the outputs of a job and with what a user put there, and a file outside of it all."""

    service: Service
    workspace: Workspace
    outputs: Path
    own: Path
    outside: Path

    def ask(self, method: str, blob: str, body: bytes = b"", **headers: str) -> Answer:
        """Ask for `container/blob`, with a good token."""
        token = self.service.keys.token("https://storage.azure.com").text
        given = {"authorization": f"Bearer {token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.service.answer(Request(method, "https", STORE, f"/{blob}", given, body))

    def listed(self, container: str, prefix: str = "", **query: str) -> list[str]:
        """The names of the blobs and folders of a list, page by page."""
        found: list[str] = []
        marker = ""
        while True:
            more = "".join(f"&{key}={quote(value)}" for key, value in query.items())
            page = self.ask(
                "GET", f"{container}?restype=container&comp=list&prefix={quote(prefix)}&marker={quote(marker)}{more}"
            )
            assert page.status == 200, page.body
            told = ET.fromstring(page.body)
            found += [name.text or "" for name in told.iterfind("./Blobs/*/Name")]
            marker = told.findtext("NextMarker") or ""
            if not marker:
                return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root, outside = tmp_path / "workspace", tmp_path / "outside"
    workspace = Workspace(root).create()
    outputs = root / "jobs/run/outputs"
    results = {"outputs": {"folder": str(outputs / "folder"), "file": str(outputs / "file/file")}}
    spec = {"type": "command", "command": "true"}
    workspace.jobs.add(JobRecord("run", "command", "run", "e", "Completed", now(), spec=spec, results=results))
    own = workspace.data.datastore("workspaceblobstore")
    for place in (outputs / "folder/sub/words.txt", outputs / "file/file", own / "mine/words.txt", outside / "secret"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("0123456789")
    service = Service(root, Storage("creditml", "core.windows.net"), lambda: "http://127.0.0.1:1")
    return Store(service, workspace, outputs, own, outside)


# -- what jobs have written


@pytest.mark.parametrize("blob", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize(
    ("method", "query"),
    [("DELETE", ""), ("PUT", ""), ("PUT", "?comp=metadata"), ("PUT", "?comp=block&blockid=AA=="), ("PUT", "blocklist")],
)
def test_what_a_job_has_written_cannot_be_changed(store: Store, blob: str, method: str, query: str) -> None:
    body = b"changed"
    if query == "blocklist":
        query, body = "?comp=blocklist", b"<BlockList></BlockList>"

    refused = store.ask(method, f"{blob}{query}", body, x_ms_blob_type="BlockBlob", x_ms_meta_name="value")

    assert (refused.status, b"What a job has written" in refused.body) == (403, True)
    after = store.ask("GET", blob)
    assert (after.status, after.body) == (200, b"0123456789")
    assert "x-ms-meta-name" not in after.headers
    assert (store.outputs / "folder/sub/words.txt").is_file()
    assert (store.outputs / "file/file").is_file()


def test_nor_can_anything_be_put_beside_it(store: Store) -> None:
    refused = store.ask("PUT", f"{BLOBSTORE}/azureml/run/folder/new.txt", b"x", x_ms_blob_type="BlockBlob")

    assert refused.status == 403
    assert not (store.outputs / "folder/new.txt").exists()


def test_nor_can_code(store: Store) -> None:
    digest = store.workspace.content.keep(store.own / "mine")

    assert store.ask("DELETE", f"{CONTENT}/{digest}/words.txt").status == 403

    assert store.ask("GET", f"{CONTENT}/{digest}/words.txt").body == b"0123456789"


def test_what_a_user_has_put_there_can_be_deleted_once_with_its_notes(store: Store) -> None:
    blob = f"{BLOBSTORE}/mine/words.txt"
    put = {"x_ms_blob_type": "BlockBlob", "x_ms_meta_name": "value"}
    assert store.ask("PUT", blob, b"more", **put).status == 201
    assert store.ask("GET", blob).headers["x-ms-meta-name"] == "value"

    assert [store.ask("DELETE", blob).status for _ in range(2)] == [202, 404]

    assert not (store.own / "mine/words.txt").exists()
    (store.own / "mine/words.txt").write_text("again")  # another one, that nobody has said anything of
    assert "x-ms-meta-name" not in store.ask("GET", blob).headers


@pytest.mark.parametrize(
    ("blob", "body", "status"),
    [
        ("mine/words.txt", b"0123456789", 409),
        ("mine/words.txt", b"other", 409),
        ("mine/new.txt", b"other", 201),
        ("LocalUpload/hash/words.txt", b"0123456789", 201),
        ("LocalUpload/hash/words.txt", b"other", 409),
    ],
)
def test_only_what_is_named_by_its_content_may_come_twice(store: Store, blob: str, body: bytes, status: int) -> None:
    """Two clients upload the same at once: each has looked for it before, and found nothing."""
    for name in ("mine/words.txt", "LocalUpload/hash/words.txt"):
        (store.own / name).parent.mkdir(parents=True, exist_ok=True)
        (store.own / name).write_text("0123456789")

    put = store.ask("PUT", f"{BLOBSTORE}/{blob}", body, x_ms_blob_type="BlockBlob", if_none_match="*")

    assert put.status == status
    kept = body if status == 201 else b"0123456789"
    assert store.ask("GET", f"{BLOBSTORE}/{blob}").body == kept


# -- lists


@pytest.mark.parametrize("base", ["own", "outputs"])
def test_no_list_shows_a_link_that_leads_out(store: Store, base: str) -> None:
    folder, container, prefix = {
        "own": (store.own, BLOBSTORE, ""),
        "outputs": (store.outputs / "folder", BLOBSTORE, "azureml/run/folder/"),
    }[base]
    before = store.listed(container, prefix)
    (folder / "to_file.txt").symlink_to(store.outside / "secret")
    (folder / "to_folder").symlink_to(store.outside)
    (folder / "to_beside").symlink_to(folder.parent)
    (folder / "to_nothing").symlink_to(folder / "nothing")

    assert store.listed(container, prefix) == before
    assert before
    assert store.ask("GET", f"{container}/{prefix}to_file.txt").status == 403


def test_a_link_that_stays_within_is_a_blob(store: Store) -> None:
    (store.own / "link.txt").symlink_to(store.own / "mine/words.txt")

    assert store.listed(BLOBSTORE) == ["link.txt", "mine/words.txt"]
    assert store.ask("GET", f"{BLOBSTORE}/link.txt").body == b"0123456789"


@pytest.mark.parametrize("size", ["1", "2", "3", "5000"])
def test_lists_come_whole_in_pages_of_any_size(store: Store, size: str) -> None:
    for name in ("a.txt", "b/1", "b/2", "b-", "c"):
        (store.own / name).parent.mkdir(exist_ok=True)
        (store.own / name).touch()
    everything = ["a.txt", "b-", "b/1", "b/2", "c", "mine/words.txt"]

    assert store.listed(BLOBSTORE, maxresults=size) == everything
    assert store.listed(BLOBSTORE, "b/", maxresults=size) == ["b/1", "b/2"]
    assert store.listed(BLOBSTORE, maxresults=size, delimiter="/") == ["a.txt", "b-", "b/", "c", "mine/"]


# -- ranges


@pytest.mark.parametrize("header", ["range", "x_ms_range"])
@pytest.mark.parametrize(
    ("asked", "given", "body"),
    [
        ("bytes=0-3", "bytes 0-3/10", b"0123"),
        ("bytes=3-3", "bytes 3-3/10", b"3"),
        ("bytes=4-", "bytes 4-9/10", b"456789"),
        ("bytes=4-9", "bytes 4-9/10", b"456789"),
        ("bytes=4-10", "bytes 4-9/10", b"456789"),
        ("bytes=0-99999999", "bytes 0-9/10", b"0123456789"),
        (f"bytes=8-{10**18}", "bytes 8-9/10", b"89"),  # more than any memory holds
        ("bytes=9-99", "bytes 9-9/10", b"9"),
    ],
)
def test_a_range_ends_where_the_file_does(store: Store, asked: str, given: str, body: bytes, header: str) -> None:
    got = store.ask("GET", f"{BLOBSTORE}/{WORDS}", **{header: asked})

    assert (got.status, got.headers["Content-Range"], got.body) == (206, given, body)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-10", "bytes=11-20"])
def test_a_range_that_begins_there_is_refused(store: Store, asked: str) -> None:
    assert store.ask("GET", f"{BLOBSTORE}/{WORDS}", range=asked).status == 416


@pytest.mark.parametrize(
    "asked", ["bytes=-3", "bytes=a-b", "lines=0-3", "bytes=0-3,5-6", "bytes=5-4", "bytes=5-3", "bytes=5-2"]
)
def test_a_range_that_is_none_is_the_whole_file(store: Store, asked: str) -> None:
    got = store.ask("GET", f"{BLOBSTORE}/{WORDS}", range=asked)

    assert (got.status, got.body) == (200, b"0123456789")


def test_an_empty_file_has_no_range(store: Store) -> None:
    (store.own / "empty").touch()

    assert store.ask("GET", f"{BLOBSTORE}/empty", range="bytes=0-0").status == 416
    assert store.ask("GET", f"{BLOBSTORE}/empty").body == b""
