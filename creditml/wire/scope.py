"""Azure's ids and names for what lies in a workspace."""

from __future__ import annotations

import getpass
import re
from datetime import datetime, timezone
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from creditml.workspace.data import DEFAULT_DATASTORE

PROVIDER = "Microsoft.MachineLearningServices"
ARTIFACT_STORE = "workspaceartifactstore"
ANONYMOUS_COMPONENT = "azureml_anonymous"
ANONYMOUS_ENVIRONMENT = "CliV2AnonymousEnvironment"

_SCOPE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    rf"/providers/{re.escape(PROVIDER)}/workspaces/(?P<workspace>[^/]+)"
)
SCOPE = re.compile(_SCOPE, re.IGNORECASE)
_ID = re.compile(
    rf"(?:azureml:)?{_SCOPE}/(?P<kind>[a-z]+)/(?P<name>[^/]+)(?:/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+)))?",
    re.IGNORECASE,
)
_REGISTRY_ID = re.compile(
    r"(?:azureml:)?azureml://registries/(?P<registry>[^/]+)/(?P<kind>[a-z]+)/(?P<name>[^/]+)"
    r"/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))",
    re.IGNORECASE,
)
_LONG_DATASTORE = re.compile(r"azureml://subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/[^/]+/", re.IGNORECASE)


class Scope(NamedTuple):
    """The workspace as the caller names it: any names will do. Or a registry, which the workspace keeps."""

    subscription: str
    group: str
    workspace: str
    registry: str = ""

    @property
    def path(self) -> str:
        """The workspace's own id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/{PROVIDER}/workspaces/{self.workspace}"
        )

    @property
    def guid(self) -> str:
        """The workspace's GUID."""
        return str(uuid5(NAMESPACE_URL, self.path.lower()))

    def id(self, kind: str, name: str, version: str | None = None) -> str:
        """The id of something in the workspace, or in the registry."""
        tail = f"/versions/{version}" if version is not None else ""
        return f"{self.base}/{kind}/{name}{tail}"

    @property
    def base(self) -> str:
        """What ids begin with."""
        return f"azureml://registries/{self.registry}" if self.registry else self.path

    def uri(self, short: str) -> str:
        """The long form of an `azureml://datastores/…` path, which the service answers with; others stay."""
        rest = short.removeprefix("azureml://datastores/")
        if rest == short:
            return short
        place = f"subscriptions/{self.subscription}/resourcegroups/{self.group}/workspaces/{self.workspace}"
        return f"azureml://{place}/datastores/{rest}"


class Id(NamedTuple):
    """What an ARM id names."""

    kind: str
    name: str
    version: str | None = None
    label: str | None = None
    registry: str = ""

    @property
    def reference(self) -> str:
        """As the spec language writes it: `azureml:name:version`, `azureml:name@label`, `azureml:name`, or a URI."""
        if self.registry:
            tail = f"labels/{self.label}" if self.label else f"versions/{self.version}"
            return f"azureml://registries/{self.registry}/{self.kind}/{self.name}/{tail}"
        tail = f":{self.version}" if self.version else f"@{self.label}" if self.label else ""
        return f"azureml:{self.name}{tail}"


def parse_id(text: str) -> Id | None:
    """Read an ARM id or that of a registry's asset, with or without `azureml:` before it; None if it is none."""
    if match := _REGISTRY_ID.fullmatch(text):
        return Id(match["kind"], match["name"], match["version"], match["label"], match["registry"])
    match = _ID.fullmatch(text)
    return Id(match["kind"], match["name"], match["version"], match["label"]) if match else None


def short_uri(uri: str) -> str:
    """The short form of a long `azureml://subscriptions/…/datastores/…` path; others stay."""
    return _LONG_DATASTORE.sub("azureml://", uri)


def artifact_path(run: str, path: str = "") -> str:
    """Where a run's artifacts lie in the artifact store."""
    return f"ExperimentRun/dcid.{run}/{path}"


def output_uri(run: str, output: str) -> str:
    """Where a run's output lies in the default datastore (Azure ML docs: `azureml/<job-name>/<output_name>/`)."""
    return f"azureml://datastores/{DEFAULT_DATASTORE}/paths/azureml/{run}/{output}/"


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
