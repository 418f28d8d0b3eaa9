"""The cache of downloads: what is there and as it was is not asked for again; anything else is."""

from __future__ import annotations

import http.server
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from creditml.errors import Canceled, CreditMLError
from creditml.workspace.download import download, file_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b"a,b\n1,2\n"


class Server(http.server.ThreadingHTTPServer):
    """Answers every path with the same body, or with what a test says instead; it keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.body, self.headers = BODY, dict[str, str]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        for name, value in {"Content-Length": str(len(self.server.body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CREDITML_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def test_it_is_asked_for_once(server: Server) -> None:
    told: list[str] = []
    places = {download(f"{server.url}/x.csv", told.append) for _ in range(3)}

    (place,) = places
    assert (place.name, place.read_bytes()) == ("x.csv", BODY)
    assert server.asked == ["/x.csv"]
    assert told == [f"downloading {server.url}/x.csv", "downloaded 8 bytes"]


@pytest.mark.parametrize("spoilt", ["rewritten", "longer", "removed", "record", "touched"])
def test_what_is_no_longer_as_it_came_is_asked_for_again(server: Server, spoilt: str) -> None:
    place = download(f"{server.url}/x.csv")
    if spoilt == "removed":
        place.unlink()
    elif spoilt == "record":
        place.parent.with_suffix(".json").write_text("{", encoding="utf-8")
    elif spoilt == "touched":
        os.utime(place, (1000, 1000))
    else:
        place.write_bytes(BODY[::-1] if spoilt == "rewritten" else BODY + b"3,4\n")
        os.utime(place, (1000, 1000))

    assert download(f"{server.url}/x.csv").read_bytes() == BODY
    assert server.asked == ["/x.csv"] * 2


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "100"}, {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}], ids=["short", "damaged"]
)
def test_what_did_not_arrive_whole_is_not_kept(server: Server, headers: dict[str, str], tmp_path: Path) -> None:
    server.headers = headers

    with pytest.raises(CreditMLError, match=rf"announced {next(iter(headers))}"):
        download(f"{server.url}/x.csv")

    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() or path.name.startswith(".")] == []
    server.headers = {}
    assert download(f"{server.url}/x.csv").read_bytes() == BODY


def test_one_that_is_canceled_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Canceled):
        download(f"{server.url}/x.csv", stopped=lambda: True)

    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_what_killed_downloads_left_goes_after_a_day(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "cache/downloads"
    for name, age in (("new", 3600), ("old", 25 * 3600)):
        (folder / f".partial-{name}").mkdir(parents=True)
        at = time.time() - age
        os.utime(folder / f".partial-{name}", (at, at))

    download(f"{server.url}/x.csv")

    assert [path.name for path in folder.glob(".partial-*")] == [".partial-new"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/b.csv", "b.csv"),
        ("https://host/a/b.csv?x=/y/z", "b.csv"),
        ("https://host/a%20b.csv/", "a b.csv"),
        ("https://host/..", "download"),
        ("https://host/a/%2E%2E", "download"),
        ("https://host/a%2Fb", "ab"),
        ("https://host", "download"),
        (f"https://host/{'x' * 300}.csv", "x" * 196 + ".csv"),
    ],
)
def test_files_are_named_after_their_url(url: str, name: str) -> None:
    assert file_name(url) == name
