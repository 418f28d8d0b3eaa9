"""Moves the outbox's rows into MLflow's database, through MLflow's own table classes.

MLflow's API can't be used for that, because none of its functions accepts a chosen run id.

Draining can be interrupted anywhere and repeated: a row is deleted from the outbox only after the commit of MLflow's
database, and applying a row a second time changes nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun, SqlTag
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DataError, IntegrityError

from creditml.tracking.outbox import CONTEXT_TAG, OWNED_TAG, PARENT_TAG, ROOT_TAG, RUN_NAME_TAG, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Table

    from creditml.tracking.outbox import Outbox, Row

_BATCH = 1000
_CHUNK = 500
"""Values per SQL statement; old versions of SQLite allow at most 999."""

_log = logging.getLogger("creditml.tracking")

_EXPERIMENTS = cast("Table", SqlExperiment.__table__)
_RUNS = cast("Table", SqlRun.__table__)
_TAGS = cast("Table", SqlTag.__table__)


class End(NamedTuple):
    """The final state of a run."""

    status: str
    time: int


class Drain:
    """Drains the outbox into MLflow's database. Any thread may call it; one drains while the others wait."""

    def __init__(self, outbox: Outbox, engine: Engine) -> None:
        self._outbox = outbox
        self._engine = engine
        self._lock = threading.Lock()

    def run(self) -> None:
        """Drain all rows that are in the outbox.

        Raises:
            Exception: A database stays locked, the disk is full, or MLflow's tables are not as expected. The rows that
                were not applied are kept.
        """
        with self._lock:
            while rows := self._outbox.rows(_BATCH):
                self._apply(rows)
                self._outbox.discard(rows[-1].seq)

    def close(self) -> None:
        """Move the write-ahead log into MLflow's database file, so that a copy of this one file is complete."""
        with self._lock, self._engine.connect() as db:
            db.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def _apply(self, rows: Sequence[Row]) -> None:
        try:
            with self._engine.begin() as db:
                db.execute(text("PRAGMA busy_timeout = 20000"))
                db.execute(text("BEGIN IMMEDIATE"))  # keeps other writers out between the lookups and the writes
                _Batch(db).apply(rows)
        except (ValueError, KeyError, OverflowError, IntegrityError, DataError):
            if len(rows) == 1:  # a row that MLflow can't store must not block the other rows for ever
                _log.exception("Dropped from the outbox: %s", rows[0])
                return
            for row in rows:
                self._apply([row])


