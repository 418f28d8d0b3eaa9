"""Runs jobs in this process, so that a test can observe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.submission.options import Options
from creditml.submission.submit import prepare
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.model import Job
    from creditml.seams.executor import Watched
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord


def run(
    job: Job, workspace: Workspace, look: Callable[[Watched], object] = lambda _: None, *, max_parallel: int = 2
) -> JobRecord:
    """Run a job to its end; `look` is called again and again while it runs."""
    with LocalExecutor(workspace, Options(max_parallel=max_parallel)).run(prepare(job, workspace)) as runner:
        while runner.advance(0.02):
            look(runner)
    return workspace.jobs.get(runner.record.name)


def steps(workspace: Workspace, job: JobRecord) -> dict[str, JobRecord]:
    """The records of all steps of a job, by their paths."""
    return {step.path: step for step in workspace.jobs.steps(job.name)}
