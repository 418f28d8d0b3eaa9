"""Lets requests in to MLflow's server: those of the workspace's owner, the steps that run, and the owner's browser.

A request must name a host that stands for this machine (else a web page could reach the server by a name of its own),
must not come from another web page (its Origin), and must bring the owner's secret, a step's token or the cookie.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from creditml.tracking.access import LINK_KEY, browser_key, owner_secret, same

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from creditml.tracking.access import Known

GRANT = "creditml.grant"
"""The key of a request's scope with the `Grant` of the step that asks; None for the owner."""
OPEN_PATHS = ("/health", "/version")
"""Anybody may ask whether the server runs."""
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_COOKIE = "creditml"
_NO_ENTRY = (
    "MLflow's server of this creditml workspace is for its owner and its running steps. Scripts: run them by "
    "`creditml exec -- COMMAND`, which sets MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN. A browser: open the link "
    "that `creditml ui` prints. The token of a step ends with the step."
)
_FOREIGN = "A web page of another site may not use MLflow's server."


class Refusal(NamedTuple):
    """An answer without the application."""

    status: int
    code: str
    message: str

    async def send(self, send: Send) -> None:
        """Answer as MLflow does, so that its clients show the message."""
        body = json.dumps({"error_code": self.code, "message": self.message}).encode()
        await _answer(send, self.status, [(b"content-type", b"application/json")], body)


class Gate:
    """Passes the requests of those who may use the server on to `app`."""

    def __init__(self, app: ASGIApp, root: Path) -> None:
        """Stand before the application of the workspace folder `root`."""
        self._app = app
        self._owner, self._browser = owner_secret(root), browser_key(root)
        self._cookie = f"{_COOKIE}_{self._browser[:8]}"  # browsers don't tell the ports of one host apart
        self.known: Sequence[Known] = ()
        """What is known of each runner's steps."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._is_called(host):
            await Refusal(403, "PERMISSION_DENIED", f"This server is not {host!r}.").send(send)
        elif not _same_site(headers, host):
            await Refusal(403, "PERMISSION_DENIED", _FOREIGN).send(send)
        elif scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
        elif self._comes_by_link(scope):
            await self._welcome(send)
        else:
            await self._admit(scope, receive, send, headers)

    async def _admit(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        token = _token(headers.get("authorization", ""))
        if same(token, self._owner) or (not token and self._has_cookie(headers)):
            await self._app({**scope, GRANT: None}, receive, send)
            return
        for known in self.known:
            if grant := known.find(token):
                await self._app({**scope, GRANT: grant}, receive, send)
                return
        await Refusal(401, "UNAUTHENTICATED", _NO_ENTRY).send(send)

    def _comes_by_link(self, scope: Scope) -> bool:
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        keys = parse_qs(scope["query_string"].decode("latin-1")).get(LINK_KEY, [])
        return any(same(key, self._browser) for key in keys)

    async def _welcome(self, send: Send) -> None:
        """Set the cookie and lead to the page without the key in its address."""
        cookie = f"{self._cookie}={self._browser}; Path=/; HttpOnly; SameSite=Lax"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await _answer(send, 303, [*headers, (b"referrer-policy", b"no-referrer")], b"")

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        cookies = dict(part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";"))
        return same(cookies.get(self._cookie, ""), self._browser)

    def _is_called(self, host: str) -> bool:
        """Whether a header Host has a name by which the server may be called, with any port or none."""
        name, colon, port = host.rpartition(":")
        name = (name if colon and port.isdecimal() else host).lower()
        return name in _LOOPBACK or any(name in known.hosts for known in self.known)


def _same_site(headers: dict[str, str], host: str) -> bool:
    """Whether no other site's page sent a request; a link that was clicked there is no more than an address."""
    origin = headers.get("origin")
    if origin is not None:
        return origin in (f"http://{host}", f"https://{host}")
    site = headers.get("sec-fetch-site", "none")
    return site in ("none", "same-origin") or headers.get("sec-fetch-mode") == "navigate"


def _token(authorization: str) -> str:
    """The bearer token or the password in the header Authorization; empty if there is neither."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
