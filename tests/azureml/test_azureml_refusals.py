"""Azure that has too much to do, tokens that expire, jobs that it cancels itself."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential

from creditml.errors import AuthenticationFailed, BackendUnavailable
from creditml.testing.executors import ended, node, pipeline, running
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure_side import Served

ALWAYS = 1000

pytestmark = pytest.mark.usefixtures("hasty")


class Refusing(BaseHTTPRequestHandler):
    """Refuses everything, with the status that is the path."""

    def answer(self) -> None:
        body = b'{"error": {"code": "Refused", "message": "Not now."}}'
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(int(self.path.strip("/")))
        headers = {"Retry-After": "1", "Content-Length": str(len(body)), "Content-Type": "application/json"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_PATCH = answer  # noqa: N815  names of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Gate(RequestsTransport):  # type: ignore[misc]  azure.core's types aren't told
    """Leads the next requests of a method to a server that refuses them, or takes their token away."""

    def __init__(self, refusing: str) -> None:
        super().__init__()
        self.refusing, self.method, self.status, self.left, self.refused = refusing, "", 0, 0, 0
        self.expired = False

    def refuse(self, method: str, status: int, times: int) -> None:
        self.method, self.status, self.left, self.refused = method, status, times, 0

    def send(self, request: Any, **options: Any) -> Any:
        if self.expired:
            request.headers["Authorization"] = "Bearer expired"
        if request.method != self.method or not self.left or "/metadata/" in request.url:
            return super().send(request, **options)
        self.left -= 1
        self.refused += 1
        address, request.url = request.url, f"{self.refusing}/{self.status}"
        try:
            return super().send(request, **options)
        finally:
            request.url = address


@pytest.fixture
def gate() -> Iterator[Gate]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Gate(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def executor(signed_in: Path, gate: Gate) -> AzureMLExecutor:
    made = AzureMLExecutor(Workspace(signed_in / "home"))
    names = made.cloud.target
    from azure.ai.ml import MLClient

    client = MLClient(DefaultAzureCredential(), *names, transport=gate, enable_telemetry=False, show_progress=False)
    made.cloud = Cloud(names, client)
    return made


@pytest.mark.parametrize("status", [429, 503])
def test_what_azure_refuses_for_a_moment_is_tried_again(executor: AzureMLExecutor, gate: Gate, status: int) -> None:
    gate.refuse("PUT", status, 2)
    name = executor.submit(pipeline(node("only", "true")))
    assert gate.refused == 2

    gate.refuse("GET", status, 2)
    assert ended(executor, name).status == "Completed"
    assert gate.refused == 2


@pytest.mark.parametrize("status", [429, 503])
def test_what_azure_goes_on_refusing_is_an_error_that_says_when_to_come_again(
    executor: AzureMLExecutor, azure: Served, gate: Gate, status: int
) -> None:
    job = pipeline(node("only", f"true {status}"))
    gate.refuse("PUT", status, ALWAYS)
    with pytest.raises(BackendUnavailable, match=r"Not now\. .*Wait 1 s and run the same command again"):
        executor.submit(job)
    (note,) = (executor.workspace.root / "azureml").iterdir()
    gate.left = 0

    name = executor.submit(job)

    assert note.stem.endswith(name)  # under the name that the first attempt chose
    assert not list((executor.workspace.root / "azureml").iterdir())
    assert name in azure.creditml("job", "list").out


def test_a_token_that_expires_while_logs_are_followed_is_an_error_and_they_can_be_followed_again(
    executor: AzureMLExecutor, gate: Gate
) -> None:
    name = executor.submit(pipeline(node("talk", "echo first; sleep 60")))
    lines = executor.logs(name, "talk")
    while next(lines) != "first":
        pass
    gate.expired = True

    with pytest.raises(AuthenticationFailed, match="az login"):
        list(lines)
    gate.expired = False

    again = executor.logs(name, "talk")
    while next(again) != "first":
        pass
    executor.cancel(name)
    list(again)
    assert ended(executor, name).status == "Canceled"


def test_a_job_that_azure_cancels_ends_its_logs(executor: AzureMLExecutor, azure: Served) -> None:
    name = executor.submit(pipeline(node("slow", "echo first; sleep 60")))
    running(executor, name, "slow")
    lines = executor.logs(name, "slow")
    while next(lines) != "first":
        pass

    azure.creditml("job", "cancel", "-n", name)

    list(lines)
    state = ended(executor, name)
    assert (state.status, [each.status for each in state.nodes]) == ("Canceled", ["Canceled"])
