"""The service over TLS on loopback, for programs that make an MLClient of their own."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from creditml.errors import BackendError, CreditMLError
from creditml.service.call import Storage
from creditml.service.certificates import certificates
from creditml.service.connection import MLflow
from creditml.service.daemon import registered
from creditml.service.messages import Answer, Refusal, Request, answer
from creditml.service.service import LARGEST_BODY, LARGEST_JSON, Service

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HOST = "localhost"
CLOUD = "creditml"
BLOBS = "blob/creditml"
"""The path of the storage account."""
SUFFIX = "local"
METADATA, TOKENS = "/metadata/endpoints", "/identity/token"
_LOGINS = ("/token", "/devicecode", "/authorize")
_NO_LOGIN = (
    "Nobody logs in to creditml's local workspace: use DefaultAzureCredential, AzureCliCredential or "
    "ManagedIdentityCredential, which get a token here by themselves"
)
_THREADS = 16
_READY = 10.0  # seconds in which the server must accept connections


class Server:
    """Serves a workspace in a thread of its own, from `start` to `stop`."""

    def __init__(self, root: Path, port: int = 0, tracking_uri: str | None = None) -> None:
        """Bind a port of 127.0.0.1, by default any free one.

        Args:
            root: the workspace's folder.
            port: on 127.0.0.1; 0 for any.
            tracking_uri: the address of MLflow's server, if another process starts that.

        Raises:
            BackendError: the port is taken.
        """
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            message = f"The service can't listen on port {port}: {error.strerror}. Choose another one with --port."
            raise BackendError(message) from error
        self.port = int(self._listener.getsockname()[1])
        self.url = f"https://{HOST}:{self.port}"
        storage = Storage(f"{HOST}:{self.port}/{BLOBS}", SUFFIX)
        self.tracking_uri = tracking_uri or MLflow(root).uri()
        self.service = Service(root, storage, lambda: self.tracking_uri)
        self.certificates = certificates(root)
        application = _Application(self)
        config = uvicorn.Config(
            application,
            ssl_certfile=str(self.certificates.certificate),
            ssl_keyfile=str(self.certificates.key),
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to serve; returns when the server accepts connections.

        Raises:
            BackendError: it did not start in time.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_READY / 0.01)):
            if self._server.started:
                return
            waited.wait(0.01)
        message = "The service did not start in time."
        raise BackendError(message)

    def stop(self) -> None:
        """Answer the requests in progress, and end."""
        self._server.should_exit = True
        self._thread.join(_READY)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))


class _Application:
    """The service as an ASGI application, with the answers of a whole cloud: its endpoints, and tokens."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._threads = ThreadPoolExecutor(_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        target = path + (f"?{query}" if query else "")
        method = scope["method"].upper()
        # nobody has been asked for a token yet, so that much is read only where files are sent
        largest = LARGEST_BODY if path.startswith(f"/{BLOBS}") else LARGEST_JSON
        body = await _body(receive, largest)
        if body is None:
            given = Refusal(413, "RequestBodyTooLarge", f"A body may have at most {largest} bytes.").answer()
        else:
            request = Request(method, "https", headers.get("host", ""), target, headers, body)
            given = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, request)
        await _send(send, given, bodiless=method == "HEAD")

    def _answer(self, request: Request) -> Answer:
        server = self._server
        if request.host.lower() not in (f"{HOST}:{server.port}", f"127.0.0.1:{server.port}"):
            return Refusal(421, "MisdirectedRequest", f"This server is {server.url}.").answer()
        if request.path == METADATA:
            return answer(self._clouds())
        if request.path == TOKENS:
            return self._token(request)
        if request.path.endswith("/openid-configuration"):
            return answer(self._authority())
        if request.path.endswith(_LOGINS):
            return answer({"error": "invalid_request", "error_description": f"{_NO_LOGIN}."}, 400)
        return server.service.answer(request)

    def _authority(self) -> dict[str, str]:
        """The endpoints of the authority.

        Nobody can log in here. MSAL shows no text of an error from here, but it does show an invalid address: so the
        address says what to do.
        """
        login = f"{self._server.url}/authorize"
        return {"issuer": self._server.url, "authorization_endpoint": login, "token_endpoint": _NO_LOGIN}

    def _clouds(self) -> list[dict[str, object]]:
        url = f"{self._server.url}/"
        authentication = {"loginEndpoint": url, "audiences": [url], "tenant": "common", "identityProvider": "AAD"}
        suffixes = {"storage": SUFFIX, "keyVaultDns": SUFFIX, "acrLoginServer": SUFFIX}
        cloud = {"name": CLOUD, "portal": url, "resourceManager": url}
        return [{**cloud, "authentication": authentication, "suffixes": suffixes}]

    def _token(self, request: Request) -> Answer:
        keys = self._server.service.keys
        if request.headers.get("x-identity-header") != keys.header:
            return Refusal(401, "Unauthorized", "IDENTITY_HEADER is not the one of this workspace.").answer()
        resource = request.query.get("resource", "")
        token = keys.token(resource)
        given = {"access_token": token.text, "expires_on": str(token.expires), "resource": resource}
        return answer({**given, "token_type": "Bearer"})


async def _body(receive: Receive, largest: int) -> bytes | None:
    """The whole body of a request; None if it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, given: Answer, *, bodiless: bool) -> None:
    headers = {"Content-Length": str(len(given.body)), **given.headers}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": given.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if bodiless else given.body, "more_body": False})


def main(arguments: list[str]) -> int:
    """Be a server until a signal ends it, with the arguments `WORKSPACE PORT`; prints a line when it is ready."""
    root, port = Path(arguments[0]), int(arguments[1])
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        server = Server(root, port)
        with registered(root, server.port, server.tracking_uri):
            server.start()
            print(server.url, flush=True)  # noqa: T201  `daemon.up` waits for this
            stopped.wait()
            server.stop()
    except CreditMLError as error:
        print(error, file=sys.stderr)  # noqa: T201  into the server's log
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
