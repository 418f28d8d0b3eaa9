"""The run history: how jobs and their children stand, while they run and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml import tracking
from creditml.errors import NotFound
from creditml.history.life import settle
from creditml.logs import is_log
from creditml.nodes.table import node_type
from creditml.references import artifact_path, output_asset_id, parse_output_asset_id, stored_output_uri
from creditml.service.blob_places import ARTIFACTS, list_blobs
from creditml.service.jobs import studio_page
from creditml.service.messages import Answer, Refusal, answer
from creditml.statuses import FAILED
from creditml.wire.resources import stamp, user

if TYPE_CHECKING:
    from creditml.service.call import Call
    from creditml.workspace.records import JobRecord


def get_run(call: Call, run: str) -> Answer:
    """GET a run."""
    return answer(_run(call, _record(call, run)))


def get_children(call: Call, run: str) -> Answer:
    """GET the children of a run, without those below them."""
    record = _record(call, run)
    return answer({"value": [_run(call, child) for child in call.workspace.jobs.entries(record.name, archived=True)]})


def get_details(call: Call, run: str) -> Answer:
    """GET the details of a run: how it stands, and the addresses of its logs."""
    record = _record(call, run)
    details: dict[str, Any] = {
        "runId": record.name,
        "runUuid": record.name,
        "parentRunUuid": record.parent,
        "rootRunUuid": record.root,
        "target": "local",
        "status": record.status,
        "parentRunId": record.parent,
        "createdTimeUtc": stamp(record.created_at),
        "startTimeUtc": stamp(record.started_at),
        "endTimeUtc": stamp(record.ended_at),
        "error": _error(record),
        "warnings": [],
        "tags": dict(record.tags),
        "properties": dict(record.properties),
        "logFiles": _logs(call, record),
    }
    return answer(details)


def get_run_data(call: Call) -> Answer:
    """POST a request for a run with its outputs."""
    record = _record(call, str(call.request.json().get("runId", "")))
    return answer({"runMetadata": _run(call, record)})


def change_run(call: Call, experiment: str, run: str) -> Answer:  # noqa: ARG001  the route's
    """PATCH a run: change its names, its tags, and whether it is archived."""
    sent, record = call.request.json(), _record(call, run)
    if sent.get("hidden") is not None:
        call.workspace.jobs.archive(record.name, archived=bool(sent["hidden"]))
    changes: dict[str, Any] = {}
    for key in ("tags", "properties"):
        if sent.get(key):
            changes[key] = {**getattr(record, key), **sent[key]}
    if sent.get("displayName"):
        changes["display_name"] = sent["displayName"]
    if sent.get("description") is not None:
        changes["spec"] = {**record.spec, "description": sent["description"]}
    if changes:
        call.workspace.jobs.transit(record.name, **changes)
    return get_run(call, record.name)


def get_services(call: Call, run: str, node: str) -> Answer:  # noqa: ARG001  the route's
    """GET the interactive services of a run's node: there are none here."""
    _record(call, run)
    return answer({"instances": {}})


def resolve_data(call: Call) -> Answer:
    """POST a request for the URIs of outputs of runs."""
    values = {}
    for asset in call.request.json().get("values") or ():
        named = parse_output_asset_id(str(asset))
        if named is None:
            raise Refusal(404, "UserError", f"There is no data asset {asset}.")
        record = _record(call, named.job)
        uri = _output_uri(record, named.output)
        values[asset] = {"uri": call.scope.uri(uri), "type": "UriFolder" if uri.endswith("/") else "UriFile"}
    return answer({"values": values})


def _record(call: Call, run: str) -> JobRecord:
    try:
        return settle(call.workspace, call.workspace.jobs.get(run))
    except NotFound:
        raise Refusal(404, "UserError", f"Run {run} was not found in this workspace.") from None


def _run(call: Call, record: JobRecord) -> dict[str, Any]:
    outputs = record.results.get("outputs") or {}
    return {
        "runId": record.name,
        "runUuid": record.name,
        "parentRunId": record.parent,
        "rootRunId": record.root,
        "rootRunUuid": record.root,
        "experimentId": tracking.experiment_id(call.workspace.root, record.experiment_name),
        "displayName": record.display_name,
        "name": record.display_name,
        "description": record.spec.get("description"),
        "status": record.status,
        "createdUtc": stamp(record.created_at),
        "startTimeUtc": stamp(record.started_at),
        "endTimeUtc": stamp(record.ended_at),
        "lastModifiedUtc": stamp(record.ended_at or record.started_at or record.created_at),
        "createdBy": {"userName": user()},
        "lastModifiedBy": {"userName": user()},
        "runType": node_type(record.type).run_type,
        "compute": {"target": "local", "targetType": "local", "instanceCount": 1},
        "hidden": record.archived,
        "tags": dict(record.tags),
        "properties": {**record.properties, **({"azureml.moduleName": _module(call, record)} if record.path else {})},
        "services": {"Studio": {"type": "Studio", "endpoint": studio_page(call, record), "status": "Running"}},
        "error": _error(record),
        # the type is that of data for models too: the SDK can't resolve those (1.35: `model_uris.values`)
        "outputs": {name: {"assetId": output_asset_id(record.name, name), "type": "uri_folder"} for name in outputs},
    }


def _module(call: Call, record: JobRecord) -> str:
    """The name of a child's component, as Azure ML tells it (seen there: anonymous ones keep their names)."""
    here: Any = call.workspace.jobs.get(record.root).spec
    for name in record.path.split("."):
        jobs = here.get("jobs") or (here.get("component") or {}).get("jobs") or {}
        here = jobs.get(name) or {}
    component = here.get("component")
    return str((component.get("name") if isinstance(component, dict) else None) or record.path.rpartition(".")[2])


def _output_uri(record: JobRecord, output: str) -> str:
    place = record.results.get("outputs", {}).get(output)
    if place is None:
        raise Refusal(404, "UserError", f"The run {record.name} has no output '{output}'.")
    uri = stored_output_uri(record.name, output)
    return uri + Path(place).name if Path(place).is_file() else uri


def _error(record: JobRecord) -> dict[str, Any] | None:
    if record.status != FAILED or not record.error:
        return None
    error = {"code": "UserError", "message": record.error.get("message", ""), "details": []}
    return {"error": error, "environment": "local", "location": "local"}


def _logs(call: Call, record: JobRecord) -> dict[str, str]:
    found = {}
    prefix = artifact_path(record.name)
    for name, _ in list_blobs(call.workspace, ARTIFACTS, prefix):
        short = name.removeprefix(prefix)
        if is_log(short):
            url = f"{call.storage.url}/{ARTIFACTS}/{name}"
            found[short] = call.keys.signed_url(url, call.storage.account)
    return found
