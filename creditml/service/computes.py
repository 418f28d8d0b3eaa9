"""The computes of the workspace: whatever their names, they are this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.service.messages import Answer, Refusal, answer
from creditml.service.workspaces import LOCATION, created_at
from creditml.wire.resources import resource

if TYPE_CHECKING:
    from creditml.service.call import Call


def get_compute(call: Call, name: str) -> Answer:
    """GET a compute: whatever its name, it is this machine."""
    return answer(_compute(call, name))


def list_computes(call: Call) -> Answer:
    """GET the computes that users have made, and one that is always there."""
    made = [asset.name for asset in call.workspace.assets.entries("compute")]
    return answer({"value": [_compute(call, name) for name in dict.fromkeys(["cpu-cluster", *made])]})


def put_compute(call: Call, name: str) -> Answer:
    """PUT a compute: its name is recorded, and there is nothing to make."""
    sent = call.request.properties()
    spec = {"name": name, "properties": {"type": str(sent.get("computeType", "AmlCompute"))}}
    call.workspace.assets.create("compute", name, "1", spec)
    return answer(_compute(call, name), 201)


def delete_compute(_call: Call, name: str) -> Answer:
    """DELETE a compute: refused, since there is nothing to remove."""
    raise Refusal(501, "NotSupported", f"'{name}' is this machine, which can't be deleted.")


def _compute(call: Call, name: str) -> dict[str, Any]:
    count = os.cpu_count() or 1
    at = created_at(call)
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
