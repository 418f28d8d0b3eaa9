"""From the SDK's objects for jobs to creditml's: `CloudRun`, and the rows and views that commands print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.seams.executor import StepState
from creditml.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class CloudRun(NamedTuple):
    """What the run history of Azure ML answers of a job or a step; times are milliseconds since 1970.

    `logs` are the addresses of the logs that can be read now, by their names among the run's artifacts. They bear a
    signature, so they must not be shown or kept. A list of children comes without them.
    """

    name: str
    status: str
    display_name: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""
    logs: Mapping[str, str] = {}
    properties: Mapping[str, str] = {}

    def state(self, path: str, log: str = "") -> StepState:
        """How the step with this path stands; `log` is a file of this machine."""
        times = self.started_at, self.ended_at
        return StepState(path, self.status, self.name, *times, self.error, log, self.display_name)


def job_row(job: Any) -> dict[str, Any]:
    """A job as a row of a list, with the fields that every job has.

    The SDK's own form of a whole pipeline takes a tenth of a second to make, so it isn't used for lists.
    """
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


def job_view(job: Any) -> dict[str, Any]:
    """A job with all its fields, as far as the SDK has a form for its type."""
    try:
        fields = json.loads(json.dumps(job._to_dict(), default=str))  # noqa: SLF001  see `connection`
    except Exception:  # noqa: BLE001  children and jobs of newer types have no such form
        fields = {}
    return {**fields, **job_row(job)}


def child_run(found: Any) -> CloudRun:
    """A child of a job, from the run history's list of children."""
    return CloudRun(
        found.run_id,
        found.status,
        found.display_name or found.name or "",
        milliseconds(found.start_time_utc),
        milliseconds(found.end_time_utc),
        error_message(found.error),
        properties=dict(found.properties or {}),
    )


def milliseconds(at: datetime | None) -> int | None:
    """A time as milliseconds since 1970."""
    return None if at is None else int(at.timestamp() * 1000)


def error_message(error: Any) -> str:
    """The message of a job's error, without secrets: it may quote addresses of blobs with their signatures."""
    inner = getattr(error, "error", None)
    return redacted(str(getattr(inner, "message", None) or ""))
