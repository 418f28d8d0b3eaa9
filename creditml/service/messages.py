"""Requests, answers and errors of the service, whatever carries them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from creditml.errors import BackendError, Conflict, CreditMLError, NotFound, SpecError, Unsupported
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Request(NamedTuple):
    """One request.

    Attributes:
        method: In upper case.
        scheme: `https`, or `http`.
        host: The Host header: a name, perhaps with a port.
        target: Path and query as they were sent, percent signs and all.
        headers: By lower-case name.
        body: All of it.
    """

    method: str
    scheme: str
    host: str
    target: str
    headers: Mapping[str, str] = NOTHING
    body: bytes = b""

    @property
    def base(self) -> str:
        """Where the service is, as the caller sees it: `https://host`."""
        return f"{self.scheme}://{self.host}"

    @property
    def raw_path(self) -> str:
        """The path as it was sent."""
        return urlsplit(self.target).path

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        """The query's values, decoded."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def properties(self) -> dict[str, Any]:
        """What a body says of a resource.

        Raises:
            Refusal: it is no JSON object, or has no such part.
        """
        found = self.json().get("properties")
        if not isinstance(found, dict):
            raise Refusal(400, "BadArgument", "The body has no 'properties'.")
        return found

    def json(self) -> dict[str, Any]:
        """The body.

        Raises:
            Refusal: it is no JSON object.
        """
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, "BadArgument", f"The body is no JSON: {error}.") from None
        if not isinstance(value, dict):
            raise Refusal(400, "BadArgument", "The body must be a JSON object.")
        return value


class Answer(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str] = NOTHING
    body: bytes = b""


def answer(value: Any, status: int = 200, **headers: str) -> Answer:  # any JSON value
    """An answer in JSON; `retry_after="1"` becomes the header `Retry-After`."""
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return Answer(status, {"Content-Type": "application/json", **named}, json.dumps(value).encode())


class Refusal(Exception):
    """An answer that is an error, in Azure's shape: a code and a plain sentence."""

    def __init__(self, status: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> None:
        """`details` are further errors, each with a code and a message."""
        self.status, self.code, self.message, self.details = status, code, message, details or []
        super().__init__(message)

    def answer(self) -> Answer:
        """The answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return answer({"error": error}, self.status, x_ms_error_code=self.code)


def refusal(error: CreditMLError) -> Refusal:
    """Azure's error for one of ours."""
    if isinstance(error, SpecError):
        errors = [str(problem) for problem in error.problems if not problem.warning]
        details = [{"code": "ValidationError", "message": text} for text in errors]
        return Refusal(400, "UserError", "\n".join(errors), details)
    if isinstance(error, NotFound):
        return Refusal(404, "UserError", str(error))
    if isinstance(error, Conflict):
        return Refusal(409, "UserError", str(error))
    if isinstance(error, Unsupported):
        return Refusal(501, "NotSupported", str(error))
    if isinstance(error, BackendError):
        return Refusal(503, "ServiceUnavailable", str(error))
    return Refusal(400, "UserError", str(error))
