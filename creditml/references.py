"""Azure ML's names for assets, data and resources: `azureml:` references, URIs and ARM ids.

This is the only module that parses or builds them:

    azureml:name:version, azureml:name@label, azureml:name       an asset, a compute or a datastore of the workspace
    azureml://registries/<registry>/<kind>/<name>/versions/…     an asset of a registry (or …/labels/<label>)
    azureml://datastores/<datastore>/paths/<path>                data in a datastore
    azureml://jobs/<job>/outputs/<output>/paths/<path>           data that a job wrote
    azureml://subscriptions/…/workspaces/<workspace>/…           the long forms of these two URIs
    /subscriptions/…/workspaces/<workspace>/<kind>/<name>…       the ARM id of a resource

Patterns are kept as texts, since compiling all of them takes milliseconds and most commands need at most one. `re`
compiles a pattern when it is first used, and caches it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from creditml.asset_kinds import ASSET_KINDS, KIND_OF_PLURAL

SCHEME_NAME = "azureml"
PREFIX = f"{SCHEME_NAME}:"
SCHEME = f"{SCHEME_NAME}://"
PROVIDER = "Microsoft.MachineLearningServices"
DEFAULT_DATASTORE = "workspaceblobstore"
ARTIFACT_STORE = "workspaceartifactstore"
UPLOADS = "LocalUpload"
"""The folder of a datastore into which Azure ML's clients upload local data."""

_SUBSCRIPTIONS = "/subscriptions/"
_SUBSCRIPTION = rf"{_SUBSCRIPTIONS}(?P<subscription>[^/]+)"
_GROUP = r"/resourceGroups/(?P<group>[^/]+)"
_PROVIDER = r"/providers/Microsoft\.MachineLearningServices"
WORKSPACES_PATTERN = rf"{_SUBSCRIPTION}(?:{_GROUP})?{_PROVIDER}/workspaces"
"""The ARM path of the workspaces of a subscription, or of one resource group."""
WORKSPACE_PATTERN = rf"{_SUBSCRIPTION}{_GROUP}{_PROVIDER}/workspaces/(?P<workspace>[^/]+)"
REGISTRY_PATTERN = rf"{_SUBSCRIPTION}{_GROUP}{_PROVIDER}/registries/(?P<registry>[^/]+)"

_REGISTRIES = f"{SCHEME}registries/"
_TAIL = r"(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))"
_NAMED = r"azureml:(?!//)(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?"
_ANY_ARM = rf"(?i)(?:azureml:)?/subscriptions/.*/(?P<kind>[a-z]+)/(?P<name>[^/]+)/{_TAIL}"
_REGISTRY = rf"(?i)(?:azureml:)?azureml://registries/(?P<registry>[^/]+)/(?P<kind>[a-z]+)/(?P<name>[^/]+)/{_TAIL}"
_ARM = rf"(?i)(?:azureml:)?{WORKSPACE_PATTERN}/(?P<kind>[a-z]+)/(?P<name>[^/]+)(?:/{_TAIL})?"
_WITHIN = r"subscriptions/[^/]+/resourcegroups/[^/]+/(?:providers/[^/]+/)?workspaces/[^/]+/"
_LONG = rf"(?i)azureml://{_WITHIN}"
_DATASTORE = r"(?i)azureml://(?P<within>subscriptions/.*?/)?datastores/(?P<datastore>[^/]+)(?:/paths/(?P<path>.*))?"
_OUTPUT = (
    r"(?i)azureml://(?P<within>subscriptions/.*?/)?jobs/(?P<job>[^/]+)"
    r"/outputs/(?P<output>[^/]+)(?:/paths/(?P<path>.*))?"
)
_UPLOAD = rf"{UPLOADS}/(?P<digest>[0-9a-f]{{32,64}})(?:/(?P<name>[^?]*?))?/?$"
_STORED_OUTPUT = r"(?s)azureml/(?P<job>[^/]+)/(?P<output>[^/]+)(?:/(?P<path>.*))?"
_ARTIFACT = r"(?s)ExperimentRun/dcid\.(?P<run>[^/]+)(?:/(?P<path>.*))?"
_DIGEST = r"[0-9a-f]{64}"
_OUTPUT_ASSET = r"azureml://locations/local/data/(?P<run>.+)/versions/(?P<output>[^/]+)"


