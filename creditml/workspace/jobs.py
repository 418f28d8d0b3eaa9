"""The records of jobs and their steps: what was submitted, and its status."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from creditml.errors import Conflict, CreditMLError, NotFound, near_miss
from creditml.logs import ARTIFACTS, OUTPUTS
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from creditml.workspace.database import Database

_LONGEST_PATH = 200
_JSON = ("spec", "error", "tags", "properties", "results")
_FLAGS = ("archived", "cancel_requested")


class Jobs:
    """The jobs of a workspace, and their folders below `root`, which is the folder `jobs/`."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database, self.root = database, root

    def folder(self, record: JobRecord) -> Path:
        """The folder of a job or of a step; it has the subfolders `artifacts/` and `outputs/`."""
        path = record.path
        if len(path) > _LONGEST_PATH:  # file names end at 255 bytes
            path = f"{path[:_LONGEST_PATH]}-{sha256(path.encode()).hexdigest()[:16]}"
        return self.root / f"{record.root}/steps/{path}" if path else self.root / record.root

    def artifacts(self, record: JobRecord) -> Path:
        """Where the logs and other artifacts of a job or step lie."""
        return self.folder(record) / ARTIFACTS

    def outputs(self, record: JobRecord) -> Path:
        """Where the outputs of a job or step lie, each under its name, that have no place of their own."""
        return self.folder(record) / OUTPUTS

    def add(self, record: JobRecord) -> None:
        """Record a new job or a new step of one.

        Raises:
            Conflict: there is already a job with this name.
        """
        values = {k: self._dump(k, v) for k, v in record._asdict().items()}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._database.transaction() as db:
            if db.execute("SELECT 1 FROM jobs WHERE name=?", (record.name,)).fetchone():
                message = (
                    f"A job named '{record.name}' exists already; job names are unique in a workspace. "
                    "Use another name, or leave the name out."
                )
                raise Conflict(message)
            db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608  fields of JobRecord
            db.execute(
                "INSERT INTO transitions (job, status, at) VALUES (?, ?, ?)",
                (record.name, record.status, record.created_at),
            )

    def transit(self, name: str, *statuses: str, **fields: Any) -> None:
        """Change a job's status, and set other fields of its record, in one transaction.

        Args:
            name: the job's name.
            statuses: the statuses that the job goes through, in order; the last one is its new status.
            fields: new values for other fields of `JobRecord`.
        """
        at = now()
        changes = {k: self._dump(k, v) for k, v in fields.items()}
        if statuses:
            changes["status"] = statuses[-1]
        assignments = ", ".join(f"{column}=?" for column in changes)
        with self._database.transaction() as db:
            db.execute(f"UPDATE jobs SET {assignments} WHERE name=?", (*changes.values(), name))  # noqa: S608  the names are fields of JobRecord
            db.executemany(
                "INSERT INTO transitions (job, status, at) VALUES (?, ?, ?)",
                [(name, status, at) for status in statuses],
            )

    def get(self, name: str) -> JobRecord:
        """The record of a job or of a step.

        Raises:
            NotFound: there is no such job; the message names jobs with similar names.
        """
        row = self._database.connection.execute("SELECT * FROM jobs WHERE name=?", (name,)).fetchone()
        if row is None:
            known = (r[0] for r in self._database.connection.execute("SELECT name FROM jobs WHERE parent IS NULL"))
            message = (
                f"There is no job named '{name}'.{near_miss(name, known)} `creditml job list -o table` shows all jobs."
            )
            raise NotFound(message)
        return self._record(row)

    def entries(
        self, parent: str | None = None, *, archived: bool | None = False, limit: int | None = None
    ) -> list[JobRecord]:
        """List submitted jobs, newest first, or the children of a job, oldest first.

        Args:
            parent: the name of the job whose children are listed; None lists the submitted jobs.
            archived: True includes archived jobs, False leaves them out, None lists archived jobs only.
            limit: the largest number of records; None for all.
        """
        clauses, values = (["parent=?"], [parent]) if parent else (["parent IS NULL"], [])
        if archived is not True:
            clauses.append(f"archived={0 if archived is False else 1}")
        order = "ASC" if parent else "DESC"
        query = f"SELECT * FROM jobs WHERE {' AND '.join(clauses)} ORDER BY created_at {order}, rowid {order} LIMIT ?"  # noqa: S608  constants of ours
        rows = self._database.connection.execute(query, (*values, -1 if limit is None else limit)).fetchall()
        return [self._record(row) for row in rows]

    def names(self, root: str) -> list[str]:
        """The names of a submitted job and of all its descendants."""
        rows = self._database.connection.execute("SELECT name FROM jobs WHERE root=?", (root,))
        return [row["name"] for row in rows]

    def steps(self, root: str) -> list[JobRecord]:
        """All descendants of a submitted job, in the order of their creation."""
        query = "SELECT * FROM jobs WHERE root=? AND name<>? ORDER BY created_at, rowid"
        return [self._record(row) for row in self._database.connection.execute(query, (root, root)).fetchall()]

    def history(self, name: str) -> list[tuple[str, int]]:
        """The statuses that a job went through, each with its time in milliseconds since 1970."""
        return [
            (r[0], r[1])
            for r in self._database.connection.execute(
                "SELECT status, at FROM transitions WHERE job=? ORDER BY seq", (name,)
            )
        ]

    def archive(self, name: str, *, archived: bool) -> None:
        """Hide an ended job from lists, or show it again.

        Raises:
            NotFound: there is no such job.
            CreditMLError: the job has not ended.
        """
        record = self.get(name)
        if archived and not record.ended:
            message = (
                f"The job '{name}' is {record.status}; only an ended job can be archived. "
                f"`creditml job cancel -n {name}` ends it."
            )
            raise CreditMLError(message)
        self.transit(name, archived=archived)

    def request_cancel(self, name: str) -> JobRecord:
        """Ask the runner of a job, or of the job that a step belongs to, to cancel it; an ended job stays as it is.

        Returns:
            The record of the job or step `name`.

        Raises:
            NotFound: there is no such job.
        """
        record = self.get(self.get(name).root)
        if not record.ended:
            self.transit(record.name, cancel_requested=True)
            self.wake(record.name)
        return self.get(name)

    def cancel_requested(self, name: str) -> bool:
        """Whether `request_cancel` was called for the job."""
        row = self._database.connection.execute("SELECT cancel_requested FROM jobs WHERE name=?", (name,)).fetchone()
        return bool(row and row[0])

    def wake(self, name: str) -> None:
        """Wake the job's runner, so that it reads the job's record again."""
        try:
            pipe = os.open(self.root / name / "wake", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # the job has no runner
        try:
            os.write(pipe, b"!")
        except OSError:
            pass
        finally:
            os.close(pipe)

    def _dump(self, column: str, value: Any) -> Any:
        if column == "results" and value and value.get("outputs"):
            value = {**value, "outputs": {name: self._within(place) for name, place in value["outputs"].items()}}
        if column == "error" and value:  # it may quote a URL, a command or a server
            from creditml.secrets import all_redacted  # 1 ms, and few jobs have errors

            value = all_redacted(dict(value))
        if column in _JSON and value is not None:
            return json.dumps(value if not hasattr(value, "items") else dict(value))
        return value

    def _within(self, place: str) -> str:
        """A path for the record: relative to the workspace if it is inside, so that a project can be moved."""
        return place.removeprefix(f"{self.root.parent}{os.sep}")

    def _record(self, row: sqlite3.Row) -> JobRecord:
        values: dict[str, Any] = dict(row)
        for column in _JSON:
            if values[column] is not None:
                values[column] = json.loads(values[column])
        for column in _FLAGS:
            values[column] = bool(values[column])
        outputs = values["results"].get("outputs")
        if outputs:
            values["results"]["outputs"] = {name: str(self.root.parent / place) for name, place in outputs.items()}
        return JobRecord(**values)
