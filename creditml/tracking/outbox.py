"""The outbox: what the runner wants MLflow to know, kept in workspace.db until the tracking server has told MLflow.

No API of MLflow takes a chosen run id, and importing MLflow costs more than a second. So the runner appends rows
here, in the same transaction as its own records, and the server (`creditml.tracking.drain`) turns them into runs
before it serves.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from creditml.statuses import MLflowStatus

OUTBOX_DDL = "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, op TEXT NOT NULL, payload TEXT NOT NULL)"

RUN_NAME_TAG = "mlflow.runName"
PARENT_TAG = "mlflow.parentRunId"
ROOT_TAG = "mlflow.rootRunId"
CONTEXT_TAG = "mlflow.creditml.step"
"""On a run that a step's script made itself: the step's run id. MLflow's UI hides tags named `mlflow.*`."""

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another writer of workspace.db."""


class Run(NamedTuple):
    """A run that the engine owns: name, parent and final status are the engine's, whatever a script does to them."""

    run_id: str
    name: str
    """Azure ML's display name."""
    experiment: str
    experiment_id: str
    """From `creditml.tracking.experiment_id`."""
    parent: str | None
    root: str
    """The run at the top of the tree; for a job without a parent, its own id."""
    start_time: int
    """Milliseconds since the epoch."""
    artifact_uri: str
    """`mlflow-artifacts:/<path below .creditml/jobs>`"""
    tags: Mapping[str, str]
    """Further tags, such as mlflow.user and mlflow.source.name."""


def begin_run(db: sqlite3.Connection, run: Run) -> None:
    """Ask for a run that is RUNNING, in the caller's transaction."""
    _append(db, "begin", {**run._asdict(), "tags": dict(run.tags)})


def end_run(db: sqlite3.Connection, run_id: str, status: MLflowStatus, end_time: int) -> None:
    """Ask for a run's final status, in the caller's transaction.

    It wins over what the script set, and runs below it that are still going end likewise. Its name, parent and root
    become again what `begin_run` said.

    Args:
        db: workspace.db.
        run_id: The run.
        status: MLflow's word, see `creditml.statuses.MLFLOW`.
        end_time: Milliseconds since the epoch.
    """
    _append(db, "end", {"run_id": run_id, "status": status, "end_time": end_time})


def tag_run(db: sqlite3.Connection, run_id: str, tags: Mapping[str, str]) -> None:
    """Ask for tags on a run, in the caller's transaction."""
    _append(db, "tag", {"run_id": run_id, "tags": dict(tags)})


def run_context(run_id: str, root_run_id: str) -> str:
    """The value of MLFLOW_RUN_CONTEXT that makes runs which a step's script creates children of the step's run.

    MLflow's clients give these tags to each run that they make; a run started with `nested=True` keeps its own parent.
    """
    return json.dumps({PARENT_TAG: run_id, ROOT_TAG: root_run_id, CONTEXT_TAG: run_id})


def _append(db: sqlite3.Connection, op: str, payload: dict[str, object]) -> None:
    db.execute("INSERT INTO outbox (op, payload) VALUES (?, ?)", (op, json.dumps(payload)))


class Row(NamedTuple):
    """One wish."""

    seq: int
    op: str
    payload: str


class Outbox:
    """The server's end of the outbox. Only one thread may use it at a time."""

    def __init__(self, path: Path) -> None:
        """Read from workspace.db at `path`, which need not be there yet."""
        self._path = path
        self._db: sqlite3.Connection | None = None

    def pending(self) -> bool:
        """Whether there is anything to do (some 10 microseconds)."""
        return bool(self._select("SELECT seq, op, payload FROM outbox LIMIT 1"))

    def rows(self, limit: int) -> list[Row]:
        """The oldest rows."""
        return self._select("SELECT seq, op, payload FROM outbox ORDER BY seq LIMIT ?", limit)

    def discard(self, last: int) -> None:
        """Forget the rows up to `last`. SQLite's writers take turns, so no lower number can turn up later."""
        if self._db:
            self._db.execute("DELETE FROM outbox WHERE seq <= ?", (last,))

    def _select(self, statement: str, *parameters: object) -> list[Row]:
        if self._db is None:
            if not self._path.is_file():
                return []
            self._db = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            return list(map(Row._make, self._db.execute(statement, parameters)))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # the workspace's first migration is still to come
                return []
            raise
