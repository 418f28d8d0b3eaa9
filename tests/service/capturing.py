"""A backend for tests that runs nothing: it records jobs and keeps them for inspection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.submission.submit import prepare, submit

if TYPE_CHECKING:
    from creditml.model import Job
    from creditml.seams.executor import Prepared
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

ENTRY_POINT = "[creditml.executors]\ncapturing = capturing:Capturing\n"
JOBS: dict[str, Job] = {}
"""All submitted jobs, in the form in which they would have run."""


class Capturing:
    """An executor with the methods that the service uses."""

    def __init__(self, workspace: Workspace, _options: Any = None) -> None:
        self.workspace = workspace

    def prepare(self, job: Job) -> Prepared:
        """Resolve and check a job."""
        return prepare(job, self.workspace)

    def detach(self, prepared: Prepared) -> JobRecord:
        """Record the job without starting it."""
        record, hold, job = submit(prepared, self.workspace, "capturing")
        hold.release()
        JOBS[record.name] = job
        return record
