"""The two sides of the service's oracle tests: our reader, and the genuine SDK with the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from capturing import JOBS, Capturing
from differences import differences

from creditml.nodes.specs import read_job, read_job_dict
from creditml.submission.submit import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Job
    from creditml.workspace import Workspace


class Sides(NamedTuple):
    """Two workspaces: one for our reader, and one for the genuine SDK's client."""

    ours: Workspace
    theirs: Workspace
    client: Any

    def read(self, file: Path, overrides: tuple[str, ...] = ()) -> Job:
        """The job that our reader makes of a file, in its recorded form."""
        reading = read_job(file, overrides)
        assert reading.job
        record = Capturing(self.ours).detach(prepare(reading.job, self.ours, reading.problems))
        assert list(differences(JOBS[record.name]._replace(name=record.name, source=None), recorded(record.spec))) == []
        return JOBS[record.name]

    def sent(self, entity: Any) -> Job:
        """The job that the service gets when the SDK submits."""
        name = self.client.jobs.create_or_update(entity).name
        assert list(differences(JOBS[name], recorded(self.theirs.jobs.get(name).spec))) == []
        return JOBS[name]


def recorded(spec: Any) -> Job:
    """The job that would run: the one that a runner reads from the record."""
    return read_job_dict(spec)
