"""The datastores of the workspace: the service's own storage account has a container for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.errors import NotFound
from creditml.references import ARTIFACT_STORE, DEFAULT_DATASTORE
from creditml.service.blob_places import container_of
from creditml.service.messages import Answer, answer
from creditml.service.workspaces import created_at
from creditml.wire.resources import resource

if TYPE_CHECKING:
    from creditml.service.call import Call

_FILE_STORES = ("workspacefilestore", "workspaceworkingdirectory")
_BLOB_STORES = (DEFAULT_DATASTORE, ARTIFACT_STORE)


def list_datastores(call: Call) -> Answer:
    """GET the workspace's own datastores, and those that users have registered."""
    made = [asset.name for asset in call.workspace.assets.entries("datastore")]
    names = [*_BLOB_STORES, *_FILE_STORES, *made]
    if call.request.query.get("isDefault", "").lower() == "true":
        names = [DEFAULT_DATASTORE]
    return answer({"value": [_datastore(call, name) for name in names]})


def get_datastore(call: Call, name: str) -> Answer:
    """GET a datastore."""
    return answer(_datastore(call, name))


def put_datastore(call: Call, name: str) -> Answer:
    """PUT a datastore: a folder of the workspace stands for it."""
    sent = call.request.properties()
    if name in (*_BLOB_STORES, *_FILE_STORES):
        return get_datastore(call, name)
    spec = {"name": name, "type": str(sent.get("datastoreType", "AzureBlob")), "description": sent.get("description")}
    call.workspace.assets.create("datastore", name, "1", spec)
    call.workspace.data.datastore(name).mkdir(parents=True, exist_ok=True)
    return answer(_datastore(call, name), 201)


def list_secrets(call: Call, name: str) -> Answer:
    """POST a request for a datastore's secrets: the key of the storage account."""
    _datastore(call, name)
    return answer({"secretsType": "AccountKey", "key": call.keys.account_key})


def _datastore(call: Call, name: str) -> dict[str, Any]:
    at = created_at(call)
    kind = "AzureBlob"
    if name in _FILE_STORES:
        kind = "AzureFile"
    elif name not in _BLOB_STORES:
        made = {asset.name: asset for asset in call.workspace.assets.entries("datastore")}
        if name in made:
            at = made[name].created_at
        elif not call.workspace.data.datastore(name).is_dir():
            folder = call.workspace.data.datastore(name)
            message = f"There is no datastore '{name}' here; a folder {folder} makes one."
            raise NotFound(message)
    place = {"fileShareName": name} if kind == "AzureFile" else {"containerName": container_of(name)}
    properties = {
        "datastoreType": kind,
        "isDefault": name == DEFAULT_DATASTORE,
        "accountName": call.storage.account,
        "endpoint": call.storage.suffix,
        "protocol": "https",
        "credentials": {"credentialsType": "AccountKey"},
        "serviceDataAccessAuthIdentity": "None",
        "tags": {},
        **place,
    }
    return resource(call.scope, f"datastores/{name}", name, properties, (at, at))
