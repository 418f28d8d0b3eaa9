"""Removes secrets from texts: signatures in URLs, keys, tokens, passwords."""

from __future__ import annotations

import os
import re

_HELD = ("AZURE_CLIENT_SECRET", "AZURE_PASSWORD", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "IDENTITY_HEADER", "MSI_SECRET")
"""Environment variables that hold secrets (azure-identity reads them)."""
_LEAST = 6  # characters; a shorter value is not replaced, since it may be part of an ordinary word
_NAMES = (
    "account[_-]?key|shared[_-]?access[_-]?key|shared[_-]?access[_-]?signature|sas[_-]?token|sas[_-]?signature|"
    "client[_-]?secret|client[_-]?assertion|access[_-]?token|refresh[_-]?token|id[_-]?token|password|pwd|"
    "x-identity-header|x-ms-copy-source-authorization|ocp-apim-subscription-key|api[_-]?key|primary[_-]?key|"
    "secondary[_-]?key"
)
_CREDENTIALS = r"(://)[^/@\s]+@"
_END = r"\s\"'<>"
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
    (r"(?i)(https?://[^\s/@:]+:)[^\s/@]+@", r"\1…@"),
)


def redacted(text: str) -> str:
    """The text with each secret replaced by `…`; all other words and URLs stay unchanged."""
    for value in filter(None, map(os.environ.get, _HELD)):
        if len(value) >= _LEAST:
            text = text.replace(value, "…")
    for pattern, instead in _SECRETS:
        text = re.sub(pattern, instead, text)
    return text


def without_credentials(text: str) -> str:
    """The text with user names and passwords in URLs, such as those of package indexes, replaced by `***`."""
    return re.sub(_CREDENTIALS, r"\1***@", text)
