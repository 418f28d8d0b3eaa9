"""Data, environments, components, models and code: versions, and the containers that have their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from creditml.check import check_component
from creditml.errors import Conflict, NotFound, SpecError
from creditml.language.yaml import Document, from_plain
from creditml.nodes.specs import component_dict, read_component_document
from creditml.service.asset_ids import WorkspaceIds, WorkspaceResolver, kind_of
from creditml.service.blob_places import kept_uri, local_uri, model_uri, registry_uri, uploaded, uploaded_uri
from creditml.service.messages import Answer, Refusal, answer
from creditml.service.promised_versions import Promise
from creditml.submission.freezing import freeze_component
from creditml.wire.reading import component_of
from creditml.wire.resources import ANONYMOUS_COMPONENT, resource
from creditml.wire.words import camel, snake
from creditml.wire.writing import component_spec
from creditml.workspace.assets import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.service.call import Call
    from creditml.workspace.records import Asset

_VIEWS = {"ActiveOnly": False, "ArchivedOnly": None, "All": True}
_DEFAULT = "azureml_default"
_SHARED = re.compile(r"/(?P<plural>[a-z]+)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)$")
_COMMON = ("description", "tags", "properties")


class Kind(NamedTuple):
    """How one kind of asset is sent: from a body's `properties` to what the workspace keeps, and back."""

    kind: str
    kept: Callable[[Call, str, Mapping[str, Any]], dict[str, Any]]
    sent: Callable[[Call, Asset], dict[str, Any]]


# -- what each kind is


