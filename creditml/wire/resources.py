"""Builds ARM resources: the envelope with id, type, times and users around the properties of a job or asset."""

from __future__ import annotations

import getpass
from datetime import datetime, timezone
from typing import Any

from creditml.references import PROVIDER, Scope

ANONYMOUS_COMPONENT = "azureml_anonymous"
ANONYMOUS_ENVIRONMENT = "CliV2AnonymousEnvironment"


def stamp(milliseconds: int | None) -> str | None:
    """A time (milliseconds since 1970) in Azure's format; None for None."""
    if milliseconds is None:
        return None
    at = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def user() -> str:
    """The name of the user of this machine, or `unknown`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def system_data(created: int, modified: int | None = None) -> dict[str, Any]:
    """The `systemData` of a resource. Times are milliseconds since 1970; `modified` is `created` by default."""
    return {
        "createdBy": user(),
        "createdByType": "User",
        "createdAt": stamp(created),
        "lastModifiedBy": user(),
        "lastModifiedByType": "User",
        "lastModifiedAt": stamp(created if modified is None else modified),
    }


def resource(scope: Scope, kind: str, name: str, properties: dict[str, Any], made: tuple[int, int]) -> dict[str, Any]:
    """An ARM resource.

    Args:
        scope: The workspace or registry that it belongs to.
        kind: Its path in the scope, such as `components/train/versions/1`.
        name: Its name.
        properties: Its properties.
        made: The times of its creation and its last change, in milliseconds since 1970.
    """
    kinds = kind.split("/")
    return {
        "id": f"{scope.base}/{kind}",
        "name": name,
        "type": f"{PROVIDER}/{'registries' if scope.registry else 'workspaces'}/{'/'.join(kinds[::2])}",
        "properties": properties,
        "systemData": system_data(*made),
    }
