"""The errors of Azure's SDK as creditml's: one sentence, what to do next, and no secret."""

from __future__ import annotations

import io
import re
import socket
import ssl
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Any

from creditml.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnavailable,
    Conflict,
    CreditMLError,
    NotFound,
    Problem,
    SpecError,
    Unsupported,
)
from creditml.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SERVER = 500  # the first status of a service that fails
_TRY_AGAIN = "Run the same command again; it goes on where this one ended."
_SIGN_IN = "Sign in with `az login`, and check that your account may use the workspace."
_NOT_ALLOWED = (
    "Your account may not do this: ask an owner of the workspace for the role 'AzureML Data Scientist', or for data "
    "'Storage Blob Data Contributor', or sign in as somebody else with `az login`."
)
_BY_STATUS: Mapping[int, tuple[type[CreditMLError], str]] = {
    401: (AuthenticationFailed, "Sign in again with `az login`."),
    403: (AuthenticationFailed, _NOT_ALLOWED),
    404: (NotFound, ""),
    408: (BackendUnavailable, _TRY_AGAIN),
    409: (Conflict, ""),
    412: (Conflict, "Somebody has changed it meanwhile. Run the same command again."),
    429: (BackendUnavailable, "Too much is asked of Azure at the moment. Wait {wait}and run the same command again."),
}
_FAILING = "Azure has a fault at the moment. Wait {wait}and run the same command again."
_BY_NAME: Mapping[str, type[CreditMLError]] = {
    # azure.core
    "ClientAuthenticationError": AuthenticationFailed,
    "ResourceNotFoundError": NotFound,
    "ResourceExistsError": Conflict,
    "ResourceModifiedError": Conflict,
    "ResourceNotModifiedError": Conflict,
    "ServiceRequestError": BackendUnavailable,
    "ServiceResponseError": BackendUnavailable,
    "IncompleteReadError": BackendUnavailable,
    # azure.ai.ml
    "AssetPathException": Conflict,  # an existing version has other content than the upload
    "ValidationException": SpecError,
    "ComponentException": SpecError,
    "EmptyDirectoryError": SpecError,
    "UserErrorException": SpecError,
    "UnsupportedOperationError": Unsupported,
    "CloudArtifactsNotSupportedError": Unsupported,
    "LocalEndpointNotFoundError": NotFound,
    "RequiredLocalArtifactsNotFoundError": NotFound,
    "DockerEngineNotAvailableError": BackendUnavailable,
    # requests, urllib3 and http.client, each of which has some of these
    "ConnectionError": BackendUnavailable,
    "ConnectTimeout": BackendUnavailable,
    "Timeout": BackendUnavailable,
    "ChunkedEncodingError": BackendUnavailable,
    "ContentDecodingError": BackendUnavailable,
    "RetryError": BackendUnavailable,
    "TimeoutError": BackendUnavailable,
    "ProtocolError": BackendUnavailable,
    "IncompleteRead": BackendUnavailable,
    "ProxyError": BackendUnavailable,
    "MaxRetryError": BackendUnavailable,
    "SSLError": BackendUnavailable,
    "RemoteDisconnected": BackendUnavailable,
}
"""The kind of error for each class of the SDK's; a class that isn't here is like its parent, or a `BackendError`."""
_NETWORK = (ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(
    r"(?i)\s*(code|content|requestid|time|errorcode|error|details|additional information|target):|^\s*$"
)
_CODE = re.compile(r"^(?:\([A-Za-z]\w*\)|\[Errno -?\d+\])\s*")
_ERRNO = re.compile(r"\[Errno -?\d+\] (?P<said>[^'\")\]]+)")
_HOST = re.compile(r"(?:host=|resolve )'(?P<host>[^']+)'")
_TRUST = re.compile(r"(?i)certificate verify failed(?:: (?P<said>[^()'\"]+))?")
_UNREACHED = re.compile(r"(?i)max retries exceeded|failed to (resolve|establish)|connection (refused|aborted|reset)")
_NOBODY = re.compile(r"(?i)az login|(CLI|CLI is) not (found|installed)")
_LONGEST = 2000  # characters of Azure's text: some answers are whole pages


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the SDK from drawing progress bars, and from printing errors that it raises too; for the main thread."""
    with redirect_stderr(io.StringIO()):
        yield


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """A context that turns every error of the SDK into one of creditml's.

    Args:
        doing: what is done, as the message begins: `submitting the job 'x'`.
    """
    try:
        yield
    except (CreditMLError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001  whatever the SDK raises, nobody is to see its traceback
        raise translated(error, doing) from None  # the SDK's text may hold secrets


def translated(error: BaseException, doing: str) -> CreditMLError:
    """The error of creditml for one of the SDK's."""
    kind: type[CreditMLError] = BackendError
    advice, cause = "", error
    for each in _chain(error):  # the SDK wraps an error in one that says less
        kind, advice = _kind(each)
        if kind is not BackendError:
            cause = each
            break
    text = _said(cause, kind)
    end = "" if text.endswith((".", "!", "?", "…")) else "."
    message = f"Azure ML failed at {doing}: {text}{end} {advice}".rstrip()
    return SpecError([Problem(message)]) if kind is SpecError else kind(message)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if each in seen:
            continue
        seen.append(each)
        yield each
        inner = (getattr(each, name, None) for name in ("__cause__", "inner_exception", "_error"))
        waiting += [found for found in inner if isinstance(found, BaseException)]


def _kind(error: BaseException) -> tuple[type[CreditMLError], str]:
    status = _status(error)
    if status is not None and (status in _BY_STATUS or status >= _SERVER):
        kind, advice = _BY_STATUS.get(status, (BackendUnavailable, _FAILING))
        return kind, advice.format(wait=_wait(error))
    if isinstance(error, _NETWORK):
        return BackendUnavailable, _network_advice(error)
    if isinstance(error, FileNotFoundError):
        return NotFound, ""
    for base in type(error).__mro__:
        kind = _BY_NAME.get(base.__name__, BackendError)
        if kind is not BackendError:
            if kind is BackendUnavailable or (kind is AuthenticationFailed and _no_way(str(error))):
                return BackendUnavailable, _network_advice(error)
            return kind, _SIGN_IN if kind is AuthenticationFailed else ""
    return BackendError, ""


def _no_way(text: str) -> bool:
    """Whether there is no token because Azure can't be reached, and not because nobody is signed in."""
    return bool(_UNREACHED.search(text)) and not _NOBODY.search(text)


def _network_advice(error: BaseException) -> str:
    if _TRUST.search(str(error)):
        return (
            "If a proxy of your company stands between, name its certificate in REQUESTS_CA_BUNDLE; never switch the "
            "check off."
        )
    return f"Check the network and the proxy (HTTPS_PROXY). {_TRY_AGAIN}"


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _wait(error: BaseException) -> str:
    """How long the service asks clients to wait, for a message."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("Retry-After") or headers.get("retry-after")
    return f"{value} s " if value and str(value).isdecimal() else "a minute "


def _said(error: BaseException, kind: type[CreditMLError]) -> str:
    """What is wrong, in the service's words, without the advice for its own tools."""
    inner = getattr(error, "error", None)
    text = getattr(inner, "message", None) or getattr(error, "message", None) or str(error) or type(error).__name__
    text = _ANSI.sub("", str(text))
    if kind is BackendUnavailable and _status(error) is None:
        text = _network(text)
    lines = _marked(text) or [line for line in text.splitlines() if not _NOISE.match(line)] or text.splitlines()
    if kind is AuthenticationFailed:
        lines = lines[:1]  # the other lines are all the ways that were tried
    said = _CODE.sub("", redacted(" ".join(line.strip() for line in lines)).strip())
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def _marked(text: str) -> list[str]:
    """The lines of the SDK's formatted texts that are marked as wrong, with those that belong to them."""
    found: list[str] = []
    within = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("(x)"):
            within = True
            found.append(line.removeprefix("(x)").strip())
        elif not line or line.startswith("Resolutions:"):
            within = False
        elif within:
            found.append(line.removeprefix("- "))
    return found


def _network(text: str) -> str:
    """Which host can't be reached and why, from the texts of requests and urllib3."""
    host, number, trust = _HOST.search(text), _ERRNO.search(text), _TRUST.search(text)
    if trust:
        why = f"its certificate isn't trusted{': ' + trust['said'].strip() if trust['said'] else ''}"
    elif number:
        why = number["said"].strip()
    elif "timed out" in text.lower():
        why = "it didn't answer in time"
    elif "RemoteDisconnected" in text or "Connection aborted" in text or "IncompleteRead" in text:
        why = "the connection was cut"
    else:
        return text
    why = why.partition("To mitigate this issue")[0].strip()  # azure.identity's advice on its own log
    return f"{host['host']} can't be reached ({why})" if host else f"no connection ({why})"
