"""Carries requests of the SDK to the service within the process.

For the control plane, public interfaces suffice: an adapter of `requests` in a transport of azure-core. The SDK's blob
client makes its own transport, so this is the one place that replaces something in the SDK:
`azure.storage.blob._shared.base_client.RequestsTransport` becomes a function that makes the same transport, whose
sessions know the local storage account. Other accounts are reached as before.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from creditml.errors import BackendError
from creditml.service.call import Storage
from creditml.service.messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.service.messages import Answer
    from creditml.service.service import Service

SEAM = ("azure.storage.blob._shared.base_client", "RequestsTransport")


def in_process() -> Storage:
    """A storage account for a service within the process: its host name exists nowhere.

    The SDK builds the account's address with the suffix of the cloud that this process uses. If that cloud is another
    workspace's server, the blob client can't read the account from the host name. On localhost it reads it from the
    path, so the account is put there.
    """
    from azure.ai.ml._azure_environments import _get_storage_endpoint_from_metadata

    suffix = str(_get_storage_endpoint_from_metadata())
    name = f"creditml{os.urandom(6).hex()}"
    return Storage(name if suffix.startswith("core.") else f"localhost:1/blob/{name}", suffix)


class ServiceAdapter(BaseAdapter):
    """Hands the requests of a session to a service, whatever their host."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def send(self, request: requests.PreparedRequest, *_args: Any, **_settings: Any) -> requests.Response:
        """Let the service answer a request."""
        url = urlsplit(request.url or "")
        target = url.path + (f"?{url.query}" if url.query else "")
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        sent = Request(request.method or "GET", url.scheme, url.netloc, target, headers, _body(request.body))
        return _response(request, self._service.answer(sent))

    def close(self) -> None:
        """Do nothing: there is no connection to close."""


def control_plane(service: Service) -> RequestsTransport:
    """A transport that reaches only the service."""
    return RequestsTransport(session=_session("https://", service), session_owner=False)


def serve_blobs(service: Service) -> None:
    """Let the SDK's blob clients reach the service's storage account.

    Raises:
        BackendError: this version of the SDK has no such class to replace.
    """
    import importlib  # with the seam

    module = importlib.import_module(SEAM[0])
    if not hasattr(module, SEAM[1]):
        message = f"azure-storage-blob has no {'.'.join(SEAM)} any more; this release of creditml needs an older one."
        raise BackendError(message)
    made = getattr(module, SEAM[1])
    accounts = getattr(made, "accounts", None)
    if accounts is None:
        accounts = {}
        setattr(module, SEAM[1], _Transports(made, accounts))
    accounts[service.storage.url] = service


class _Transports:
    """Makes transports for blob clients, in the place of the class that they know."""

    def __init__(self, original: type[RequestsTransport], accounts: Mapping[str, Service]) -> None:
        self._original, self.accounts = original, accounts

    def __call__(self, **settings: Any) -> RequestsTransport:
        session = requests.Session()
        for url, service in self.accounts.items():
            session.mount(url, ServiceAdapter(service))
        return self._original(session=session, **settings)


def _session(prefix: str, service: Service) -> requests.Session:
    session = requests.Session()
    session.mount(prefix, ServiceAdapter(service))
    return session


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    if hasattr(body, "read"):
        return bytes(body.read())
    return b"".join(body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update({"Content-Length": str(len(answer.body)), **answer.headers})
    response.request = request
    response.url = request.url or ""
    response.reason = requests.status_codes._codes.get(answer.status, ("",))[0].replace("_", " ").title()  # noqa: SLF001  the table has no other name
    response.encoding = "utf-8"
    body = b"" if request.method == "HEAD" else answer.body
    response.raw = HTTPResponse(
        io.BytesIO(body),
        headers=response.headers,
        status=answer.status,
        reason=response.reason,
        preload_content=False,
        request_method=request.method,
    )
    return response
