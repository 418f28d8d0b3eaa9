"""A runner in a process of its own whose turn has come: it runs its job, and wakes the next in the line."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.history.recorded import recorded_plan
from creditml.statuses import CANCEL_REQUESTED, CANCELED, COMPLETED
from creditml.submission.options import Options
from creditml.workspace import Workspace
from creditml.workspace.records import now

if TYPE_CHECKING:
    from creditml.engine.local_jobs import LocalJobs
    from creditml.engine.queue import Queue
    from creditml.engine.runner_start import Start
    from creditml.workspace.runner_lock import RunnerLock


def run_detached(start: Start, lock: RunnerLock, place: int | None) -> int:
    """Run a job, and return the exit code of its process.

    Args:
        start: what the process was told.
        lock: the job's lock and pipe.
        place: the descriptor of its place in the queue. None if it takes no place, or if it had to wait and was
            canceled then.
    """
    workspace = Workspace(Path(start.root))
    if start.position:
        _wake_first(workspace, start.queue)  # there may be another free place
    if start.position and place is None:
        _cancel(workspace, start.job)
        lock.release()
        workspace.close()
        return 1
    record = workspace.jobs.get(start.job)
    module, _, attribute = start.executor.partition(":")
    executor: LocalJobs = getattr(importlib.import_module(module), attribute)(workspace, Options.load(start.options))
    executor.get_ready()
    with executor.resume(record, lock, recorded_plan(record)) as runner:
        while runner.advance():
            pass
    if place is not None:
        os.close(place)
        _wake_first(workspace, start.queue)
    workspace.close()
    return 0 if runner.status == COMPLETED else 1


def _cancel(workspace: Workspace, job: str) -> None:
    """Record the end of a job that never began."""
    error = {"code": "Canceled", "message": "The job was canceled."}
    workspace.jobs.transit(job, CANCEL_REQUESTED, CANCELED, ended_at=now(), error=error)


def _wake_first(workspace: Workspace, queue: Queue) -> None:
    first = queue.first()
    if first is not None:
        workspace.jobs.wake(first)
