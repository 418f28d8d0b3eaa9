"""Starting a process of its own for a recorded job, which runs it at once or when it is its turn."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.engine.queue import Queue
from creditml.engine.runner_start import NONE, OPTIONS_VARIABLE, Start, submitters
from creditml.errors import NotFound
from creditml.statuses import QUEUED

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.submission.options import Options
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml.workspace.runner_lock import RunnerLock


def start_detached(
    record: JobRecord, lock: RunnerLock, workspace: Workspace, options: Options, executor: str
) -> JobRecord:
    """Start the process of a job that was just recorded.

    Args:
        record: the job.
        lock: the job's lock, which that process gets.
        workspace: where it is recorded.
        options: how it is run.
        executor: the class that runs it: `module:name`.

    Returns:
        The record as it is then.
    """
    queue = Queue(workspace.root, options.max_jobs)
    try:
        place, position = _arrive(record, workspace, queue)
    except BaseException:
        lock.let_go()
        raise
    start = Start(
        root=str(workspace.root),
        job=record.name,
        lock=lock.descriptor,
        wake=lock.fileno(),
        place=place,
        position=position,
        places=queue.places,
        executor=executor,
        options=options.dump(),
    )
    _launch(start, workspace.jobs.root / record.name / "runner.log")
    return record._replace(status=QUEUED) if position else record


def _arrive(record: JobRecord, workspace: Workspace, queue: Queue) -> tuple[int, str]:
    """The descriptor of the place that a job gets, or of its position in the line, with the name of the position."""
    if _is_within_a_job(workspace):
        return NONE, ""
    place = queue.enter()
    if place is not None:
        return place, ""
    workspace.jobs.transit(record.name, QUEUED)
    position = queue.line_up(record.name)
    return position.descriptor, position.name


def _is_within_a_job(workspace: Workspace) -> bool:
    """Whether a step of a running job submits this one, and may wait for it; it takes no place then."""
    for name in submitters(os.environ):
        with suppress(NotFound):
            if not workspace.jobs.get(name).ended:
                return True
    return False


def _launch(start: Start, log: Path) -> None:
    """Start the process, which prints to `log` and owns the descriptors from then on."""
    try:
        with log.open("ab") as output:
            subprocess.Popen(
                [sys.executable, "-m", "creditml.engine", *start.words],
                env={**os.environ, OPTIONS_VARIABLE: start.options},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=start.descriptors,
            )
    finally:
        for descriptor in start.descriptors:
            os.close(descriptor)
