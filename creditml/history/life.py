"""How a recorded job stands and ends: as long as its runner lives it runs, and its logs grow."""

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
"""Seconds between two looks at a job that runs here."""


def settle(workspace: Workspace, record: JobRecord) -> JobRecord:
    """A job whose runner is gone without a final status gets one: it failed, and so did the steps that ran."""
    root = record if record.name == record.root else workspace.jobs.get(record.root)
    if root.ended or root.elsewhere or is_held(workspace.jobs.root / root.name):
        return record
    root = workspace.jobs.get(root.name)
    if root.ended:  # it ended between the two looks
        return workspace.jobs.get(record.name)
    log = workspace.jobs.root / root.name / "runner.log"
    said = f" Its last words are in {log}." if log.exists() and log.stat().st_size else ""
    message = f"The process that ran the job is gone (killed, or the machine stopped).{said} Run it again."
    error = {"code": "RunnerLost", "message": message}
    give_up(workspace, root, error)
    return workspace.jobs.get(record.name)


def follow(workspace: Workspace, record: JobRecord, name: str) -> Iterator[str]:
    """The lines of an artifact as they are written, until its job has ended."""
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
    """A job is over, and nobody knows more: all of it that has no final status failed."""
    with workspace.transaction() as db:
        for lost in [*workspace.jobs.steps(root.name), workspace.jobs.get(root.name)]:
            if not lost.ended:
                workspace.jobs.transit(lost.name, FAILED, ended_at=now(), error=error)
                tracking.end_run(db, lost.name, MLFLOW[FAILED], now())
