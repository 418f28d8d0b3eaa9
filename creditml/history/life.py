"""The state of a recorded job, which depends on whether its runner is alive, and its growing logs."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.statuses import FAILED, MLFLOW
from creditml.workspace.records import now
from creditml.workspace.runner_lock import is_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

POLL = 0.2
"""Seconds between two looks at a job that runs on this machine."""


def settle(workspace: Workspace, record: JobRecord) -> JobRecord:
    """The current record of a job. If its runner died, the job and its unfinished steps are first set to Failed."""
    root = record if record.name == record.root else workspace.jobs.get(record.root)
    if root.ended or root.elsewhere or is_held(workspace.jobs.root / root.name):
        return record
    root = workspace.jobs.get(root.name)
    if root.ended:  # the job has ended since the first look
        return workspace.jobs.get(record.name)
    log = workspace.jobs.root / root.name / "runner.log"
    said = f" Its last messages are in {log}." if log.exists() and log.stat().st_size else ""
    message = f"The process that ran the job is gone (killed, or the machine stopped).{said} Run the job again."
    error = {"code": "RunnerLost", "message": message}
    give_up(workspace, root, error)
    return workspace.jobs.get(record.name)


def follow(workspace: Workspace, record: JobRecord, name: str) -> Iterator[str]:
    """The lines of the artifact `name` of a job or step as they are written, until the job or step has ended."""
    log = workspace.jobs.artifacts(record) / name
    rest, offset = b"", 0
    while True:
        ended = settle(workspace, workspace.jobs.get(record.name)).ended
        with suppress(OSError), log.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
            offset += len(data)
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if ended:
            if rest:
                yield rest.decode(errors="replace")
            return
        time.sleep(POLL)


def give_up(workspace: Workspace, root: JobRecord, error: Mapping[str, str]) -> None:
    """Set a job and its steps to Failed, except those that have ended; `error` is recorded as the reason."""
    with workspace.transaction() as db:
        for lost in [*workspace.jobs.steps(root.name), workspace.jobs.get(root.name)]:
            if not lost.ended:
                workspace.jobs.transit(lost.name, FAILED, ended_at=now(), error=error)
                tracking.end_run(db, lost.name, MLFLOW[FAILED], now())
