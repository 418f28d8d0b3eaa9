"""The credential with which the SDK talks to the local workspace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken

if TYPE_CHECKING:
    from creditml.service.keys import Keys


class LocalCredential:
    """A credential of azure-core, whose tokens only the local workspace accepts."""

    def __init__(self, keys: Keys) -> None:
        self._keys, self._uti = keys, os.urandom(12).hex()

    def get_token(self, *scopes: str, **_settings: Any) -> AccessToken:
        """A token for the resource of the first scope."""
        audience = scopes[0].removesuffix("/.default") if scopes else ""
        return AccessToken(*self._keys.token(audience, self._uti))
