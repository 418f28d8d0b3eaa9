"""Requests, answers and errors of the service, the same for both transports (in process and TLS)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from creditml.documents import parse_json
from creditml.errors import BackendError, Conflict, CreditMLError, NotFound, SpecError, Unsupported
from creditml.model import NOTHING
from creditml.secrets import all_redacted, redacted

if TYPE_CHECKING:
    from collections.abc import Mapping


class Request(NamedTuple):
    """A request.

    Attributes:
        method: In upper case.
        scheme: `https`, or `http`.
        host: The Host header: a name, perhaps with a port.
        target: Path and query as they were sent, percent-encoded.
        headers: The headers, by lower-case names.
        body: The whole body.
    """

    method: str
    scheme: str
    host: str
    target: str
    headers: Mapping[str, str] = NOTHING
    body: bytes = b""

    @property
    def base(self) -> str:
        """The address of the service, as the client sees it: `https://host`."""
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
        """The `properties` in the body, which describe a resource.

        Raises:
            Refusal: the body is not a JSON object, or has no `properties`.
        """
        found = self.json().get("properties")
        if not isinstance(found, dict):
            raise Refusal(400, "BadArgument", "The body has no 'properties'.")
        return found

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Refusal: it is not one.
        """
        try:
            value = parse_json(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, "BadArgument", f"The body is not JSON: {error}.") from None
        if not isinstance(value, dict):
            raise Refusal(400, "BadArgument", "The body must be a JSON object.")
        return value


class Answer(NamedTuple):
    """An answer: status, headers and body of an HTTP response."""

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
        """The error as an answer."""
        error: dict[str, Any] = {"code": self.code, "message": redacted(self.message)}
        if self.details:
            error["details"] = all_redacted(self.details)
        return answer({"error": error}, self.status, x_ms_error_code=self.code)


def refusal(error: CreditMLError) -> Refusal:
    """The answer for one of creditml's errors."""
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