def is_reference(text: str) -> bool:
    """Whether a text begins with `azureml:`, as all references and URIs of Azure ML do."""
    return text.startswith(PREFIX)


def is_uri(text: str) -> bool:
    """Whether a text begins with `azureml://`, as the URIs of data and of a registry's assets do."""
    return text.startswith(SCHEME)


def is_named(text: str) -> bool:
    """Whether a text begins with `azureml:` but is not a URI: `azureml:` before a name or an ARM id."""
    return text.startswith(PREFIX) and not text.startswith(SCHEME)


def is_arm_id(text: str) -> bool:
    """Whether a text begins like an ARM id, without `azureml:` before it."""
    return text.startswith(_SUBSCRIPTIONS)


def is_long(text: str) -> bool:
    """Whether a reference contains a full id: `azureml:` before an ARM id, or the URI of a registry's asset."""
    return text.startswith((f"{PREFIX}{_SUBSCRIPTIONS}", _REGISTRIES, f"{PREFIX}{_REGISTRIES}"))


def bare(text: str) -> str:
    """A reference without its `azureml:`; other texts are returned unchanged."""
    return text.removeprefix(PREFIX)


def named(text: str) -> str:
    """A name with `azureml:` before it; a text that has that prefix is returned unchanged."""
    return text if text.startswith(PREFIX) else f"{PREFIX}{text}"


def prefixed(identifier: str) -> str:
    """An id or a registry's URI with `azureml:` before it, the form in component specs."""
    return f"{PREFIX}{identifier}"


def spellings(text: str) -> tuple[str, str, str]:
    """Three forms of a reference: unchanged, without `azureml:`, and without `azureml://`."""
    return text, bare(text), text.removeprefix(SCHEME)


def resource_name(text: str) -> str:
    """The name of a compute or datastore that is written as a plain name, a reference or an ARM id."""
    return bare(text).rpartition("/")[2]


# -- assets


class Reference(NamedTuple):
    """A reference to an asset of the workspace or of a registry, with a version, a label or neither.

    `kind` is the kind of the asset (`data`, `environment`, `component`, `model`), or None if the text doesn't say it.
    """

    name: str
    version: str | None = None
    label: str | None = None
    registry: str = ""
    kind: str | None = None

    @property
    def short(self) -> str:
        """`name:version`, `name@label` or `name`."""
        return _short(self.name, self.version, self.label)


def parse_named(text: str) -> Reference | None:
    """Parse `azureml:name:version`, `azureml:name@label` or `azureml:name`; None for any other text."""
    match = re.fullmatch(_NAMED, text)
    return Reference(match["name"], match["version"], match["label"]) if match else None


def parse_reference(text: str) -> Reference | None:
    """Parse `azureml:name:version`, `azureml:name@label`, `azureml:name`, an ARM id, or the URI of a registry's asset.

    Returns:
        The reference, or None for any other text.
    """
    match = re.fullmatch(_REGISTRY, text) if is_uri(text) else None
    if match:
        kind = KIND_OF_PLURAL.get(match["kind"].lower())
        return Reference(match["name"], match["version"], match["label"], match["registry"], kind) if kind else None
    match = re.fullmatch(_NAMED, text) or re.fullmatch(_ANY_ARM, text)
    return Reference(match["name"], match["version"], match["label"]) if match else None


def reference(name: str, version: str | None = None, label: str | None = None) -> str:
    """`azureml:name:version`, `azureml:name@label` or `azureml:name`."""
    return f"{PREFIX}{_short(name, version, label)}"


def registry_uri(registry: str, kind: str, name: str, version: str | None = None, label: str | None = None) -> str:
    """The URI of a registry's asset; `kind` is a key of `ASSET_KINDS`."""
    return _registry_uri(registry, ASSET_KINDS[kind].plural, name, version, label)


def code_reference(digest: str) -> str:
    """The reference to a code snapshot, which always has version 1."""
    return f"{PREFIX}{digest}:1"


def code_digest(text: str) -> str:
    """The hash of a code snapshot, from its reference or its ARM id."""
    found = parse_id(text) if "/" in text else None
    return found.name if found else bare(text).partition(":")[0]


