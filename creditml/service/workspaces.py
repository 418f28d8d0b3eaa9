"""The workspace itself, and where its services are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.references import PROVIDER
from creditml.service.messages import Answer, answer
from creditml.wire.resources import resource
from creditml.workspace.records import now

if TYPE_CHECKING:
    from creditml.service.call import Call

_SERVICES = ("api", "catalog", "experimentation", "history", "hyperdrive", "jobs", "modelmanagement", "studio")
LOCATION = "local"


def get_workspace(call: Call) -> Answer:
    """GET a workspace: whatever its name, it is this one."""
    return answer(_workspace(call))


def list_workspaces(call: Call) -> Answer:
    """GET the workspaces of a subscription or resource group: this one alone."""
    return answer({"value": [_workspace(call)]})


def discovery(call: Call) -> Answer:
    """GET the addresses of the workspace's services: this service is all of them."""
    return answer(dict.fromkeys(_SERVICES, call.request.base))


def discover_registry(call: Call) -> Answer:
    """GET the address of a registry: this service, so that no client looks for it elsewhere."""
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
    at = created_at(call)
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


def created_at(call: Call) -> int:
    """When the workspace was made, in milliseconds since 1970."""
    try:
        return int(os.stat(call.workspace.root).st_ctime * 1000)
    except OSError:
        return now()
