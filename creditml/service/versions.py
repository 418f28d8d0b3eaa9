"""Data, environments, components and models: versions, and containers, as Azure calls all versions of a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from creditml.asset_kinds import ASSET_KINDS
from creditml.check import check_component
from creditml.errors import Conflict, NotFound, SpecError
from creditml.language.yaml import Document, from_plain, parse, plain
from creditml.nodes.specs import component_dict, read_component_document
from creditml.service.asset_ids import WorkspaceIds, WorkspaceResolver, kind_of
from creditml.service.blob_places import (
    artifact_store_uri,
    build_context_path,
    build_context_uri,
    keep_upload,
    model_uri,
    registry_download_url,
)
from creditml.service.messages import Answer, Refusal, answer
from creditml.service.promised_versions import PromisedVersion
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
    """How one kind of asset is translated: `read` from a body's `properties` to an asset's fields, `write` back."""

    kind: str
    read: Callable[[Call, str, Mapping[str, Any]], dict[str, Any]]
    write: Callable[[Call, Asset], dict[str, Any]]


# -- from `properties` to an asset's fields, and back


def _read_data(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kind = sent.get("dataType", "uri_folder")
    return {"name": name, "type": kind, "path": keep_upload(call, sent["dataUri"], kind)}


def _write_data(call: Call, asset: Asset) -> dict[str, Any]:
    path = asset.spec["path"]
    return {
        "dataType": asset.spec.get("type"),
        "dataUri": artifact_store_uri(call.workspace, path) or call.scope.uri(path),
    }


def _read_model(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"MLFlowModel": "mlflow_model", "CustomModel": "custom_model", "TritonModel": "triton_model"}
    kind = sent.get("modelType") or "custom_model"
    kind = kinds.get(kind, kind)
    kept = {"name": name, "type": kind, "path": keep_upload(call, sent["modelUri"], kind)}
    return kept | {key: sent[key] for key in ("flavors", "stage") if sent.get(key)}


def _write_model(call: Call, asset: Asset) -> dict[str, Any]:
    spec = asset.spec
    path = str(spec["path"])
    if call.scope.registry:
        uri = registry_download_url(call, call.workspace.data.source(path))
    else:
        uri = call.scope.uri(model_uri(call.workspace, path, spec.get("job_name")) or path)
    sent = {"modelType": spec.get("type"), "modelUri": uri, "flavors": spec.get("flavors") or {}}
    names = {"job_name": "jobName", "stage": "stage"}
    return sent | {names[key]: spec[key] for key in names if spec.get(key)}


def _read_environment(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": name}
    if sent.get("image"):
        kept["image"] = sent["image"]
    if sent.get("condaFile"):
        content = sent["condaFile"]
        kept["conda_file"] = plain(parse(content, "conda file").root) if isinstance(content, str) else content
    if sent.get("build"):
        build = sent["build"]
        path = build_context_path(call, build["contextUri"])
        kept["build"] = {"path": path, "dockerfile_path": build.get("dockerfilePath") or "Dockerfile"}
    system = str(sent.get("osType") or "linux").lower()
    if system != "linux":  # linux is the default, which the SDK doesn't tell from an environment without it
        kept["os_type"] = system
    if sent.get("inferenceConfig"):
        kept["inference_config"] = snake(sent["inferenceConfig"])
    return kept


def _write_environment(call: Call, asset: Asset) -> dict[str, Any]:
    spec = asset.spec
    sent: dict[str, Any] = {"environmentType": "UserCreated", "osType": str(spec.get("os_type", "linux")).capitalize()}
    if spec.get("image"):
        sent["image"] = spec["image"]
    if spec.get("conda_file"):
        sent["condaFile"] = yaml.safe_dump(spec["conda_file"], sort_keys=False)
    if spec.get("build"):
        build = spec["build"]
        sent["build"] = {
            "contextUri": build_context_uri(call, build["path"]),
            "dockerfilePath": build["dockerfile_path"],
        }
    if spec.get("inference_config"):
        sent["inferenceConfig"] = camel(spec["inference_config"])
    return sent


def _read_component(call: Call, name: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    spec = component_of(sent["componentSpec"], WorkspaceResolver(call.workspace))
    component, problems, _ = read_component_document(Document("component", from_plain(spec), []), call.workspace.root)
    found = [*problems, *(check_component(component) if component else ())]
    if component is None or any(not problem.warning for problem in found):
        raise SpecError([problem._replace(place=None) for problem in found])  # there is no file
    kept = component_dict(freeze_component(component, call.workspace))
    kept.pop("version", None)
    if name == ANONYMOUS_COMPONENT:  # the SDK sends the name of its file for a component from Python, but not from YAML
        kept.pop("name", None)
    return kept


def _write_component(call: Call, asset: Asset) -> dict[str, Any]:
    named = {"name": asset.name, "version": asset.version}
    spec = {key: value for key, value in asset.spec.items() if key != "properties"} | named
    return {"componentSpec": component_spec(spec, WorkspaceIds(call.scope, call.workspace))}


KINDS = {
    ASSET_KINDS[kind.kind].plural: kind
    for kind in (
        Kind("data", _read_data, _write_data),
        Kind("model", _read_model, _write_model),
        Kind("environment", _read_environment, _write_environment),
        Kind("component", _read_component, _write_component),
    )
}


# -- versions


def put_version(call: Call, plural: str, name: str, version: str) -> Answer:
    """PUT a version: create it, or change what may be changed of one that exists."""
    kind = KINDS[plural]
    sent = call.request.properties()
    ours = kind_of(kind.kind, name)
    try:
        spec = kind.read(call, name, sent)
    except KeyError as error:
        raise Refusal(400, "UserError", f"The property {error} is missing.") from None
    spec |= {key: sent[key] for key in _COMMON if sent.get(key)}
    try:
        asset, known = _create(call, _promised(call, ours, name, version), spec)
    except Conflict as error:
        if plural == "data":  # word for word: the SDK looks for this text
            raise Refusal(400, "UserError", "Asset paths cannot be updated.") from error
        raise
    if known and "isArchived" in sent and bool(sent["isArchived"]) != asset.archived:
        call.assets.archive(ours, name, version, archived=bool(sent["isArchived"]))
        asset = call.assets.get(ours, name, version)
    # 201 would make clients of a registry wait for the version
    return answer(_resource(call, plural, asset), 200 if known or call.scope.registry else 201)


def _create(call: Call, wanted: PromisedVersion, spec: Mapping[str, Any]) -> tuple[Asset, bool]:
    """Create a version; returns it, and whether it existed before.

    If the version exists, but its number was promised to this client as the next one, the next free number is taken.
    """
    kind, name, version = wanted.kind, wanted.name, wanted.version
    assets = call.assets
    with call.workspace.transaction():  # no other client may create one in between
        known = any(asset.version == version for asset in assets.entries(kind, name, archived=True))
        late = known and call.promised_versions.is_promised(wanted)
        if late and kind == "environment":  # the SDK uses the latest one if it is the same
            late = not assets.same(kind, name, version, spec)
        asset = assets.create(kind, name, None if late else version, spec)
    call.promised_versions.forget(wanted)
    return asset, known and not late


def _promised(call: Call, kind: str, name: str, version: str) -> PromisedVersion:
    return PromisedVersion(call.request.headers.get("authorization", ""), call.scope.registry, kind, name, version)


def get_version(call: Call, plural: str, name: str, version: str) -> Answer:
    """GET a version; `azureml_default` (which the SDK asks for if none is named) is the latest one."""
    wanted = None if version == _DEFAULT else version
    return answer(_resource(call, plural, call.assets.get(kind_of(KINDS[plural].kind, name), name, wanted)))


def list_versions(call: Call, plural: str, name: str) -> Answer:
    """GET the versions of a name, newest first."""
    query = call.request.query
    view = _VIEWS.get(query.get("listViewType", "ActiveOnly"), False)
    found = call.assets.entries(kind_of(KINDS[plural].kind, name), name, archived=view)
    if query.get("version"):
        found = [asset for asset in found if asset.version == query["version"]]
    if "asc" in query.get("$orderBy", query.get("orderBy", "")).lower():
        found = found[::-1]
    return answer({"value": [_resource(call, plural, asset) for asset in found[: _top(query)]]})


def share(call: Call) -> Answer:
    """POST a request to copy a version of the workspace to a registry (the SDK's `share`)."""
    sent = call.request.properties()
    found = _SHARED.search(str(sent.get("sourceAssetId", "")))
    if found is None or found["plural"] not in KINDS:
        message = "The 'sourceAssetId' is not that of data, a model, an environment or a component of the workspace."
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
    """GET a container: the latest version of a name, and the number of the next, which is promised to the client."""
    kind = kind_of(KINDS[plural].kind, name)
    versions = call.assets.entries(kind, name, archived=True)
    following = call.assets.next_version(kind, name)
    call.promised_versions.promise(_promised(call, kind, name, following))
    if not versions:
        call.assets.get(kind, name)  # raises `NotFound` with what to do
        raise NotFound(name)
    return answer(_container(call, plural, versions, following))


def put_container(call: Call, plural: str, name: str) -> Answer:
    """PUT a container: archive or restore all versions of a name."""
    kind = kind_of(KINDS[plural].kind, name)
    archived = bool(call.request.properties().get("isArchived"))
    call.assets.archive(kind, name, None, archived=archived)
    found = get_container(call, plural, name)
    call.promised_versions.forget(_promised(call, kind, name, ""))
    return found


def list_containers(call: Call, plural: str) -> Answer:
    """GET all containers of a kind."""
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
        **KINDS[plural].write(call, asset),
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