def _data(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kind = sent.get("dataType", "uri_folder")
    return {"name": name, "type": kind, "path": kept_uri(call, sent["dataUri"], kind)}


def _data_sent(call: Call, asset: Asset) -> dict[str, Any]:
    path = asset.spec["path"]
    return {"dataType": asset.spec.get("type"), "dataUri": local_uri(call.workspace, path) or call.scope.uri(path)}


def _model(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"MLFlowModel": "mlflow_model", "CustomModel": "custom_model", "TritonModel": "triton_model"}
    kind = sent.get("modelType") or "custom_model"
    kind = kinds.get(kind, kind)
    kept = {"name": name, "type": kind, "path": kept_uri(call, sent["modelUri"], kind)}
    return kept | {key: sent[key] for key in ("flavors", "stage") if sent.get(key)}


def _model_sent(call: Call, asset: Asset) -> dict[str, Any]:
    spec = asset.spec
    path = str(spec["path"])
    if call.scope.registry:
        uri = registry_uri(call, call.workspace.data.source(path))
    else:
        uri = call.scope.uri(model_uri(call.workspace, path, spec.get("job_name")) or path)
    sent = {"modelType": spec.get("type"), "modelUri": uri, "flavors": spec.get("flavors") or {}}
    names = {"job_name": "jobName", "stage": "stage"}
    return sent | {names[key]: spec[key] for key in names if spec.get(key)}


def _environment(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": name}
    if sent.get("image"):
        kept["image"] = sent["image"]
    if sent.get("condaFile"):
        content = sent["condaFile"]
        try:
            kept["conda_file"] = yaml.safe_load(content) if isinstance(content, str) else content
        except yaml.YAMLError as error:
            raise Refusal(400, "UserError", f"The conda file is no YAML: {error}") from None
    if sent.get("build"):
        build = sent["build"]
        path = uploaded(call, build["contextUri"])
        kept["build"] = {"path": path, "dockerfile_path": build.get("dockerfilePath") or "Dockerfile"}
    system = str(sent.get("osType") or "linux").lower()
    if system != "linux":  # the default: the SDK takes what says so and what doesn't for the same
        kept["os_type"] = system
    if sent.get("inferenceConfig"):
        kept["inference_config"] = snake(sent["inferenceConfig"])
    return kept


def _environment_sent(call: Call, asset: Asset) -> dict[str, Any]:
    spec = asset.spec
    sent: dict[str, Any] = {"environmentType": "UserCreated", "osType": str(spec.get("os_type", "linux")).capitalize()}
    if spec.get("image"):
        sent["image"] = spec["image"]
    if spec.get("conda_file"):
        sent["condaFile"] = yaml.safe_dump(spec["conda_file"], sort_keys=False)
    if spec.get("build"):
        build = spec["build"]
        sent["build"] = {"contextUri": uploaded_uri(call, build["path"]), "dockerfilePath": build["dockerfile_path"]}
    if spec.get("inference_config"):
        sent["inferenceConfig"] = camel(spec["inference_config"])
    return sent


def _component(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    spec = component_of(sent["componentSpec"], WorkspaceResolver(call.workspace))
    component, problems, _ = read_component_document(Document("component", from_plain(spec), []), call.workspace.root)
    found = [*problems, *(check_component(component) if component else ())]
    if component is None or any(not problem.warning for problem in found):
        raise SpecError([problem._replace(place=None) for problem in found])  # there is no file
    kept = component_dict(freeze_component(component, call.workspace))
    kept.pop("version", None)
    if name == ANONYMOUS_COMPONENT:  # in Python the SDK sends the name that it had in its file, from YAML it does not
        kept.pop("name", None)
    return kept


def _component_sent(call: Call, asset: Asset) -> dict[str, Any]:
    named = {"name": asset.name, "version": asset.version}
    spec = {key: value for key, value in asset.spec.items() if key != "properties"} | named
    return {"componentSpec": component_spec(spec, WorkspaceIds(call.scope, call.workspace))}


KINDS = {
    "data": Kind("data", _data, _data_sent),
    "models": Kind("model", _model, _model_sent),
    "environments": Kind("environment", _environment, _environment_sent),
    "components": Kind("component", _component, _component_sent),
}


# -- versions


def put_version(call: Call, plural: str, name: str, version: str) -> Answer:
    """Create a version, or change what may be changed of one."""
    kind = KINDS[plural]
    sent = call.request.properties()
    ours = kind_of(kind.kind, name)
    try:
        spec = kind.kept(call, name, sent)
    except KeyError as error:
        raise Refusal(400, "UserError", f"The property {error} is missing.") from None
    spec |= {key: sent[key] for key in _COMMON if sent.get(key)}
    try:
        asset, known = _create(call, _promise(call, ours, name, version), spec)
    except Conflict as error:
        if plural == "data":  # word for word: the SDK looks for it
            raise Refusal(400, "UserError", "Asset paths cannot be updated.") from error
        raise
    if known and "isArchived" in sent and bool(sent["isArchived"]) != asset.archived:
        call.assets.archive(ours, name, version, archived=bool(sent["isArchived"]))
        asset = call.assets.get(ours, name, version)
    # what a registry has begun to make (201) its clients would wait for
    return answer(_resource(call, plural, asset), 200 if known or call.scope.registry else 201)


def _create(call: Call, promise: Promise, spec: Mapping[str, Any]) -> tuple[Asset, bool]:
    """A version, and whether it was there before: the one that is asked for, or a later one if that was promised."""
    kind, name, version = promise.kind, promise.name, promise.version
    assets = call.assets
    with call.workspace.transaction():  # nobody comes between the looks and the creation
        known = any(asset.version == version for asset in assets.entries(kind, name, archived=True))
        late = known and call.promises.holds(promise)
        if late and kind == "environment":  # the SDK takes up the latest one if it is the same
            late = not assets.same(kind, name, version, spec)
        asset = assets.create(kind, name, None if late else version, spec)
    call.promises.settle(promise)
    return asset, known and not late


def _promise(call: Call, kind: str, name: str, version: str) -> Promise:
    return Promise(call.request.headers.get("authorization", ""), call.scope.registry, kind, name, version)


def get_version(call: Call, plural: str, name: str, version: str) -> Answer:
    """One version. What the SDK asks for if none is named is the latest one."""
    wanted = None if version == _DEFAULT else version
    return answer(_resource(call, plural, call.assets.get(kind_of(KINDS[plural].kind, name), name, wanted)))


def list_versions(call: Call, plural: str, name: str) -> Answer:
    """The versions of a name, newest first."""
    query = call.request.query
    view = _VIEWS.get(query.get("listViewType", "ActiveOnly"), False)
    found = call.assets.entries(kind_of(KINDS[plural].kind, name), name, archived=view)
    if query.get("version"):
        found = [asset for asset in found if asset.version == query["version"]]
    if "asc" in query.get("$orderBy", query.get("orderBy", "")).lower():
        found = found[::-1]
    return answer({"value": [_resource(call, plural, asset) for asset in found[: _top(query)]]})


def share(call: Call) -> Answer:
    """Copy a version of the workspace to a registry (the SDK's `share`)."""
    sent = call.request.properties()
    found = _SHARED.search(str(sent.get("sourceAssetId", "")))
    if found is None or found["plural"] not in KINDS:
        message = "The 'sourceAssetId' is that of no data, model, environment or component of the workspace."
        raise Refusal(400, "UserError", message)
    kind = KINDS[found["plural"]].kind
    source = call.workspace.assets.get(kind, found["name"], found["version"])
    name, version = sent.get("destinationName") or source.name, sent.get("destinationVersion") or source.version
    spec = {**source.spec, "name": name}
    if kind in ("data", "model"):
        data = call.workspace.data
        spec["path"] = data.keep(str(data.locate(spec["path"], spec["type"])), spec["type"])
    call.assets.create(kind, name, version, spec)
    return Answer(200, {}, b"")  # the SDK then asks for the version


# -- containers


def get_container(call: Call, plural: str, name: str) -> Answer:
    """What there is of a name: its latest version, and the one that comes next."""
    kind = kind_of(KINDS[plural].kind, name)
    versions = call.assets.entries(kind, name, archived=True)
    following = call.assets.next_version(kind, name)
    call.promises.make(_promise(call, kind, name, following))
    if not versions:
        call.assets.get(kind, name)  # says that there is none, and what to do
        raise NotFound(name)
    return answer(_container(call, plural, versions, following))


def put_container(call: Call, plural: str, name: str) -> Answer:
    """Archive or restore all of a name."""
    kind = kind_of(KINDS[plural].kind, name)
    archived = bool(call.request.properties().get("isArchived"))
    call.assets.archive(kind, name, None, archived=archived)
    found = get_container(call, plural, name)
    call.promises.settle(_promise(call, kind, name, ""))
    return found


def list_containers(call: Call, plural: str) -> Answer:
    """Every name."""
    query = call.request.query
    view = _VIEWS.get(query.get("listViewType", "ActiveOnly"), False)
    assets = call.assets
    kind = KINDS[plural].kind
    names = [asset.name for asset in assets.entries(kind, archived=view)]
    found = []
    for name in names[: _top(query)]:
        versions = assets.entries(kind, name, archived=True)
        found.append(_container(call, plural, versions, assets.next_version(kind, name)))
    return answer({"value": found})


def _resource(call: Call, plural: str, asset: Asset) -> dict[str, Any]:
    properties = {
        "description": asset.spec.get("description"),
        "tags": dict(asset.spec.get("tags") or {}),
        "properties": dict(asset.spec.get("properties") or {}),
        "isArchived": asset.archived,
        "isAnonymous": asset.kind.startswith(ANONYMOUS),
        **KINDS[plural].sent(call, asset),
    }
    place = f"{plural}/{asset.name}/versions/{asset.version}"
    return resource(call.scope, place, asset.version, properties, (asset.created_at, asset.modified_at))


def _container(call: Call, plural: str, versions: list[Asset], following: str) -> dict[str, Any]:
    newest, oldest = versions[0], versions[-1]
    active = next((asset for asset in versions if not asset.archived), newest)
    properties = {
        "description": newest.spec.get("description"),
        "tags": dict(newest.spec.get("tags") or {}),
        "properties": {},
        "isArchived": all(asset.archived for asset in versions),
        "latestVersion": active.version,
        "nextVersion": following,
    }
    if plural == "data":
        properties["dataType"] = newest.spec.get("type")
    made = (oldest.created_at, newest.modified_at)
    return resource(call.scope, f"{plural}/{newest.name}", newest.name, properties, made)


def _top(query: Mapping[str, str]) -> int | None:
    text = query.get("$top") or query.get("top") or ""
    return int(text) if text.isdecimal() else None
