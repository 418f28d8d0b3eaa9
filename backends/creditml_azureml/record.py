"""What the local workspace records of a job of the cloud: the same as of a job that ran here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.entry_points import AZURE
from creditml.errors import Conflict, NotFound
from creditml.workspace.records import TARGET, JobRecord, now

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Node
    from creditml.workspace import Workspace
    from creditml_azureml.runs import Run
    from creditml_azureml.target import Target

_LOG = "user_logs/std_log.txt"


def see_free(workspace: Workspace, name: str, target: Target) -> None:
    """See that a job of the cloud can be recorded under its name.

    Raises:
        Conflict: another one is: of this machine, or of another workspace in Azure.
    """
    try:
        known = workspace.jobs.get(name) if workspace.exists else None
    except NotFound:
        return
    if known is None or known.properties.get(TARGET, "").lower() == target.id.lower():
        return
    where = "in another workspace in Azure" if known.backend == AZURE else "here"
    message = (
        f"A job named '{name}' ran {where} already, and is in the local workspace. Choose another name (-n NAME), or "
        "another local workspace (CREDITML_HOME)."
    )
    raise Conflict(message)


class Recorded:
    """A job of the cloud and its steps, as they are recorded here."""

    def __init__(self, workspace: Workspace, root: JobRecord) -> None:
        """`root` is recorded already."""
        self._workspace, self._jobs, self.root = workspace, workspace.jobs, root
        self._names = {"": root.name}

    def put(self, path: str, run: Run, node: Node | None = None) -> JobRecord:
        """Record how a step stands (the job itself for an empty path); `node` is that of the graph, if it is known."""
        if not path:
            return self._update(self._jobs.get(self.root.name), run)
        self._names[path] = run.name
        try:
            return self._update(self._jobs.get(run.name), run)
        except NotFound:
            record = self._new(path, run, node)
            self._jobs.add(record)
            return record

    def log(self, record: JobRecord) -> Path:
        """The file that a step's log is kept in."""
        return self._jobs.folder(record) / "artifacts" / _LOG

    def _update(self, known: JobRecord, run: Run) -> JobRecord:
        error = {"code": "AzureML", "message": run.error} if run.error else None
        if (known.status, known.started_at, known.ended_at) != (run.status, run.started_at, run.ended_at):
            statuses = () if known.status == run.status else (run.status,)
            self._jobs.transit(known.name, *statuses, started_at=run.started_at, ended_at=run.ended_at, error=error)
        return self._jobs.get(known.name)

    def _new(self, path: str, run: Run, node: Node | None) -> JobRecord:
        parent = self._names.get(path.rpartition(".")[0], self.root.name)
        return JobRecord(
            name=run.name,
            type=node.type if node else "command",
            root=self.root.name,
            path=path,
            parent=parent,
            experiment_name=self.root.experiment_name,
            status=run.status,
            created_at=run.started_at or now(),
            started_at=run.started_at,
            ended_at=run.ended_at,
            display_name=run.display_name,
            backend=self.root.backend,
            error={"code": "AzureML", "message": run.error} if run.error else None,
            tags=dict(node.tags) if node else {},
            properties={
                key: value for key, value in run.properties.items() if key.startswith(("azureml.", "ContentSnapshotId"))
            },
        )
