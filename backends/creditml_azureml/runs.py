"""What the SDK's own objects say of jobs, as ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Run(NamedTuple):
    """A job, or a child of one, as the run history has it; times are milliseconds since 1970.

    `logs` are the files that can be read now, by their names among the run's artifacts: addresses with a signature,
    which must not be shown or kept. Of children they aren't told.
    """

    name: str
    status: str
    display_name: str = ""
    kind: str = ""
    component: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""
    logs: Mapping[str, str] = {}
    properties: Mapping[str, str] = {}


def row(job: Any) -> dict[str, Any]:
    """A job in a list: what every job has. The SDK's own form of a whole pipeline takes a tenth of a second to make."""
    at = getattr(job.creation_context, "created_at", None)
    return {
        "name": job.name,
        "display_name": job.display_name,
        "type": job.type,
        "status": getattr(job.status, "value", job.status),
        "experiment_name": job.experiment_name,
        "services": {"Studio": {"endpoint": job.studio_url}},
        "creation_context": {"created_at": at.isoformat() if at else None},
        "tags": dict(job.tags or {}),
        "properties": dict(job.properties or {}),
    }


def told(job: Any) -> dict[str, Any]:
    """A job with all that it says, as far as the SDK has a form for its kind."""
    try:
        said = json.loads(json.dumps(job._to_dict(), default=str))  # noqa: SLF001  see `cloud`
    except Exception:  # noqa: BLE001  children and jobs of later kinds have no such form
        said = {}
    return {**said, **row(job)}


def child(found: Any) -> Run:
    """A child, of the run history's list."""
    properties = dict(found.properties or {})
    return Run(
        found.run_id,
        found.status,
        found.display_name or found.name or "",
        found.run_type or "",
        properties.get("azureml.moduleName", ""),
        milliseconds(found.start_time_utc),
        milliseconds(found.end_time_utc),
        message(found.error),
        properties=properties,
    )


def milliseconds(at: datetime | None) -> int | None:
    """A time, since 1970."""
    return None if at is None else int(at.timestamp() * 1000)


def message(error: Any) -> str:
    """What is said of an error, without secrets: it may quote addresses of blobs."""
    inner = getattr(error, "error", None)
    return redacted(str(getattr(inner, "message", None) or ""))
