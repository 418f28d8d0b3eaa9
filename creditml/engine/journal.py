"""What is recorded of a running job: its transitions and results, its runs for MLflow, Azure ML's log lines."""

from __future__ import annotations

import getpass
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from creditml import tracking
from creditml.history.life import give_up
from creditml.logs import ARTIFACTS, OUTPUTS, PIPELINE_LOG
from creditml.names import run_id as new_run_id
from creditml.nodes.table import node_type
from creditml.secrets import redacted
from creditml.statuses import COMPLETED, FAILED, FINALIZING, MLFLOW, PREPARING, RUNNING
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from creditml.engine.outcome import Outcome
    from creditml.engine.run import Run
    from creditml.model import Node
    from creditml.plan import Plan, PlannedStep
    from creditml.seams.executor import StepState
    from creditml.workspace import Workspace

_GATHERING = 0.05  # seconds: to record several short steps at once takes hardly longer than one


class Journal:
    """Writes down what happens to one job; each event is one transaction. Several steps that begin or end share one."""

    def __init__(self, workspace: Workspace, record: JobRecord, plan: Plan, experiment_id: str) -> None:
        """`experiment_id` is MLflow's id of the job's experiment."""
        self._workspace, self._record, self._plan = workspace, record, plan
        self._jobs = workspace.jobs
        self._experiment_id = experiment_id
        self._folder = self._jobs.folder(record)
        self._groups = dict.fromkeys(plan.pipelines, 0)  # how many steps of each are still to end
        self.add(plan.steps.values())
        self._group_runs: dict[str, str] = {}
        self._trouble: dict[str, str] = {}
        self._user = _user()
        self._exit_code: int | None = None
        self._log: TextIO | None = None
        self._begun: list[tuple[Run, int]] = []  # still to be recorded, with the time
        self.due: float | None = None
        """When there is something to `write`, as `time.monotonic` has it."""

    def begin(self) -> None:
        """Record that the job runs."""
        (self._folder / ARTIFACTS).mkdir(parents=True, exist_ok=True)
        with self._workspace.transaction() as db:
            self._jobs.transit(self._record.name, PREPARING, RUNNING, started_at=now())
            self._begin_run(db, self._record, "")
        if node_type(self._record.type).graph:
            log = self._folder / ARTIFACTS / PIPELINE_LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            self._log = log.open("a", encoding="utf-8", buffering=1)

    def add(self, steps: Iterable[PlannedStep]) -> None:
        """Count further steps. The pipelines that they are in must not have ended."""
        for step in steps:
            for group in _pipelines_of(step.path):
                self._groups[group] += 1

    def step_began(self, run: Run) -> None:
        """A step begins; `write` records it, which should be called at `due`."""
        if run.step.path:
            self._begun.append((run, now()))
            self.due = self.due or time.monotonic() + _GATHERING

    def write(self) -> None:
        """Record the steps that have begun. Those that never begin have no record, as in Azure ML."""
        if not self._begun:
            return
        groups = dict(self._group_runs)
        try:
            # not flushed: if the machine stops, a step that has begun and not ended is lost in any case
            with self._workspace.transaction(durable=False):
                for run, at in self._begun:
                    self._begin_child(run.run_id, run.step.path, run.step.node, self._parent(run.step.path, at), at)
        except BaseException:
            self._group_runs = groups  # those that were begun in it aren't recorded either
            raise
        begun, self._begun, self.due = self._begun, [], None
        for run, _ in begun:
            self.note(f"Submitting 1 runs, first five are: {run.run_id[:8]}:{run.run_id}")

    def steps_ended(self, ended: Sequence[tuple[Run, Outcome]]) -> None:
        """Record the final statuses of steps: of all of them, or of none."""
        self.write()
        groups = dict(self._groups), dict(self._trouble)
        try:
            with self._workspace.transaction(durable=False) as db:  # the record of the job's end is flushed
                for run, outcome in ended:
                    self._end_step(db, run, outcome)
        except BaseException:
            self._groups, self._trouble = groups
            raise
        for run, _ in ended:
            if run.step.path:
                self.note(f"Completing processing run id {run.run_id}.")

    def _end_step(self, db: sqlite3.Connection, run: Run, outcome: Outcome) -> None:
        at = now()
        statuses = (FINALIZING, COMPLETED) if outcome.status == COMPLETED else (outcome.status,)
        error = {"code": outcome.code, "message": outcome.message} if outcome.message else None
        results = {"outputs": dict(outcome.outputs), "metrics": dict(outcome.metrics)}
        if not run.step.path:  # the step is the job, which `end` records
            self._exit_code = outcome.exit_code
            return
        self._jobs.transit(
            run.run_id, *statuses, ended_at=at, exit_code=outcome.exit_code, error=error, results=results
        )
        tracking.end_run(db, run.run_id, MLFLOW[outcome.status], at)
        self._settle(db, run.step.path, outcome.status)

    def skipped(self, paths: Sequence[str], status: str) -> None:
        """Record that steps will never run, since a step that they need failed or the job is canceled."""
        if not paths:
            return
        self.write()
        with self._workspace.transaction(durable=False) as db:
            for path in paths:
                self._settle(db, path, status)

    def failed(self, run: Run, outcome: Outcome) -> None:
        """Write Azure ML's line about a failed step."""
        self.note(f"Job failed, job RunId is {run.run_id}. Error: {outcome.message}")

    def end(
        self,
        status: str,
        states: Mapping[str, StepState],
        outputs: Mapping[tuple[str, str], str],
        reason: str | None = None,
    ) -> None:
        """Record the final status of the job; `reason` says why no step could start, if that is so."""
        self.write()
        at = now()
        places = {
            name: outputs[source.step, source.output]
            for name, source in self._plan.outputs.items()
            if (source.step, source.output) in outputs
        }
        metrics = tracking.metrics(self._workspace.root, self._record.name)  # scripts may log to the job's own run, too
        results: dict[str, Any] = {"outputs": places, "models": self._models(), "metrics": metrics}
        error = {"code": "EnvironmentFailed", "message": reason} if reason else self._error(status, states)
        if places and self._plan.steps.keys() != {""}:
            self._link(places)
        statuses = (FINALIZING, COMPLETED) if status == COMPLETED else (status,)
        if status == FAILED:
            self.note("Execution of experiment failed, update experiment status and cancel running nodes.")
        if self._log is not None:
            self._log.close()
            self._log = None
        with self._workspace.transaction() as db:
            self._jobs.transit(
                self._record.name, *statuses, ended_at=at, exit_code=self._exit_code, error=error, results=results
            )
            tracking.end_run(db, self._record.name, MLFLOW[status], at)

    def places(self) -> list[str]:
        """The places of all outputs that are recorded."""
        outputs = [record.results.get("outputs", {}) for record in self._jobs.steps(self._record.name)]
        return [place for places in outputs for place in places.values()]

    def abandon(self, error: Mapping[str, str], states: dict[str, StepState]) -> str:
        """Record that all that has not ended failed, for a reason that leaves no time for more.

        Args:
            error: the reason.
            states: the steps' states, which are brought up to date.

        Returns:
            The job's status.
        """
        if self._log is not None:
            with suppress(OSError):
                self._log.close()
            self._log = None
        self.write()
        give_up(self._workspace, self._record, error)
        job = self._jobs.get(self._record.name)
        known = {record.path: record for record in (job, *self._jobs.steps(job.name))}
        for path, state in states.items():
            record = known.get(path)
            if record is not None:
                said = (record.error or {}).get("message", "")
                states[path] = state._replace(
                    status=record.status, ended_at=state.ended_at or record.ended_at, error=said
                )
            elif state.status == RUNNING:  # too new to be recorded
                states[path] = state._replace(status=FAILED, ended_at=now(), error=error["message"])
        return job.status

    def note(self, line: str) -> None:
        """Write a line into the pipeline's execution log."""
        if self._log is not None:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            self._log.write(f"[{stamp}Z] {redacted(line)}\n")

    def _begin_run(self, db: sqlite3.Connection, record: JobRecord, parent: str) -> None:
        artifacts = self._jobs.artifacts(record).relative_to(self._jobs.root).as_posix()
        tracking.begin_run(
            db,
            tracking.Run(
                run_id=record.name,
                name=record.display_name or record.name,
                experiment=record.experiment_name,
                experiment_id=self._experiment_id,
                parent=parent or None,
                root=record.root,
                start_time=record.started_at or now(),
                artifact_uri=f"mlflow-artifacts:/{artifacts}",
                tags={"mlflow.user": self._user, **record.tags},
            ),
        )

    def _parent(self, path: str, at: int) -> str:
        """The run of the innermost pipeline that a step is in; it begins with its first step."""
        parent = self._record.name
        for group in _pipelines_of(path):
            if group not in self._group_runs:
                self._group_runs[group] = self._begin_group(group, parent, at)
            parent = self._group_runs[group]
        return parent

    def _begin_group(self, path: str, parent: str, at: int) -> str:
        name = new_run_id()
        self._begin_child(name, path, self._plan.pipelines[path], parent, at)
        return name

    def _begin_child(self, name: str, path: str, node: Node, parent: str, at: int) -> None:
        record = JobRecord(
            name=name,
            type=node.type,
            root=self._record.name,
            path=path,
            parent=parent,
            experiment_name=self._record.experiment_name,
            status=RUNNING,
            created_at=at,
            started_at=at,
            display_name=node.display_name or node.name,
            backend=self._record.backend,
            tags=dict(node.tags),
            properties=dict(node.properties),
        )
        with self._workspace.transaction() as db:
            self._jobs.add(record)
            self._begin_run(db, record, parent)

    def _settle(self, db: sqlite3.Connection, path: str, ended: str) -> None:
        """A step has ended, and so have the nested pipelines of which it was the last one."""
        for group in reversed(_pipelines_of(path)):
            self._groups[group] -= 1
            if ended != COMPLETED and self._trouble.get(group) != FAILED:
                self._trouble[group] = ended
            if self._groups[group] == 0 and group in self._group_runs:
                status = self._trouble.get(group, COMPLETED)
                self._jobs.transit(self._group_runs[group], status, ended_at=now())
                tracking.end_run(db, self._group_runs[group], MLFLOW[status], now())

    def _models(self) -> list[dict[str, str]]:
        found = tracking.registered_models(self._workspace.root, run_ids=self._jobs.names(self._record.name))
        return [{"name": model.name, "version": str(model.version)} for model in found]

    @staticmethod
    def _error(status: str, states: Mapping[str, StepState]) -> dict[str, str] | None:
        if status == COMPLETED:
            return None
        failed = next((state for state in states.values() if state.status == FAILED), None)
        if failed is None:  # canceled by somebody, or by a limit
            failed = next((state for state in states.values() if "limits.timeout" in state.error), None)
        if failed is None:
            return {"code": status, "message": "The job was canceled."}
        where = f"The step '{failed.path}' failed: " if failed.path and failed.status == FAILED else ""
        return {"code": "UserError", "message": where + failed.error}

    def _link(self, places: Mapping[str, str]) -> None:
        """Link the job's outputs into its own folder."""
        folder = self._folder / OUTPUTS
        folder.mkdir(parents=True, exist_ok=True)
        for name, place in places.items():
            source = os.path.dirname(place) if os.path.isfile(place) else place
            link = folder / name
            if not os.path.lexists(link) and os.path.exists(source):
                link.symlink_to(os.path.relpath(source, folder))


def _pipelines_of(path: str) -> list[str]:
    """The paths of the nested pipelines that a step is in, the outermost first."""
    names = path.split(".")
    return [".".join(names[:depth]) for depth in range(1, len(names))]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
