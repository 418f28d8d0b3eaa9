"""Jobs: submit, show, list, cancel and archive them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.config import read_config
from creditml.entry_points import load
from creditml.errors import NotFound, SpecError
from creditml.history.life import settle
from creditml.language.yaml import Document, from_plain
from creditml.nodes.specs import read_job_document
from creditml.nodes.table import TYPES, node_types
from creditml.references import artifacts_uri
from creditml.secrets import without_credentials
from creditml.service.asset_ids import WorkspaceIds, WorkspaceResolver
from creditml.service.messages import Answer, Refusal, answer
from creditml.submission.options import Options
from creditml.wire.reading import job_of
from creditml.wire.resources import resource
from creditml.wire.writing import job_properties
from creditml.workspace import tracking_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.model import Job
    from creditml.service.call import Call
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

_VIEWS = {"ActiveOnly": False, "ArchivedOnly": None, "All": True}
_PAGE = 50


def read_sent_job(call: Call, name: str, properties: Mapping[str, Any]) -> Job:
    """Read the job that a request's body describes.

    Raises:
        SpecError: it has errors.
        Refusal: jobs of its type can't be run here.
    """
    kind = str(properties.get("jobType", ""))
    if not kind:
        raise Refusal(400, "UserError", "The job has no 'jobType'.")
    known = node_types().get(kind.lower())
    if known is None or not known.standalone:
        message = f"Jobs of type '{kind}' can't be run here yet; {TYPES.listed_jobs} jobs can."
        raise Refusal(501, "NotSupported", message)
    spec = job_of(name, properties, WorkspaceResolver(call.workspace))
    reading = read_job_document(Document("", from_plain(spec), []), call.workspace.root)
    if reading.job is None or any(not problem.warning for problem in reading.problems):
        raise SpecError([problem._replace(place=None) for problem in reading.problems])  # there is no file
    return reading.job._replace(source=None)


def put_job(call: Call, name: str) -> Answer:
    """PUT a job: submit it, or change what may be changed of one that exists."""
    properties = call.request.properties()
    try:
        record = call.workspace.jobs.get(name)
    except NotFound:
        job = read_sent_job(call, name, properties)
        return answer(_resource(call, call.submit(call.workspace, job)), 201)
    changes: dict[str, Any] = {key: properties[key] for key in ("tags", "properties") if properties.get(key)}
    if properties.get("displayName"):
        changes["display_name"] = properties["displayName"]
    if "isArchived" in properties and bool(properties["isArchived"]) != record.archived:
        call.workspace.jobs.archive(name, archived=bool(properties["isArchived"]))
    if changes:
        call.workspace.jobs.transit(name, **changes)
    return answer(_resource(call, call.workspace.jobs.get(name)))


def submit_job(workspace: Workspace, job: Job) -> JobRecord:
    """Check a job and start a runner of its own for it."""
    config = read_config()
    executor = load(config.backend)(workspace, Options.of(config, config.backend))
    record: JobRecord = executor.detach(executor.prepare(job))
    return record


def get_job(call: Call, name: str) -> Answer:
    """GET a job. A pipeline's child has no properties here, as in Azure ML; the run history (`runs`) has them."""
    return answer(_resource(call, settle(call.workspace, call.workspace.jobs.get(name))))


def list_jobs(call: Call) -> Answer:
    """GET submitted jobs, newest first, a page at a time."""
    query = call.request.query
    view = _VIEWS.get(query.get("listViewType", "ActiveOnly"), False)
    skip = int(query["$skip"]) if query.get("$skip", "").isdecimal() else 0
    found = call.workspace.jobs.entries(archived=view, limit=skip + _PAGE + 1)[skip:]
    kinds = [record for record in found[:_PAGE] if query.get("jobType", record.type).lower() == record.type]
    page: dict[str, Any] = {"value": [_resource(call, settle(call.workspace, record)) for record in kinds]}
    if len(found) > _PAGE:
        page["nextLink"] = f"{call.request.base}{call.scope.path}/jobs?$skip={skip + _PAGE}" + "".join(
            f"&{key}={query[key]}" for key in ("api-version", "listViewType", "jobType") if key in query
        )
    return answer(page)


def cancel_job(call: Call, name: str) -> Answer:
    """POST a request to cancel a job; Azure's clients then poll `cancel_operation` until it has ended."""
    call.workspace.jobs.request_cancel(name)
    place = f"{call.request.base}{call.scope.path}/jobs/{name}/cancelOperation?api-version=2024-01-01"
    return answer({}, 202, location=place, retry_after="1")


def cancel_operation(call: Call, name: str) -> Answer:
    """GET whether a canceled job has ended."""
    record = settle(call.workspace, call.workspace.jobs.get(name))
    if record.ended:
        return answer({})
    place = f"{call.request.base}{call.request.target}"
    return answer({}, 202, location=place, retry_after="1")


def delete_job(_call: Call, name: str) -> Answer:
    """DELETE a job: refused, as Azure ML refuses to delete jobs that have run."""
    raise Refusal(501, "NotSupported", f"The job '{name}' can't be deleted; archive it.")


def studio_page(call: Call, record: JobRecord) -> str:
    """The address of a job's page.

    The SDK appends `&tid=…`, so the address ends with a query: the text must not become part of the run's id.
    """
    return f"{tracking_page(call.workspace.root, record)}?workspace=local"


def _resource(call: Call, record: JobRecord) -> dict[str, Any]:
    made = (record.created_at, record.ended_at or record.started_at or record.created_at)
    place = f"jobs/{record.name}"
    if record.parent:
        return resource(call.scope, place, record.name, {}, made) | {"properties": None}
    properties = job_properties(record.spec, WorkspaceIds(call.scope, call.workspace))
    artifacts = {"jobOutputType": "uri_folder", "uri": artifacts_uri(record.name)}
    properties["outputs"] = {"default": artifacts, **properties["outputs"]}
    mlflow = without_credentials(call.tracking_uri())
    services = {
        "Studio": {"jobServiceType": "Studio", "endpoint": studio_page(call, record), "status": "Running"},
        "Tracking": {"jobServiceType": "Tracking", "endpoint": mlflow, "status": "Running"},
    }
    properties |= {
        "displayName": record.display_name,
        "experimentName": record.experiment_name,
        "status": record.status,
        "tags": dict(record.tags),
        "properties": dict(record.properties),
        "services": {**properties.get("services", {}), **services},
        "isArchived": record.archived,
    }
    return resource(call.scope, place, record.name, properties, made)