class _Batch:
    """Applies rows of the outbox in one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def apply(self, rows: Iterable[Row]) -> None:
        begun: dict[str, Run] = {}
        tags: dict[str, dict[str, str]] = {}
        ended: dict[str, End] = {}
        for row in rows:
            payload = json.loads(row.payload)
            if row.op == "begin":
                begun[payload["run_id"]] = _run(payload)
            elif row.op == "tag":
                tags.setdefault(payload["run_id"], {}).update(payload["tags"])
            elif row.op == "end":
                ended[payload["run_id"]] = End(payload["status"], payload["end_time"])
            else:
                message = f"unknown operation {row.op!r}"
                raise ValueError(message)
        known = self._known(begun)
        self._begin([run for run_id, run in begun.items() if run_id not in known])
        self._tag({run_id: tags[run_id] for run_id in self._known(tags)})
        self._end({run_id: ended[run_id] for run_id in self._known(ended)})

    def _begin(self, runs: Sequence[Run]) -> None:
        if not runs:
            return
        experiments = {run.experiment: int(run.experiment_id) for run in runs}
        ids = {name: self._experiment(name, wanted) for name, wanted in experiments.items()}
        self._db.execute(insert(_RUNS), [_run_row(run, ids[run.experiment]) for run in runs])
        self._tag({run.run_id: _first_tags(run) for run in runs})

    def _experiment(self, name: str, wanted: int) -> int:
        """Find, create or restore the experiment `name`, and return its id.

        The id differs from `wanted` if a script has created the experiment in the meantime.
        """
        ids = select(_EXPERIMENTS.c.experiment_id)
        known = self._db.scalar(ids.where(_EXPERIMENTS.c.name == name))
        if known is None:
            known = self._db.scalar(ids.where(_EXPERIMENTS.c.experiment_id == wanted))  # it was renamed
        if known is None:
            location = f"mlflow-artifacts:/.mlflow/{wanted}"
            self._db.execute(insert(_EXPERIMENTS).values(experiment_id=wanted, name=name, artifact_location=location))
            return wanted
        restored = update(_EXPERIMENTS).where(_EXPERIMENTS.c.experiment_id == known).values(lifecycle_stage="active")
        self._db.execute(restored)
        return int(known)

    def _tag(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        rows = [
            {"run_uuid": run_id, "key": key, "value": str(value)}
            for run_id, pairs in tags.items()
            for key, value in pairs.items()
        ]
        if rows:
            new = insert(_TAGS)
            upsert = new.on_conflict_do_update(index_elements=["key", "run_uuid"], set_={"value": new.excluded.value})
            self._db.execute(upsert, rows)

    def _end(self, ended: Mapping[str, End]) -> None:
        said = {run_id: _Owned.parse(value) for run_id, value in self._tags(OWNED_TAG, ended).items()}
        owned = {run_id: own for run_id, own in said.items() if own}
        for run_id, own in owned.items():
            self._update(run_id, name=own.name)
            if own.parent is None:
                self._db.execute(delete(_TAGS).where(_TAGS.c.run_uuid == run_id, _TAGS.c.key == PARENT_TAG))
        self._tag({run_id: own.tags() for run_id, own in owned.items()})
        self._adopt(owned)
        for run_id, end in {**self._left_running(ended), **ended}.items():
            self._update(run_id, status=end.status, end_time=end.time)

    def _adopt(self, owned: Mapping[str, _Owned]) -> None:
        """Make each run the parent of the runs that its script created, if these have no parent."""
        made: dict[str, str] = {}
        for chunk in _chunks(owned):
            query = select(_TAGS.c.run_uuid, _TAGS.c.value).where(_TAGS.c.key == CONTEXT_TAG, _TAGS.c.value.in_(chunk))
            made.update((run_id, step) for run_id, step in self._db.execute(query))
        orphans = made.keys() - self._tags(PARENT_TAG, made).keys() - owned.keys()
        self._tag({run_id: {PARENT_TAG: made[run_id], ROOT_TAG: owned[made[run_id]].root} for run_id in orphans})

    def _left_running(self, ended: Mapping[str, End]) -> dict[str, End]:
        """The unfinished runs below runs that have ended, each with the end of its nearest ended ancestor."""
        if not ended:
            return {}
        going = select(_RUNS.c.run_uuid).where(_RUNS.c.status.in_(("RUNNING", "SCHEDULED")))
        live: set[str] = set(self._db.scalars(going)) - ended.keys()
        parents: dict[str, str] = {}
        asked: set[str] = set()
        ask = live
        while ask:
            found = self._tags(PARENT_TAG, ask)
            parents.update(found)
            asked |= ask
            ask = set(found.values()) - asked - ended.keys()
        ends = {}
        for run_id in live:
            ancestor, seen = run_id, set()
            while ancestor in parents and ancestor not in seen:
                seen.add(ancestor)
                ancestor = parents[ancestor]
                if ancestor in ended:
                    ends[run_id] = ended[ancestor]
                    break
        return ends

    def _known(self, run_ids: Iterable[str]) -> set[str]:
        """The runs among these that exist in MLflow."""
        known: set[str] = set()
        for chunk in _chunks(run_ids):
            known.update(self._db.scalars(select(_RUNS.c.run_uuid).where(_RUNS.c.run_uuid.in_(chunk))))
        return known

    def _tags(self, key: str, run_ids: Iterable[str]) -> dict[str, str]:
        """The value of a tag for each of these runs that has the tag."""
        values: dict[str, str] = {}
        for chunk in _chunks(run_ids):
            query = select(_TAGS.c.run_uuid, _TAGS.c.value).where(_TAGS.c.key == key, _TAGS.c.run_uuid.in_(chunk))
            values.update((run_id, value) for run_id, value in self._db.execute(query))
        return values

    def _update(self, run_id: str, **values: object) -> None:
        self._db.execute(update(_RUNS).where(_RUNS.c.run_uuid == run_id).values(values))


class _Owned(NamedTuple):
    """What the engine recorded about its own run; kept in the tag OWNED_TAG, so that scripts' changes can be undone."""

    name: str
    parent: str | None
    root: str

    @classmethod
    def parse(cls, value: str) -> _Owned | None:
        """Read the tag's value; None if a script has overwritten it."""
        try:
            return cls(*json.loads(value))
        except (ValueError, TypeError):
            return None

    def tags(self) -> dict[str, str]:
        tags = {RUN_NAME_TAG: self.name, ROOT_TAG: self.root}
        return tags if self.parent is None else {**tags, PARENT_TAG: self.parent}


def _run(payload: dict[str, Any]) -> Run:
    if payload.keys() != set(Run._fields):
        message = f"a run with the fields of another version of creditml: {sorted(payload)}"
        raise ValueError(message)
    return Run(**payload)


def _first_tags(run: Run) -> dict[str, str]:
    own = _Owned(run.name, run.parent, run.root)
    return {**run.tags, **own.tags(), OWNED_TAG: json.dumps(own)}


def _run_row(run: Run, experiment_id: int) -> dict[str, Any]:
    """The same row that MLflow's own `create_run` writes."""
    return {
        "run_uuid": run.run_id,
        "name": run.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "source_version": "",
        "user_id": run.tags.get("mlflow.user", ""),
        "status": "RUNNING",
        "start_time": run.start_time,
        "lifecycle_stage": "active",
        "artifact_uri": run.artifact_uri,
        "experiment_id": experiment_id,
    }


def _chunks(items: Iterable[str]) -> Iterator[list[str]]:
    everything = list(items)
    for start in range(0, len(everything), _CHUNK):
        yield everything[start : start + _CHUNK]
