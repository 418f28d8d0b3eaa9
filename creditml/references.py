"""Azure ML's names for what lies in a workspace: `azureml:` references, URIs and ARM ids.

This is the one place that parses or builds them:

    azureml:name:version, azureml:name@label, azureml:name       an asset, a compute or a datastore of the workspace
    azureml://registries/<registry>/<kind>/<name>/versions/…     an asset of a registry (or …/labels/<label>)
    azureml://datastores/<datastore>/paths/<path>                data in a datastore
    azureml://jobs/<job>/outputs/<output>/paths/<path>           data that a job wrote
    azureml://subscriptions/…/workspaces/<workspace>/…           the long forms of both
    /subscriptions/…/workspaces/<workspace>/<kind>/<name>…       the ARM id of anything

Patterns are kept as texts: `re` compiles them when they are first used, since that takes longer than a command may.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = "azureml:"
SCHEME = "azureml://"
PROVIDER = "Microsoft.MachineLearningServices"
DEFAULT_DATASTORE = "workspaceblobstore"
ARTIFACT_STORE = "workspaceartifactstore"

_TAIL = r"(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))"
_NAMED = r"azureml:(?!//)(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?"
_ANY_ARM = rf"(?i)(?:azureml:)?/subscriptions/.*/(?P<kind>[a-z]+)/(?P<name>[^/]+)/{_TAIL}"
_REGISTRY = rf"(?i)(?:azureml:)?azureml://registries/(?P<registry>[^/]+)/(?P<kind>[a-z]+)/(?P<name>[^/]+)/{_TAIL}"
_WORKSPACE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)"
)
_ARM = rf"(?i)(?:azureml:)?{_WORKSPACE}/(?P<kind>[a-z]+)/(?P<name>[^/]+)(?:/{_TAIL})?"
_LONG = r"(?i)azureml://subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/[^/]+/"
_DATASTORE = r"(?i)azureml://(?:subscriptions/.*?/)?datastores/(?P<datastore>[^/]+)(?:/paths/(?P<path>.*))?"
_OUTPUT = r"(?i)azureml://(?:subscriptions/.*?/)?jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/(?P<path>.*))?"
_ASSET_KINDS = ("data", "environments", "components", "models")


def is_reference(text: str) -> bool:
    """Whether a text begins as every reference and URI of Azure ML does."""
    return text.startswith(PREFIX)


def is_uri(text: str) -> bool:
    """Whether a text begins as the URI of data, or of an asset of a registry."""
    return text.startswith(SCHEME)


def is_named(text: str) -> bool:
    """Whether a text names something of the workspace: `azureml:…`, but no URI."""
    return text.startswith(PREFIX) and not text.startswith(SCHEME)


def bare(text: str) -> str:
    """A reference without its `azureml:`; other texts stay."""
    return text.removeprefix(PREFIX)


def named(text: str) -> str:
    """A name as a reference, `azureml:` before it; a reference stays."""
    return text if text.startswith(PREFIX) else f"{PREFIX}{text}"


# -- assets


class Reference(NamedTuple):
    """What names an asset: a version, or a label, or neither; in a registry, or in the workspace.

    `kind` is the asset's (`data`, `environment`, `component`, `model`), where the text tells it.
    """

    name: str
    version: str | None = None
    label: str | None = None
    registry: str = ""
    kind: str | None = None


def parse_reference(text: str) -> Reference | None:
    """Read `azureml:name:version`, `azureml:name@label`, `azureml:name`, an ARM id, or the URI of a registry's asset.

    Returns:
        What it names; None if it is none of these.
    """
    match = re.fullmatch(_REGISTRY, text) if is_uri(text) else None
    if match:
        kind = match["kind"].lower()
        if kind not in _ASSET_KINDS:
            return None
        return Reference(match["name"], match["version"], match["label"], match["registry"], kind.removesuffix("s"))
    match = re.fullmatch(_NAMED, text) or re.fullmatch(_ANY_ARM, text)
    return Reference(match["name"], match["version"], match["label"]) if match else None


def reference(name: str, version: str | None = None, label: str | None = None) -> str:
    """`azureml:name:version`, `azureml:name@label` or `azureml:name`."""
    return f"{PREFIX}{name}" + (f":{version}" if version else f"@{label}" if label else "")


def registry_uri(registry: str, kind: str, name: str, version: str | None = None, label: str | None = None) -> str:
    """The URI of a registry's asset; `kind` as it stands in URIs (`data`, `environments`, `components`, `models`)."""
    tail = f"labels/{label}" if label else f"versions/{version}"
    return f"{SCHEME}registries/{registry}/{kind}/{name}/{tail}"


