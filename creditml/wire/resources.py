"""Azure's ids and names for what lies in a workspace."""

from __future__ import annotations

import getpass
from datetime import datetime, timezone
from typing import Any

from creditml.references import PROVIDER, Scope

ANONYMOUS_COMPONENT = "azureml_anonymous"
ANONYMOUS_ENVIRONMENT = "CliV2AnonymousEnvironment"


def stamp(milliseconds: int | None) -> str | None:
    """A time as Azure writes it."""
    if milliseconds is None:
        return None
    at = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def user() -> str:
    """Who the workspace's user is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def system_data(created: int, modified: int | None = None) -> dict[str, Any]:
    """Who made something, and when."""
    return {
        "createdBy": user(),
        "createdByType": "User",
        "createdAt": stamp(created),
        "lastModifiedBy": user(),
        "lastModifiedByType": "User",
        "lastModifiedAt": stamp(created if modified is None else modified),
    }


def resource(scope: Scope, kind: str, name: str, properties: dict[str, Any], made: tuple[int, int]) -> dict[str, Any]:
    """An ARM resource; `made` are the times of creation and of the last change."""
    kinds = kind.split("/")
    return {
        "id": f"{scope.base}/{kind}",
        "name": name,
        "type": f"{PROVIDER}/{'registries' if scope.registry else 'workspaces'}/{'/'.join(kinds[::2])}",
        "properties": properties,
        "systemData": system_data(*made),
    }
