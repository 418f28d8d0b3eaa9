"""The service of one workspace: who may ask, what answers, and what becomes of errors. It knows nothing of sockets."""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING
from urllib.parse import unquote

from creditml.documents import LARGEST
from creditml.errors import CreditMLError
from creditml.secrets import redacted
from creditml.service import blobs, routes
from creditml.service.call import Call, Storage
from creditml.service.jobs import submit_job
from creditml.service.keys import Keys
from creditml.service.messages import Answer, Refusal, refusal
from creditml.service.promised_versions import PromisedVersions
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from creditml.model import Job
    from creditml.service.messages import Request
    from creditml.workspace.records import JobRecord

LARGEST_BODY = 1 << 28
"""Bytes; the SDK sends larger files in blocks."""
LARGEST_JSON = LARGEST
"""Bytes of a body that is not for the storage."""
_OPEN_TO_ALL = ("/discovery",)
_log = logging.getLogger(__name__)


def _asked(request: Request) -> str:
    """What a request asks for, in words: `online endpoints` for `…/workspaces/<name>/onlineEndpoints/…`."""
    found = re.search(r"/(?:workspaces|registries)/[^/]+/([A-Za-z]+)", request.path)
    if found is None:
        return f"{request.method} {request.path}"
    return re.sub(r"(?<=[a-z])[A-Z]", lambda capital: f" {capital[0].lower()}", found[1])


class Service:
    """Answers requests about one workspace. May be called from any number of threads."""

    def __init__(
        self,
        root: Path,
        storage: Storage,
        tracking_uri: Callable[[], str],
        submit: Callable[[Workspace, Job], JobRecord] = submit_job,
    ) -> None:
        """Serve a workspace.

        Args:
            root: the workspace's folder.
            storage: the storage account, as clients see it.
            tracking_uri: returns the address of MLflow's server, and starts the server if need be.
            submit: submits a job that was sent.
        """
        self._root, self.storage, self._tracking_uri, self._submit = root, storage, tracking_uri, submit
        self.keys = Keys(root)
        self._promised_versions = PromisedVersions()

    def answer(self, request: Request) -> Answer:
        """Answer a request; errors are answers too, so that nothing is raised."""
        try:
            return self._answer(request)
        except Refusal as error:
            return error.answer()
        except CreditMLError as error:
            return refusal(error).answer()
        except Exception as error:  # noqa: BLE001  the service goes on
            trace = "".join(traceback.format_exception(error))
            _log.error("%s %s\n%s", request.method, request.raw_path, redacted(trace))
            if request.body and isinstance(error, TypeError | AttributeError | KeyError):
                message = f"The body is not of the form that Azure ML's clients send ({type(error).__name__}: {error})."
                return Refusal(400, "BadArgument", message).answer()
            message = f"This is a defect of creditml: {type(error).__name__}: {error}"
            return Refusal(500, "InternalServerError", message).answer()

    def _answer(self, request: Request) -> Answer:
        place = self._blob(request)
        if place is not None:
            return self._storage(request, place)
        path = request.path
        if len(request.body) > LARGEST_JSON:
            raise Refusal(413, "RequestBodyTooLarge", f"A body may have at most {LARGEST_JSON} bytes.")
        if path not in _OPEN_TO_ALL:
            self._check_bearer(request)
        found = routes.find(request.method, path)
        if found is None:
            raise Refusal(501, "NotImplemented", f"creditml's local workspace does not serve {_asked(request)}.")
        workspace = Workspace(self._root)
        try:
            served = (self.keys, self.storage, self._tracking_uri, self._submit, self._promised_versions)
            call = Call(request, found.scope, workspace, *served)
            answer: Answer = found.handler(call, **found.names)
            return answer
        finally:
            workspace.close()

    def _blob(self, request: Request) -> str | None:
        """`container/blob` of a request to the storage account; None for other requests."""
        name, _, own_path = self.storage.url.partition("://")[2].partition("/")
        path = unquote(request.raw_path).lstrip("/")
        if request.host.lower() != name.lower() or not path.startswith(own_path):
            return None
        return path[len(own_path) :].lstrip("/")

    def _storage(self, request: Request, place: str) -> Answer:
        if len(request.body) > LARGEST_BODY:
            raise Refusal(413, "RequestBodyTooLarge", f"A body may have at most {LARGEST_BODY} bytes.")
        authorization = request.headers.get("authorization", "")
        if authorization.startswith("SharedKey "):
            allowed = self.keys.accepts_signature(request)
        elif authorization:
            allowed = self._is_bearer(authorization)
        else:
            allowed = self.keys.accepts_url(request, self.storage.account, place)
        if not allowed:
            raise Refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        workspace = Workspace(self._root)
        try:
            return blobs.serve(request, workspace, place)
        finally:
            workspace.close()

    def _check_bearer(self, request: Request) -> None:
        if not self._is_bearer(request.headers.get("authorization", "")):
            raise Refusal(401, "AuthenticationFailed", "The request has no token of this workspace.")

    def _is_bearer(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.keys.accepts_token(token.strip())
