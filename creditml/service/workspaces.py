"""The workspace itself, its computes and datastores, and where the services are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.errors import NotFound
from creditml.references import ARTIFACT_STORE, DEFAULT_DATASTORE, PROVIDER
from creditml.service.blob_places import container_of
from creditml.service.messages import Answer, Refusal, answer
from creditml.wire.resources import resource
from creditml.workspace.records import now

if TYPE_CHECKING:
    from creditml.service.call import Call

_FILE_STORES = ("workspacefilestore", "workspaceworkingdirectory")
_BLOB_STORES = (DEFAULT_DATASTORE, ARTIFACT_STORE)
_SERVICES = ("api", "catalog", "experimentation", "history", "hyperdrive", "jobs", "modelmanagement", "studio")
LOCATION = "local"


# -- the workspace


def get_workspace(call: Call) -> Answer:
    """The workspace."""
    return answer(_workspace(call))


def list_workspaces(call: Call) -> Answer:
    """The one workspace there is."""
    return answer({"value": [_workspace(call)]})


def discovery(call: Call) -> Answer:
    """Where the services are: all of them here."""
    return answer(dict.fromkeys(_SERVICES, call.request.base))


def discover_registry(call: Call) -> Answer:
    """Where a registry is: here, so that no client looks for it elsewhere."""
    scope = call.scope
    return answer(
        {
            "registryName": scope.registry,
            "primaryRegion": LOCATION,
            "primaryRegionResourceProviderUri": f"{call.request.base}/",
            "resourceGroup": scope.group,
            "subscriptionId": scope.subscription,
        }
    )


def _workspace(call: Call) -> dict[str, Any]:
    scope = call.scope
    storage = f"{scope.group_path}/providers/Microsoft.Storage"
    properties = {
        "friendlyName": scope.workspace,
        "description": f"creditml's local workspace {call.workspace.root}",
        "workspaceId": scope.guid,
        "discoveryUrl": f"{call.request.base}/discovery",
        "mlFlowTrackingUri": call.tracking_uri(),
        "storageAccount": f"{storage}/storageAccounts/local",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Disabled",
        "hbiWorkspace": False,
    }
    at = _made(call)
    made = resource(scope, "", scope.workspace, properties, (at, at))
    return made | {
        "id": scope.path,
        "type": f"{PROVIDER}/workspaces",
        "location": LOCATION,
        "kind": "Default",
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {"type": "SystemAssigned"},
    }


def _made(call: Call) -> int:
    try:
        return int(os.stat(call.workspace.root).st_ctime * 1000)
    except OSError:
        return now()


# -- computes


def get_compute(call: Call, name: str) -> Answer:
    """A compute: whatever its name, it is this machine."""
    return answer(_compute(call, name))


def list_computes(call: Call) -> Answer:
    """The computes that somebody made, and one that is always there."""
    made = [asset.name for asset in call.workspace.assets.entries("compute")]
    return answer({"value": [_compute(call, name) for name in dict.fromkeys(["cpu-cluster", *made])]})


def put_compute(call: Call, name: str) -> Answer:
    """Take note of a compute's name; there is nothing to make."""
    sent = call.request.properties()
    spec = {"name": name, "properties": {"type": str(sent.get("computeType", "AmlCompute"))}}
    call.workspace.assets.create("compute", name, "1", spec)
    return answer(_compute(call, name), 201)


def delete_compute(_call: Call, name: str) -> Answer:
    """There is nothing to remove."""
    raise Refusal(501, "NotSupported", f"'{name}' is this machine, which can't be deleted.")


def _compute(call: Call, name: str) -> dict[str, Any]:
    count = os.cpu_count() or 1
    at = _made(call)
    properties = {
        "computeType": "AmlCompute",
        "computeLocation": LOCATION,
        "provisioningState": "Succeeded",
        "description": f"This machine ({count} processors)",
        "isAttachedCompute": False,
        "properties": {
            "vmSize": "local",
            "vmPriority": "Dedicated",
            "osType": "Linux",
            "allocationState": "Steady",
            "currentNodeCount": 1,
            "targetNodeCount": 1,
            "scaleSettings": {"minNodeCount": 1, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT120S"},
        },
    }
    return resource(call.scope, f"computes/{name}", name, properties, (at, at)) | {"location": LOCATION, "tags": {}}


# -- datastores


def list_datastores(call: Call) -> Answer:
    """The workspace's own datastores, and those that somebody registered."""
    made = [asset.name for asset in call.workspace.assets.entries("datastore")]
    names = [*_BLOB_STORES, *_FILE_STORES, *made]
    if call.request.query.get("isDefault", "").lower() == "true":
        names = [DEFAULT_DATASTORE]
    return answer({"value": [_datastore(call, name) for name in names]})


def get_datastore(call: Call, name: str) -> Answer:
    """One datastore."""
    return answer(_datastore(call, name))


def put_datastore(call: Call, name: str) -> Answer:
    """Register a datastore: a folder of the workspace stands for it."""
    sent = call.request.properties()
    if name in (*_BLOB_STORES, *_FILE_STORES):
        return get_datastore(call, name)
    spec = {"name": name, "type": str(sent.get("datastoreType", "AzureBlob")), "description": sent.get("description")}
    call.workspace.assets.create("datastore", name, "1", spec)
    call.workspace.data.datastore(name).mkdir(parents=True, exist_ok=True)
    return answer(_datastore(call, name), 201)


def list_secrets(call: Call, name: str) -> Answer:
    """The key of the storage account."""
    _datastore(call, name)
    return answer({"secretsType": "AccountKey", "key": call.keys.account_key})


def _datastore(call: Call, name: str) -> dict[str, Any]:
    at = _made(call)
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
