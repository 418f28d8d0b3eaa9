"""What Azure's SDK raises, as our errors: one sentence, what to do next, and no secret in it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from creditml.errors import AuthenticationFailed, BackendError, BackendUnavailable, CreditMLError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = "AccountKey|SharedAccessKey|SharedAccessSignature|client_secret|access_token"
_SECRETS = (
    (re.compile(r"(?i)\b(sig|se|sp|sv|skoid|sktid|skt|ske|sks|skv)=[^&\s\"']+"), r"\1=…"),
    (re.compile(rf"(?i)\b({_NAMES})(\"?\s*[=:]\s*\"?)[^;&\s\"']+"), r"\1\2…"),
    (re.compile(r"(?i)\b(Bearer|SharedKey)\s+[A-Za-z0-9._~+/:=-]{8,}"), r"\1 …"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "…"),
)


def redacted(text: str) -> str:
    """A text without what lets somebody in: signatures of URLs, keys, tokens."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into an error of ours.

    Args:
        doing: what is done, as the message begins: `submitting the job 'x'`.
    """
    try:
        yield
    except (CreditMLError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001  whatever the SDK raises, nobody is to see its traceback
        raise translated(error, doing) from None  # its own text may hold secrets


def translated(error: Exception, doing: str) -> CreditMLError:
    """The error that stands for one of the SDK's."""
    from azure.core.exceptions import (  # noqa: PLC0415  heavy, and something has failed
        ClientAuthenticationError,
        HttpResponseError,
        ResourceNotFoundError,
        ServiceRequestError,
        ServiceResponseError,
    )

    text = redacted(str(error)).strip()
    kind: type[CreditMLError] = BackendError
    if isinstance(error, ClientAuthenticationError):
        kind = AuthenticationFailed
    elif isinstance(error, ResourceNotFoundError):
        kind = NotFound
    elif isinstance(error, ServiceRequestError | ServiceResponseError):
        kind = BackendUnavailable
    elif isinstance(error, HttpResponseError) and error.status_code in (401, 403):
        kind = AuthenticationFailed
    return kind(f"Azure ML failed at {doing}: {text}")
