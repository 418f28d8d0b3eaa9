"""The outbox: a table in workspace.db with what MLflow should record, until the tracking server has recorded it.

No function of MLflow's API accepts a chosen run id, and importing MLflow takes more than a second. So the runner
appends rows here, in the same transaction as its own records, and the server (`creditml.tracking.drain`) turns the rows
into MLflow's runs before it answers a request.
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
"""A tag of runs that a step's script created itself: the step's run id. MLflow's UI hides tags named `mlflow.*`."""
OWNED_TAG = "mlflow.creditml.run"
"""The tag that keeps what the engine recorded about its own run: [name, parent, root] as JSON."""

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing to workspace.db."""


class Run(NamedTuple):
    """A run of a job or step; if a script changes its name, parent or status, that is undone when the step ends."""

    run_id: str
    name: str
    """Azure ML's display name."""
    experiment: str
    experiment_id: str
    """From `creditml.tracking.experiment_id`."""
    parent: str | None
    root: str
    """The id of the run at the top of the tree; for a submitted job, its own id."""
    start_time: int
    """Milliseconds since the epoch."""
    artifact_uri: str
    """`mlflow-artifacts:/<path below .creditml/jobs>`"""
    tags: Mapping[str, str]
    """Further tags, such as mlflow.user and mlflow.source.name."""


def begin_run(db: sqlite3.Connection, run: Run) -> None:
    """Record in the caller's transaction that MLflow should create a run with the status RUNNING."""
    _append(db, "begin", {**run._asdict(), "tags": dict(run.tags)})


def end_run(db: sqlite3.Connection, run_id: str, status: MLflowStatus, end_time: int) -> None:
    """Record in the caller's transaction that MLflow should end a run.

    The status replaces the one that the script has set. Unfinished runs below this run get the same status and end. The
    run's name, parent and root are set again to the values that `begin_run` gave.

    Args:
        db: workspace.db.
        run_id: The run.
        status: The final status in MLflow's terms, see `creditml.statuses.MLFLOW`.
        end_time: Milliseconds since the epoch.
    """
    _append(db, "end", {"run_id": run_id, "status": status, "end_time": end_time})


def tag_run(db: sqlite3.Connection, run_id: str, tags: Mapping[str, str]) -> None:
    """Record in the caller's transaction that MLflow should set tags on a run."""
    _append(db, "tag", {"run_id": run_id, "tags": dict(tags)})


def run_context(run_id: str, root_run_id: str) -> str:
    """The value of MLFLOW_RUN_CONTEXT for a step: it makes the runs that the script creates children of the step's run.

    MLflow's clients set these tags on every run that they create; one started with `nested=True` keeps its own parent.
    """
    return json.dumps({PARENT_TAG: run_id, ROOT_TAG: root_run_id, CONTEXT_TAG: run_id})


def _append(db: sqlite3.Connection, op: str, payload: dict[str, object]) -> None:
    db.execute("INSERT INTO outbox (op, payload) VALUES (?, ?)", (op, json.dumps(payload)))


class Row(NamedTuple):
    """One row: an operation (`begin`, `tag` or `end`) and its arguments as JSON."""

    seq: int
    op: str
    payload: str


class Outbox:
    """The server's end of the outbox. Only one thread may use it at a time."""

    def __init__(self, path: Path) -> None:
        """Use workspace.db at `path`, which need not exist yet."""
        self._path = path
        self._db: sqlite3.Connection | None = None

    def pending(self) -> bool:
        """Whether there are any rows (takes about 10 microseconds)."""
        return bool(self._select("SELECT seq, op, payload FROM outbox LIMIT 1"))

    def rows(self, limit: int) -> list[Row]:
        """The oldest rows, at most `limit` of them."""
        return self._select("SELECT seq, op, payload FROM outbox ORDER BY seq LIMIT ?", limit)

    def discard(self, last: int) -> None:
        """Delete the rows up to number `last`.

        SQLite has one writer at a time, so a row with a lower number can't be committed later and be lost here.
        """
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
            if "no such table" in str(error):  # the workspace's database has not been set up yet
                return []
            raise
