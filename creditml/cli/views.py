"""Jobs and assets as `az ml` prints them: the snake_case fields of their YAML, and their states and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.cli.output import timestamp
from creditml.secrets import all_redacted
from creditml.workspace import tracking_page

if TYPE_CHECKING:
    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset, JobRecord

CREATED = "creation_context.created_at"
JOB_COLUMNS = ("name", "display_name", "type", "status", "experiment_name", CREATED)
ASSET_COLUMNS = ("name", "version", "type", CREATED, "description")


def job_view(workspace: Workspace, record: JobRecord) -> dict[str, Any]:
    """A job or child job with all its fields."""
    spec = {
        key: value
        for key, value in record.spec.items()
        if key not in ("type", "name", "experiment_name", "display_name", "tags", "properties")
    }
    view: dict[str, Any] = {
        **_state(record),
        **spec,
        "tags": dict(record.tags),
        "properties": dict(record.properties),
        "services": {"Studio": {"endpoint": tracking_page(workspace.root, record), "type": "Studio"}},
        "backend": record.backend,
    }
    if record.parent:
        view |= {"parent_job_name": record.parent, "node": record.path}
    if record.exit_code is not None:
        view["exit_code"] = record.exit_code
    if record.error:
        view["error"] = dict(record.error)
    if record.results:
        view["results"] = dict(record.results)
    return dict(all_redacted(view))


def job_row(record: JobRecord) -> dict[str, Any]:
    """The fields of a job in a list."""
    row = {**_state(record), "tags": dict(record.tags), "properties": dict(record.properties)}
    return {**row, "node": record.path, "parent_job_name": record.parent} if record.parent else row


def _state(record: JobRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "display_name": record.display_name,
        "type": record.type,
        "status": record.status,
        "experiment_name": record.experiment_name,
        "creation_context": {"created_at": timestamp(record.created_at)},
        "start_time": timestamp(record.started_at),
        "end_time": timestamp(record.ended_at),
    }


def asset_view(asset: Asset) -> dict[str, Any]:
    """A version of an asset with all its fields."""
    spec = {key: value for key, value in asset.spec.items() if key not in ("name", "version")}
    context = {"created_at": timestamp(asset.created_at), "last_modified_at": timestamp(asset.modified_at)}
    view = {"name": asset.name, "version": asset.version, **spec, "id": asset.id, "creation_context": context}
    return {**view, "archived": True} if asset.archived else view