def is_digest(text: str) -> bool:
    """Whether a text has the form of a snapshot's hash."""
    return re.fullmatch(_DIGEST, text) is not None


def _short(name: str, version: str | None, label: str | None) -> str:
    return f"{name}:{version}" if version else f"{name}@{label}" if label else name


def _registry_uri(registry: str, plural: str, name: str, version: str | None, label: str | None) -> str:
    tail = f"labels/{label}" if label else f"versions/{version}"
    return f"{_REGISTRIES}{registry}/{plural}/{name}/{tail}"


# -- ids


class Scope(NamedTuple):
    """The workspace, or one of its registries, in the names that a client uses.

    The local workspace answers to any names of a subscription, a resource group and a workspace.
    """

    subscription: str
    group: str
    workspace: str
    registry: str = ""

    @property
    def group_path(self) -> str:
        """The ARM id of the resource group."""
        return f"{_SUBSCRIPTIONS}{self.subscription}/resourceGroups/{self.group}"

    @property
    def path(self) -> str:
        """The ARM id of the workspace."""
        return f"{self.group_path}/providers/{PROVIDER}/workspaces/{self.workspace}"

    def holds(self, within: str) -> bool:
        """Whether a long URI belongs to this workspace; `within` is its `subscriptions/…/` part."""
        return within.lower().replace(f"/providers/{PROVIDER}".lower(), "") == f"{self._long}/".lower()

    @property
    def _long(self) -> str:
        return f"subscriptions/{self.subscription}/resourcegroups/{self.group}/workspaces/{self.workspace}"

    @property
    def guid(self) -> str:
        """The GUID of the workspace, which depends only on its ARM id."""
        from uuid import NAMESPACE_URL, uuid5  # takes 2 ms, and most commands don't need it

        return str(uuid5(NAMESPACE_URL, self.path.lower()))

    def id(self, kind: str, name: str, version: str | None = None) -> str:
        """The id of a resource in the workspace or in the registry."""
        tail = f"/versions/{version}" if version is not None else ""
        return f"{self.base}/{kind}/{name}{tail}"

    @property
    def base(self) -> str:
        """The beginning of ids in the workspace or in the registry."""
        return f"{_REGISTRIES}{self.registry}" if self.registry else self.path

    def uri(self, short: str) -> str:
        """The long form of an `azureml://datastores/…` URI, as Azure ML returns it; other URIs stay unchanged."""
        start = f"{SCHEME}datastores/"
        if not short.startswith(start):
            return short
        return f"{SCHEME}{self._long}/datastores/{short.removeprefix(start)}"


LOCAL = Scope("00000000-0000-0000-0000-000000000000", "local", "local")
"""The names of the local workspace for clients and steps, which need some."""


class Id(NamedTuple):
    """The parts of an ARM id or a registry's URI; `kind` is written as in ids (`codes`, `computes`, `components`)."""

    kind: str
    name: str
    version: str | None = None
    label: str | None = None
    registry: str = ""

    @property
    def reference(self) -> str:
        """The reference for specs: `azureml:name:version`, `azureml:name@label`, `azureml:name` or a registry's URI."""
        if self.registry:
            return _registry_uri(self.registry, self.kind, self.name, self.version, self.label)
        return reference(self.name, self.version, self.label)


def parse_id(text: str) -> Id | None:
    """Parse an ARM id or a registry's URI, with or without `azureml:` before it; None for any other text."""
    if match := re.fullmatch(_REGISTRY, text):
        return Id(match["kind"], match["name"], match["version"], match["label"], match["registry"])
    match = re.fullmatch(_ARM, text)
    return Id(match["kind"], match["name"], match["version"], match["label"]) if match else None


# -- data


class DatastorePath(NamedTuple):
    """Data in a datastore. `path` has no leading `/`. `within` is the `subscriptions/…/` part of a long URI."""

    datastore: str
    path: str = ""
    within: str = ""


class OutputPath(NamedTuple):
    """A path within an output of a job. `within` is the `subscriptions/…/` part of a long URI."""

    job: str
    output: str
    path: str = ""
    within: str = ""


class Upload(NamedTuple):
    """Local data that a client uploaded: the hash of its content, and the name of the file or folder."""

    digest: str
    name: str = ""


class ArtifactPath(NamedTuple):
    """An artifact of a run; `path` has no leading `/`."""

    run: str
    path: str = ""


