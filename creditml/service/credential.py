"""A credential of azure-core for the local workspace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken

if TYPE_CHECKING:
    from creditml.service.keys import Keys


class LocalCredential:
    """Gives tokens that the local workspace accepts, and nobody else."""

    def __init__(self, keys: Keys) -> None:
        """`keys` are the workspace's."""
        self._keys, self._uti = keys, os.urandom(12).hex()

    def get_token(self, *scopes: str, **_settings: Any) -> AccessToken:
        """A token; its audience is the resource of the first scope."""
        audience = scopes[0].removesuffix("/.default") if scopes else ""
        return AccessToken(*self._keys.token(audience, self._uti))
