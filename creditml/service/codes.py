"""Code assets: an upload becomes a snapshot, named by its content, that jobs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from creditml.errors import NotFound
from creditml.references import is_digest
from creditml.service.blob_places import BLOBSTORE, CONTENT, UPLOAD, discard_upload, find_upload
from creditml.service.messages import Answer, Refusal, answer
from creditml.wire.resources import resource
from creditml.workspace.content import File
from creditml.workspace.records import now

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.service.call import Call

_HASH_VERSION = 202208


def list_codes(call: Call, name: str) -> Answer:
    """GET the versions of a name; with a hash in the query, the code with that content, whatever its name."""
    digest = call.request.query.get("hash", "")
    if digest:
        known = is_digest(digest) and call.workspace.content.folder(digest).is_dir()
        return answer({"value": [_resource(call, digest, digest)] if known else []})
    found = call.assets.entries("code", name, archived=True)
    return answer({"value": [_resource(call, name, asset.spec["digest"]) for asset in found]})


def get_code(call: Call, name: str, version: str) -> Answer:
    """GET a code asset."""
    if is_digest(name) and call.workspace.content.folder(name).is_dir():
        return answer(_resource(call, name, name))
    asset = call.assets.get("code", name, version)
    return answer(_resource(call, name, asset.spec["digest"]))


def start_upload(call: Call, plural: str, name: str, version: str) -> Answer:  # noqa: ARG001  the route's
    """POST a request for a place to upload to: a container of its own."""
    container = f"{UPLOAD}{uuid4().hex}"
    url = f"{call.storage.url}/{container}"
    signed = call.keys.signed_url(url, call.storage.account, "racwl")
    reference = {
        "blobUri": url,
        "storageAccountArmId": call.scope.path,
        "credential": {"credentialType": "SAS", "sasUri": signed},
    }
    return answer(
        {
            "pendingUploadId": container,
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": reference,
        }
    )


def grant_download(call: Call, name: str, version: str) -> Answer:  # noqa: ARG001  the route's
    """POST a request to download a registry's asset: a signed URL of its blobs."""
    url = f"{call.storage.url}/{BLOBSTORE}"
    signed = call.keys.signed_url(url, call.storage.account, "rl")
    credential = {"credentialType": "SAS", "sasUri": signed}
    return answer({"blobReferenceForConsumption": {"blobUri": url, "credential": credential}})


def put_code(call: Call, name: str, version: str) -> Answer:
    """PUT a code asset: the upload that it names becomes a snapshot."""
    uri = call.request.properties().get("codeUri") or ""
    known = uri.removeprefix(f"{call.storage.url}/{CONTENT}/")
    if known != uri:
        digest = known.removesuffix("/")
    elif source := find_upload(call, uri):
        digest = _snapshot(call, source)
    else:
        raise Refusal(400, "UserError", f"{uri} is not a place that code was uploaded to.")
    if not (is_digest(digest) and call.workspace.content.folder(digest).is_dir()):
        message = f"There is no code at {uri}."
        raise NotFound(message)
    call.assets.create("code", name, version, {"name": name, "digest": digest})
    return answer(_resource(call, name, digest), 200 if call.scope.registry else 201)


def _snapshot(call: Call, source: Path) -> str:
    base = source if source.is_dir() else source.parent
    found = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    files = [File(str(path), path.relative_to(base).as_posix(), path.stat().st_size) for path in found]
    digest = call.workspace.content.store(files)
    discard_upload(call.workspace, source)
    return digest


def _resource(call: Call, name: str, digest: str) -> dict[str, Any]:
    properties = {
        "codeUri": f"{call.storage.url}/{CONTENT}/{digest}",
        "isAnonymous": True,
        "isArchived": False,
        "properties": {"hash_sha256": digest, "hash_version": str(_HASH_VERSION)},
        "tags": {},
    }
    at = now()
    return resource(call.scope, f"codes/{name}/versions/1", "1", properties, (at, at))