def code_reference(digest: str) -> str:
    """The reference of a code snapshot; each has one version."""
    return f"{PREFIX}{digest}:1"


def code_digest(text: str) -> str:
    """The hash of the snapshot that a code reference names."""
    return bare(text).partition(":")[0]


# -- ids


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
        from uuid import NAMESPACE_URL, uuid5  # 2 ms, and most commands need none

        return str(uuid5(NAMESPACE_URL, self.path.lower()))

    def id(self, kind: str, name: str, version: str | None = None) -> str:
        """The id of something in the workspace, or in the registry."""
        tail = f"/versions/{version}" if version is not None else ""
        return f"{self.base}/{kind}/{name}{tail}"

    @property
    def base(self) -> str:
        """What ids begin with."""
        return f"{SCHEME}registries/{self.registry}" if self.registry else self.path

    def uri(self, short: str) -> str:
        """The long form of an `azureml://datastores/…` path, which the service answers with; others stay."""
        start = f"{SCHEME}datastores/"
        if not short.startswith(start):
            return short
        place = f"subscriptions/{self.subscription}/resourcegroups/{self.group}/workspaces/{self.workspace}"
        return f"{SCHEME}{place}/datastores/{short.removeprefix(start)}"


LOCAL = Scope("00000000-0000-0000-0000-000000000000", "local", "local")
"""The local workspace, for clients and steps that have to name it."""


class Id(NamedTuple):
    """What an ARM id names; `kind` as it stands in ids (`codes`, `computes`, `components`)."""

    kind: str
    name: str
    version: str | None = None
    label: str | None = None
    registry: str = ""

    @property
    def reference(self) -> str:
        """As the spec language writes it: `azureml:name:version`, `azureml:name@label`, `azureml:name`, or a URI."""
        if self.registry:
            return registry_uri(self.registry, self.kind, self.name, self.version, self.label)
        return reference(self.name, self.version, self.label)


def parse_id(text: str) -> Id | None:
    """Read an ARM id or that of a registry's asset, with or without `azureml:` before it; None if it is none."""
    if match := re.fullmatch(_REGISTRY, text):
        return Id(match["kind"], match["name"], match["version"], match["label"], match["registry"])
    match = re.fullmatch(_ARM, text)
    return Id(match["kind"], match["name"], match["version"], match["label"]) if match else None


# -- data


class DatastorePath(NamedTuple):
    """Data in a datastore; `path` has no leading `/`."""

    datastore: str
    path: str = ""


class OutputPath(NamedTuple):
    """Data that a job wrote: its output, and a path below that."""

    job: str
    output: str
    path: str = ""


def parse_datastore(uri: str) -> DatastorePath | None:
    """Read `azureml://…datastores/<datastore>/paths/<path>`, short or long; None if it is none."""
    match = re.fullmatch(_DATASTORE, uri)
    return DatastorePath(match["datastore"], match["path"] or "") if match else None


def parse_output(uri: str) -> OutputPath | None:
    """Read `azureml://…jobs/<job>/outputs/<output>/paths/<path>`, short or long; None if it is none."""
    match = re.fullmatch(_OUTPUT, uri)
    return OutputPath(match["job"], match["output"], match["path"] or "") if match else None


def datastore_uri(datastore: str, path: str) -> str:
    """`azureml://datastores/<datastore>/paths/<path>`."""
    return f"{SCHEME}datastores/{datastore}/paths/{path}"


def output_uri(job: str, output: str, path: str = "") -> str:
    """`azureml://jobs/<job>/outputs/<output>`, with `/paths/<path>` if there is one."""
    return f"{SCHEME}jobs/{job}/outputs/{output}" + (f"/paths/{path}" if path else "")


def short_uri(uri: str) -> str:
    """The short form of a long `azureml://subscriptions/…/datastores/…` path; others stay."""
    return re.sub(_LONG, SCHEME, uri)


def artifact_path(run: str, path: str = "") -> str:
    """Where a run's artifacts lie in the artifact store."""
    return f"ExperimentRun/dcid.{run}/{path}"


def stored_output_uri(run: str, output: str) -> str:
    """Where a run's output lies in the default datastore (Azure ML docs: `azureml/<job-name>/<output_name>/`)."""
    return datastore_uri(DEFAULT_DATASTORE, f"azureml/{run}/{output}/")
