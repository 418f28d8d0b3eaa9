"""The secret of a workspace, and what is derived from it: tokens, the storage account's key and its signatures.

Each request to the service has a token or a signature. Only somebody who can read the secret's file can make one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlencode

from creditml.secret_files import workspace_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from creditml.service.messages import Request

_LIFE = 24 * 3600  # seconds
_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
)
# Of a shared access signature, in the order in which they are signed (Azure docs: 'Create a service SAS').
_BEFORE_RESOURCE, _AFTER_RESOURCE = ("sp", "st", "se"), ("si", "sip", "spr", "sv", "sr", "snapshot", "ses")
_HEADERS_OF_ANSWER = ("rscc", "rscd", "rsce", "rscl", "rsct")
_SAS_VERSION = "2021-12-02"
_NEEDED = {"GET": "r", "HEAD": "r", "PUT": "wc", "DELETE": "d"}


class Token(NamedTuple):
    """A bearer token, and when it expires (seconds since 1970)."""

    text: str
    expires: int


class Keys:
    """Makes and checks the proofs that a client may use the workspace."""

    def __init__(self, root: Path) -> None:
        """Use the secret of the workspace folder `root`, which is made when it is first needed."""
        self._root = root

    @cached_property
    def _secret(self) -> bytes:
        return workspace_secret(self._root)

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    # -- tokens

    def token(self, audience: str, uti: str = "") -> Token:
        """A token of the form that Azure's clients can decode (a JWT).

        Args:
            audience: the resource that it is for.
            uti: the id of the token, by default a random one.
        """
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": "https://sts.windows.net/local/",
            "iat": now,
            "nbf": now,
            "exp": now + _LIFE,
            "oid": "00000000-0000-0000-0000-000000000000",
            "tid": "00000000-0000-0000-0000-000000000000",
            "name": "local",
            "uti": uti or os.urandom(12).hex(),
        }
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signed = ".".join(parts)
        return Token(f"{signed}.{self._signature_of_token(signed)}", now + _LIFE)

    def accepts_token(self, text: str) -> bool:
        """Whether a token is one of this workspace, and has not expired."""
        signed, _, signature = text.rpartition(".")
        if not _same(signature, self._signature_of_token(signed)):
            return False
        try:
            expires = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))["exp"]
        except (ValueError, KeyError, TypeError):
            return False
        return isinstance(expires, int) and expires > time.time()

    def _signature_of_token(self, signed: str) -> str:
        return _encoded(hmac.digest(self._derived("token"), signed.encode(), hashlib.sha256))

    @property
    def header(self) -> str:
        """The secret that a request for a token must have (IDENTITY_HEADER)."""
        return self._derived("identity").hex()

    # -- storage

    @property
    def account_key(self) -> str:
        """The key of the storage account, base64."""
        return base64.b64encode(self._derived("storage")).decode()

    def signed_url(self, url: str, account: str, permissions: str = "r") -> str:
        """The URL of a container (no `/` in its path) or a blob with a signature, which gives access for a day."""
        path = unquote(url.partition("://")[2].partition("/")[2])
        expiry = datetime.fromtimestamp(time.time() + _LIFE, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        place = path.removeprefix(path_of_account(account))
        fields = {"sp": permissions, "se": expiry, "sv": _SAS_VERSION, "sr": "b" if "/" in place else "c"}
        fields["sig"] = self._signature_of_url(fields, account, place)
        return f"{url}?{urlencode(fields, quote_via=quote)}"

    def accepts_url(self, request: Request, account: str, place: str) -> bool:
        """Whether a request for `container/blob` has a signature for that URL, or for its container's."""
        fields = request.query
        if not _same(fields.get("sig", ""), self._signature_of_url(fields, account, _signed_place(fields, place))):
            return False
        allowed = set(fields.get("sp", ""))
        expiry = fields.get("se", "")
        now = datetime.fromtimestamp(time.time(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return bool(allowed & set(_NEEDED.get(request.method, "-"))) and expiry > now

    def accepts_signature(self, request: Request) -> bool:
        """Whether a request is signed with the account's key (Azure docs: 'Authorize with Shared Key')."""
        account, _, signature = request.headers.get("authorization", "").removeprefix("SharedKey ").rpartition(":")
        headers = {**request.headers}
        if headers.get("content-length") == "0":
            del headers["content-length"]
        own = [name for name in headers if name.startswith("x-ms-")]
        query = "".join(f"\n{name.lower()}:{value}" for name, value in sorted(request.query.items()))
        # Azure's order of the headers all but ignores hyphens.
        for names in (sorted(own, key=lambda name: name.replace("-", "")), sorted(own)):
            text = "\n".join([request.method, *(headers.get(name, "") for name in _SIGNED_HEADERS), "", ""])
            text += "".join(f"{name}:{headers[name]}\n" for name in names)
            text += f"/{account}{request.raw_path}{query}"
            if _same(signature, self._signed(text)):
                return True
        return False

    def _signature_of_url(self, fields: Mapping[str, str], account: str, place: str) -> str:
        values = [fields.get(name, "") for name in _BEFORE_RESOURCE]
        values.append(f"/blob/{account}/{place}")
        values += [fields.get(name, "") for name in (*_AFTER_RESOURCE, *_HEADERS_OF_ANSWER)]
        return self._signed("\n".join(values))

    def _signed(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._derived("storage"), text.encode(), hashlib.sha256)).decode()


def path_of_account(account: str) -> str:
    """The part of a URL's path before the container: empty unless the account is `localhost:PORT/blob/name`."""
    _, _, path = account.partition("/")
    return f"{path}.blob.local/" if path else ""


def _signed_place(fields: Mapping[str, str], place: str) -> str:
    return place.partition("/")[0] if fields.get("sr") == "c" else place


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
