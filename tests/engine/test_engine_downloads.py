"""https inputs: fetched once, verified, kept in the user's cache."""

from __future__ import annotations

import http.server
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from project import PATIENCE, eventually, pipeline, single, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from project import Project

BODY = b"a,b\n1,2\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers well, or badly in the way that the path says."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.close_connection = True
        how = self.path.split("/")[1].partition(".")[0]
        if how == "error":
            self.send_error(500)
        elif how == "junk":
            self.wfile.write(b"what?\r\n\r\n")
        elif how == "chunks":
            self._answer(b"8\r\n" + BODY + b"\r\n20\r\nabc", {"Transfer-Encoding": "chunked"})
        elif how == "short":
            self._answer(BODY, {"Content-Length": "100"})
        elif how == "damaged":
            self._answer(BODY, {"Content-Length": str(len(BODY)), "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
        elif how == "stalled":
            self._answer(BODY, {"Content-Length": "100"})
            self.server.closing.wait(PATIENCE)
        else:
            self._answer(BODY, {"Content-Length": str(len(BODY))})

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.server_port}/{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield serving
        serving.closing.set()
        serving.shutdown()


def reader(url: str, type: str = "uri_file") -> dict[str, Any]:  # noqa: A002  Azure's term
    """A job that prints what the address holds."""
    return single('cat "${{inputs.data}}"', inputs={"data": {"type": type, "path": url}})


def cached(project: Project) -> list[Path]:
    """All files in the user's cache."""
    return [path for path in (project.folder / ".cache").rglob("*") if path.is_file()]


def test_a_file_is_downloaded_once(project: Project, server: Server) -> None:
    url = server.url("data/credit%20cards.csv?sig=a%2Fb")
    inputs = {"data": {"type": "uri_file", "path": url}}
    show = 'cat "${{inputs.data}}"; basename "${{inputs.data}}"'
    jobs = {"a": step(show, inputs=inputs), "b": step(show, inputs=inputs)}

    both = project.run(pipeline(jobs))
    again = project.run(single(show, inputs=inputs))

    assert [text.splitlines()[-3:] for text in (both.log("a"), both.log("b"), again.log())] == [
        ["a,b", "1,2", "credit cards.csv"]
    ] * 3
    assert server.asked == ["/data/credit%20cards.csv?sig=a%2Fb"]


def test_a_damaged_cache_is_fetched_again(project: Project, server: Server) -> None:
    url = server.url("x.csv")
    project.run(reader(url))
    (file,) = [path for path in cached(project) if path.read_bytes() == BODY]

    file.write_bytes(b"other")
    job = project.run(reader(url))

    assert job.log().endswith("a,b\n1,2\n")
    assert len(server.asked) == 2


@pytest.mark.parametrize("how", ["short", "chunks", "damaged", "error", "junk"])
def test_what_does_not_arrive_whole_fails_the_job_and_is_not_kept(project: Project, server: Server, how: str) -> None:
    url = server.url(f"{how}.csv")

    job = project.run(reader(url), code=1)

    assert url in job.done.err
    assert job.status == "Failed"
    assert cached(project) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://127.0.0.1:port/x", "http://[::1/x", "http:///x"])
def test_an_address_that_cannot_be_reached_is_named(project: Project, url: str) -> None:
    project.write("job.yml", reader(url))

    done = project.creditml("run", "job.yml", code=1)

    assert url in done.err


@pytest.mark.parametrize("path", ["my file.csv", "über.csv"])
def test_an_address_is_encoded_as_browsers_do(project: Project, server: Server, path: str) -> None:
    job = project.run(reader(server.url(path)))

    assert job.log().endswith("a,b\n1,2\n")


@pytest.mark.parametrize(
    "path", ["download.json", "", "deep/", "..%2F..%2F..%2Fevil.csv", "a%2Fb.csv", "x" * 300, "%00"]
)
def test_whatever_its_name_the_file_is_read_and_lies_in_the_cache(project: Project, server: Server, path: str) -> None:
    job = project.run(reader(server.url(path)))

    assert job.log().endswith("a,b\n1,2\n")
    found = [file for file in project.folder.rglob("*") if file.is_file() and file.read_bytes() == BODY]
    assert len(found) == 1
    assert found[0].is_relative_to(project.folder / ".cache/creditml/downloads")


def test_a_download_can_be_interrupted(project: Project, server: Server) -> None:
    project.write("job.yml", reader(server.url("stalled.csv")))
    with project.start("run", "job.yml") as running:
        eventually(lambda: server.asked)
        time.sleep(0.1)

        running.send_signal(signal.SIGINT)
        try:
            running.wait(PATIENCE / 3)  # the server is silent for longer
        except subprocess.TimeoutExpired:
            running.kill()
            raise

    (job,) = project.json("job", "list")
    assert (running.returncode, job["status"]) == (130, "Canceled")
    assert cached(project) == []


def test_other_steps_run_while_something_is_downloaded(project: Project, server: Server, tmp_path: Path) -> None:
    stalled = {"data": {"type": "uri_file", "path": server.url("stalled.csv")}}
    done = tmp_path / "done"
    jobs = {"slow": step("cat ${{inputs.data}}", inputs=stalled), "quick": step(f"touch {done}")}

    job = project.submit(pipeline(jobs), "--max-parallel", "2")

    eventually(done.exists)
    project.creditml("job", "cancel", "-n", job.name)
    assert job.wait().status == "Canceled"


@pytest.mark.parametrize("how", ["short", "damaged", "error", "junk", "x"])
def test_the_signature_of_an_address_is_told_to_nobody(project: Project, server: Server, how: str) -> None:
    url = server.url(f"{how}.csv?sv=2026-01-01&sp=r&sig=c2lnbmF0dXJl%2F")
    code = 0 if how == "x" else 1

    job = project.run(pipeline({"a": step('cat "${{inputs.data}}"', inputs={"data": {"path": url}})}), code=code)
    shown = [project.creditml("job", "show", "-n", job.name).out, project.creditml("job", "list", "-p", job.name).out]
    streamed = project.creditml("job", "stream", "-n", job.name, code=code)
    kept = [path.read_text(errors="replace") for path in [*job.folder().rglob("*"), *cached(project)] if path.is_file()]

    told = "\n".join([job.done.out, job.done.err, streamed.out, streamed.err, *shown, *kept])
    assert "c2lnbmF0dXJl" not in told
    assert server.url(f"{how}.csv?…") in told
    assert "sig=c2lnbmF0dXJl%2F" in server.asked[0]
