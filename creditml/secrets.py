"""What is taken out of a text before it is shown or kept: secrets, and what a terminal would act upon.

Secrets are signatures in URLs, keys, tokens and passwords. What a terminal acts upon are escape sequences and other
control characters: a log or a YAML file could use them to rename its window, to hide lines or to answer for the user.
"""

from __future__ import annotations

import os
import re
from typing import Any

_HELD = (
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "IDENTITY_HEADER",
    "MSI_SECRET",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
)
"""Environment variables that hold secrets (azure-identity and MLflow read them)."""
_LEAST = 6  # characters; a shorter value is not replaced, since it may be part of an ordinary word
_NAMES = (
    "account[_-]?key|shared[_-]?access[_-]?key|shared[_-]?access[_-]?signature|sas[_-]?token|sas[_-]?signature|"
    "client[_-]?secret|client[_-]?assertion|access[_-]?token|refresh[_-]?token|id[_-]?token|password|pwd|"
    "x-identity-header|x-ms-copy-source-authorization|ocp-apim-subscription-key|api[_-]?key|primary[_-]?key|"
    "secondary[_-]?key"
)
_KEYS = rf"(?i)(?:^|[_-])(?:{_NAMES}|passwd|secret|token|connection[_-]?string)$"
_CREDENTIALS = r"(://)[^/@\s]+@"
_HINTS = (
    *(
        "=",
        "%3d",
        "://",
        "bearer",
        "eyj",
        "key",
        "signature",
        "token",
        "secret",
        "assertion",
        "password",
        "pwd",
        "header",
    ),
    *("authorization", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "glpat-", "pypi-"),
)
"""A text in lower case that has none of these has no secret."""
_END = r"\s\"'<>"
_ESCAPES = r"\x1b\[[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d).*?(?:\x07|\x1b\\|\x9c|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b."
_CONTROL_CODES = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"]
_CONTROLS = {code: f"\\x{code:02x}" for code in _CONTROL_CODES}
_REMOVED = dict.fromkeys(_CONTROL_CODES)
_SECRETS = (
    # a signed URL loses its whole query, which belongs to the signature, and keeps its path
    (rf"(?i)\?[^{_END}]*(?<=[?&;])sig=[^{_END}]*", "?…"),
    (rf"(?i)(?<![\w-])sig=[^&;{_END}]{{8,}}", "sig=…"),
    (rf"(?i)(?<=sig%3D)(?:[^%&{_END}]|%(?!26)[0-9a-f]{{2}}){{8,}}", "…"),  # in a URL within a URL
    (r"(?i)\b(Bearer)\s+(?=\S*[\d.])[A-Za-z0-9._~+/=-]{8,}", r"\1 …"),
    (r"(?i)\b(SharedKey)\s+[^\s:\"']+:[A-Za-z0-9+/=]{8,}", r"\1 …"),
    (rf"(?i)(?<![A-Za-z])({_NAMES})(\\?[\"']?\s*[=:]\s*\\?[\"']?)[^;,&\\{_END}]{{3,}}", r"\1\2…"),
    (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?", "…"),
    # 32 or 64 bytes in padded base64: signatures, and keys of storage accounts
    (r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?![A-Za-z0-9+/=])", "…"),
    (r"(?i)(https?://)[^\s/@]+@", r"\1…@"),
    # signatures of other clouds, and secrets in the query of a URL
    (rf"(?i)([?&]x-(?:amz|goog)-(?:signature|credential|security-token)=)[^&{_END}]+", r"\1…"),
    (rf"(?i)([?&](?:signature|token|key|code|auth|secret)=)[^&{_END}]{{3,}}", r"\1…"),
    (r"\b(?:gh[pousr]_|github_pat_|hf_|glpat-|pypi-)[A-Za-z0-9_-]{16,}", "…"),
)


def redacted(text: str) -> str:
    """The text with each secret replaced by `…`; all other words and URLs stay unchanged."""
    lower = text.lower()
    for value in filter(None, map(os.environ.get, _HELD)):
        if len(value) >= _LEAST:
            text = text.replace(value, "…")
    if not any(hint in lower for hint in _HINTS):  # most texts: patterns need not be compiled
        return text
    for pattern, instead in _SECRETS:
        text = re.sub(pattern, instead, text)
    return text


def without_credentials(text: str) -> str:
    """The text with user names and passwords in URLs, such as those of package indexes, replaced by `***`."""
    return re.sub(_CREDENTIALS, r"\1***@", text)


def all_redacted(value: Any) -> Any:  # any JSON value
    """A value in which each text is without secrets, and texts whose key says that they are secrets are hidden."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: "…" if _is_secret(str(key), each) else all_redacted(each) for key, each in value.items()}
    return [all_redacted(each) for each in value] if isinstance(value, list | tuple) else value


def _is_secret(key: str, value: Any) -> bool:  # any JSON value
    return isinstance(value, str) and not value.startswith("${{") and re.search(_KEYS, key) is not None


def disarmed(text: str) -> str:
    r"""The text with each control character but tabs and line ends made visible: `\x1b` for an escape."""
    return text.translate(_CONTROLS)


def without_escapes(line: str) -> str:
    """A line of a log as a terminal would leave it, without colours and other escape sequences."""
    line = re.sub(_ESCAPES, "", line.rstrip("\r\n"))
    return line.rpartition("\r")[2].translate(_REMOVED)