def parse_datastore(uri: str) -> DatastorePath | None:
    """Parse `azureml://…datastores/<datastore>/paths/<path>`, short or long; None for any other text."""
    match = re.fullmatch(_DATASTORE, uri)
    return DatastorePath(match["datastore"], match["path"] or "", match["within"] or "") if match else None


def parse_output(uri: str) -> OutputPath | None:
    """Parse `azureml://…jobs/<job>/outputs/<output>/paths/<path>`, short or long; None for any other text."""
    match = re.fullmatch(_OUTPUT, uri)
    return OutputPath(match["job"], match["output"], match["path"] or "", match["within"] or "") if match else None


def datastore_uri(datastore: str, path: str) -> str:
    """`azureml://datastores/<datastore>/paths/<path>`."""
    return f"{SCHEME}datastores/{datastore}/paths/{path}"


def output_uri(job: str, output: str, path: str = "") -> str:
    """`azureml://jobs/<job>/outputs/<output>`, followed by `/paths/<path>` if a path is given."""
    return f"{SCHEME}jobs/{job}/outputs/{output}" + (f"/paths/{path}" if path else "")


def short_uri(uri: str) -> str:
    """The short form of a long `azureml://subscriptions/…/datastores/…` URI; other URIs stay unchanged."""
    return re.sub(_LONG, SCHEME, uri)


def stored_output_path(job: str, output: str) -> str:
    """The path of a job's output in the default datastore (Azure ML docs: `azureml/<job-name>/<output_name>/`)."""
    return f"azureml/{job}/{output}/"


def stored_output_uri(job: str, output: str) -> str:
    """The URI of a job's output in the default datastore."""
    return datastore_uri(DEFAULT_DATASTORE, stored_output_path(job, output))


def parse_stored_output(path: str) -> OutputPath | None:
    """Parse the path of a job's output in the default datastore; None for any other path."""
    match = re.fullmatch(_STORED_OUTPUT, path)
    return OutputPath(match["job"], match["output"], match["path"] or "") if match else None


def upload_uri(digest: str, name: str) -> str:
    """The URI of uploaded data in the default datastore: `…/paths/LocalUpload/<hash>/<name>`."""
    return datastore_uri(DEFAULT_DATASTORE, f"{UPLOADS}/{digest}/{name}")


def parse_upload(uri: str) -> Upload | None:
    """Parse the URI of uploaded data in any datastore, or the URL of its blob; None for any other text."""
    match = re.search(_UPLOAD, uri)
    return Upload(match["digest"], match["name"] or "") if match else None


def artifact_path(run: str, path: str = "") -> str:
    """The path of a run's artifacts in the artifact store."""
    return f"ExperimentRun/dcid.{run}/{path}"


def parse_artifact_path(path: str) -> ArtifactPath | None:
    """Parse the path of a run's artifacts in the artifact store; None for any other path."""
    match = re.fullmatch(_ARTIFACT, path)
    return ArtifactPath(match["run"], match["path"] or "") if match else None


def artifacts_uri(run: str) -> str:
    """The URI of a run's artifacts. It has no `/paths`; the service gives it as the output `default` of every job."""
    return f"{SCHEME}datastores/{ARTIFACT_STORE}/{artifact_path(run)}".rstrip("/")


def is_artifacts_uri(uri: str) -> bool:
    """Whether a URI points to a run's artifacts, as built by `artifacts_uri`."""
    return uri.startswith(f"{SCHEME}datastores/{ARTIFACT_STORE}/ExperimentRun/")


def output_asset_id(run: str, output: str) -> str:
    """The id of a run's output as a data asset in the run history."""
    return f"{SCHEME}locations/local/data/{run}/versions/{output}"


def parse_output_asset_id(text: str) -> OutputPath | None:
    """Parse an id that `output_asset_id` has built; None for any other text."""
    match = re.fullmatch(_OUTPUT_ASSET, text)
    return OutputPath(match["run"], match["output"]) if match else None


def tracking_url(uri: str) -> str:
    """The address of MLflow's REST API for a workspace's `azureml://` tracking URI.

    azureml-mlflow: it has the same host and path, with `https`.
    """
    return uri.replace(SCHEME, "https://", 1).rstrip("/")
