"""The records of a job of Azure ML in the local workspace: the same as those of a job that ran here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.entry_points import AZURE
from creditml.errors import Conflict, NotFound
from creditml.nodes.table import DEFAULT, node_type
from creditml.workspace.records import TARGET, JobRecord, now

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Node
    from creditml.workspace import Workspace
    from creditml_azureml.runs import CloudRun
    from creditml_azureml.target import Target


def refuse_taken_name(workspace: Workspace, name: str, target: Target) -> None:
    """Refuse to record a job of Azure ML under the name of another job, whose record must not be lost.

    Raises:
        Conflict: the local workspace has a job of that name that ran here, or in another workspace in Azure.
    """
    try:
        known = workspace.jobs.get(name) if workspace.exists else None
    except NotFound:
        return
    if known is None or known.properties.get(TARGET, "").lower() == target.id.lower():
        return
    where = "in another workspace in Azure" if known.backend == AZURE else "here"
    message = (
        f"A job named '{name}' ran {where} already, and is recorded in the local workspace. Choose another name "
        "(-n NAME), or another local workspace (CREDITML_HOME)."
    )
    raise Conflict(message)


class Recorder:
    """Records how a job of Azure ML and its steps stand."""

    def __init__(self, workspace: Workspace, root: JobRecord) -> None:
        """Take the job's own record, which the workspace has already."""
        self._workspace, self._jobs, self.root = workspace, workspace.jobs, root
        self._names = {"": root.name}

    def put(self, path: str, run: CloudRun, node: Node | None = None) -> JobRecord:
        """Record how a step stands (the job itself for an empty path); `node` is its node of the graph, if known."""
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
        """The file in which the log of a job or step is kept."""
        return self._jobs.artifacts(record) / node_type(record.type).log

    def _update(self, known: JobRecord, run: CloudRun) -> JobRecord:
        error = {"code": "AzureML", "message": run.error} if run.error else None
        if (known.status, known.started_at, known.ended_at) != (run.status, run.started_at, run.ended_at):
            statuses = () if known.status == run.status else (run.status,)
            self._jobs.transit(known.name, *statuses, started_at=run.started_at, ended_at=run.ended_at, error=error)
        return self._jobs.get(known.name)

    def _new(self, path: str, run: CloudRun, node: Node | None) -> JobRecord:
        parent = self._names.get(path.rpartition(".")[0], self.root.name)
        return JobRecord(
            name=run.name,
            type=node.type if node else DEFAULT,
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
