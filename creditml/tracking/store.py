"""Reads what MLflow has recorded from its database without importing MLflow, which takes more than a second.

This is the only module that reads the tables of MLflow's store by SQL of its own;
tests/tracking/test_tracking_canary.py compares the tables that it expects with MLflow's classes.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from creditml.tracking.outbox import CONTEXT_TAG, OWNED_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

DEFAULT_EXPERIMENT = "Default"

COLUMNS: Mapping[str, str] = {
    "experiments": "experiment_id, name",
    "runs": "run_uuid, artifact_uri, start_time, lifecycle_stage",
    "tags": "key, value, run_uuid",
    "latest_metrics": "key, value, is_nan, run_uuid",
    "logged_models": "model_id, name, artifact_location, creation_timestamp_ms, status, lifecycle_stage, source_run_id",
    "logged_model_tags": "model_id, tag_key, tag_value",
    "model_versions": "name, version, creation_time, description, current_stage, source, run_id, storage_location",
    "model_version_tags": "name, version, key, value",
    "registered_model_aliases": "name, alias, version",
    "trace_request_metadata": "request_id, key, value",
}
"""The tables and columns of MLflow's store that this file reads."""

_READY = 2
"""mlflow.entities.LoggedModelStatus.READY"""
_DELETED = "Deleted_Internal"
"""The stage of a deleted model version; MLflow keeps its row."""
_BUSY_TIMEOUT = 20.0
"""Seconds to wait for a process that is writing."""


class LoggedModel(NamedTuple):
    """A model that a run logged; MLflow 3 stores it beside the run, not among the run's artifacts."""

    name: str
    folder: Path
    """The folder with the file MLmodel."""


class RegisteredVersion(NamedTuple):
    """A version in MLflow's model registry."""

    name: str
    version: int
    created: int
    """Milliseconds since the epoch."""
    run_id: str | None
    source: str
    """The model's folder on this machine; if the model is stored elsewhere, the URI that was registered."""
    description: str
    tags: dict[str, str]
    aliases: tuple[str, ...]


def database(root: Path) -> Path:
    """MLflow's database in the workspace folder `root`."""
    return root / "mlflow" / "mlflow.db"


def experiment_id(root: Path, name: str) -> str:
    """The id that the experiment `name` has in MLflow, or will get when the outbox is drained.

    The id must be known before MLflow runs, so that of a new experiment is computed from its name. It is below 2**53,
    because larger integers are not exact in a browser.
    """
    if name == DEFAULT_EXPERIMENT:
        return "0"
    with _reading(root) as db:
        for (known,) in db.execute("SELECT experiment_id FROM experiments WHERE name = ?", (name,)):
            return str(known)
        attempt = 0
        while True:
            wanted = _id_from_name(name, attempt)
            # The id is taken if an experiment had this name and was renamed; then the next attempt gives another one.
            if not db.execute("SELECT 1 FROM experiments WHERE experiment_id = ?", (wanted,)).fetchone():
                return str(wanted)
            attempt += 1


def metrics(root: Path, run_id: str) -> dict[str, float]:
    """The latest value of each metric of a run."""
    with _reading(root) as db:
        query = "SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ? ORDER BY key"
        rows = db.execute(query, (run_id,)).fetchall()
    return {key: math.nan if is_nan else _unclamped(value) for key, value, is_nan in rows}


def descendants(root: Path, run_id: str) -> list[str]:
    """The ids of all runs below a run, oldest first: the runs of steps, and the runs that scripts created."""
    with _reading(root) as db:
        rows = db.execute(
            """
            SELECT run_uuid, value FROM runs JOIN tags USING (run_uuid)
            WHERE key = 'mlflow.parentRunId' AND lifecycle_stage = 'active' ORDER BY start_time, run_uuid"""
        ).fetchall()
    children: dict[str, list[str]] = {}
    for child, parent in rows:
        children.setdefault(parent, []).append(child)
    below: set[str] = set()
    todo = [run_id]
    while todo:
        new = [child for child in children.get(todo.pop(), ()) if child not in below]
        below.update(new)
        todo += new
    return [child for child, _ in rows if child in below and child != run_id]


def logged_models(root: Path, run_id: str) -> list[LoggedModel]:
    """The models that a run logged with an MLflow 3 client, oldest first.

    If a script logs a model before anything else, an MLflow 3 client has no active run (with MLflow 2, as on Azure ML,
    `log_model` resumes the step's run). Such a model names its step only in the tag CONTEXT_TAG, so that is used too.
    """
    with _reading(root) as db:
        rows = db.execute(
            """
            SELECT name, artifact_location FROM logged_models m
            WHERE status = ? AND lifecycle_stage = 'active' AND (
                source_run_id = ? OR IFNULL(source_run_id, '') = '' AND EXISTS (SELECT 1 FROM logged_model_tags t
                    WHERE t.model_id = m.model_id AND tag_key = ? AND tag_value = ?))
            ORDER BY creation_timestamp_ms, model_id""",
            (_READY, run_id, CONTEXT_TAG, run_id),
        ).fetchall()
    found = [(name, _local(root, uri)) for name, uri in rows]
    return [LoggedModel(name, folder) for name, folder in found if folder]


def registered_models(root: Path, *, run_ids: Iterable[str] | None = None) -> list[RegisteredVersion]:
    """The versions in MLflow's model registry, ordered by name and version.

    Args:
        root: The workspace folder.
        run_ids: Only versions from these runs, or from runs that the scripts of these steps created; None for all.
    """
    wanted = None if run_ids is None else json.dumps(list(run_ids))
    with _reading(root) as db:
        rows = db.execute(
            """
            WITH found AS (
                SELECT v.*, COALESCE(NULLIF(run_id, ''), NULLIF(source_run_id, ''), tag_value) AS run
                FROM model_versions v
                LEFT JOIN logged_models m ON m.model_id = substr(source, length(:models) + 1)
                LEFT JOIN logged_model_tags t ON t.model_id = m.model_id AND tag_key = :context
                WHERE current_stage != :deleted)
            SELECT name, version, creation_time, run, source, storage_location, description,
                (SELECT json_group_object(key, value) FROM model_version_tags t
                    WHERE t.name = v.name AND t.version = v.version),
                (SELECT json_group_array(alias) FROM registered_model_aliases a
                    WHERE a.name = v.name AND a.version = v.version)
            FROM found v
            WHERE :wanted IS NULL OR run IN (SELECT value FROM json_each(:wanted))
                OR EXISTS (SELECT 1 FROM tags WHERE run_uuid = run AND key = :context
                    AND value IN (SELECT value FROM json_each(:wanted)))
            ORDER BY name, version""",
            {"models": "models:/", "context": CONTEXT_TAG, "deleted": _DELETED, "wanted": wanted},
        ).fetchall()
        return [
            RegisteredVersion(
                name,
                version,
                created,
                run_id or None,
                _source(db, root, storage or "", source or ""),
                description or "",
                json.loads(tags),
                tuple(sorted(json.loads(aliases))),
            )
            for name, version, created, run_id, source, storage, description, tags, aliases in rows
        ]


def run_with_artifacts(root: Path, uri: str) -> str | None:
    """The run whose artifacts are at a URI; None if there is none."""
    with _reading(root) as db:
        row = db.execute("SELECT run_uuid FROM runs WHERE artifact_uri = ?", (uri,)).fetchone()
    return row[0] if row else None


def root_of(root: Path, run_id: str) -> str | None:
    """The run of the job to which a run belongs: that of one of its steps, or one that a step's script made.

    None if the run belongs to no job, or doesn't exist.
    """
    with _reading(root) as db:
        for _ in range(2):  # a run that a script made leads to the run of its step
            query = "SELECT key, value FROM tags WHERE run_uuid = ? AND key IN (?, ?)"
            tags = dict(db.execute(query, (run_id, OWNED_TAG, CONTEXT_TAG)).fetchall())
            if OWNED_TAG in tags:
                try:
                    _name, _parent, top = json.loads(tags[OWNED_TAG])
                except (ValueError, TypeError):
                    return None
                return str(top)
            run_id = tags.get(CONTEXT_TAG, "")
    return None


def run_of_model(root: Path, model_id: str) -> str | None:
    """The run that logged a model with an MLflow 3 client, or of the step whose script did; None if there is none."""
    with _reading(root) as db:
        row = db.execute(
            """
            SELECT COALESCE(NULLIF(source_run_id, ''), tag_value) FROM logged_models m
            LEFT JOIN logged_model_tags t ON t.model_id = m.model_id AND tag_key = ? WHERE m.model_id = ?""",
            (CONTEXT_TAG, model_id),
        ).fetchone()
    return row[0] if row else None


def run_of_trace(root: Path, trace_id: str) -> str | None:
    """The run in which a trace was recorded; None if there is none."""
    with _reading(root) as db:
        query = "SELECT value FROM trace_request_metadata WHERE request_id = ? AND key = 'mlflow.sourceRun'"
        row = db.execute(query, (trace_id,)).fetchone()
    return row[0] if row else None


@contextmanager
def _reading(root: Path) -> Iterator[sqlite3.Connection]:
    """Open MLflow's database for reading; if there is none yet, an empty one in memory."""
    path = database(root)
    if path.is_file():
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT)
    else:
        db = sqlite3.connect(":memory:")
        for table, columns in COLUMNS.items():
            db.execute(f"CREATE TABLE {table} ({columns})")
    with closing(db):
        yield db


def _id_from_name(name: str, attempt: int) -> int:
    from hashlib import sha256  # 3 ms, and most experiments have their id already

    digest = sha256(f"{attempt or ''}\0{name}".encode()).digest()
    return 1 + (int.from_bytes(digest[:8], "big") >> 12)


def _unclamped(value: float) -> float:
    """Undo MLflow's clamping: it stores infinity as the largest number."""
    return math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value


def _source(db: sqlite3.Connection, root: Path, storage: str, source: str) -> str:
    """The folder of a model version on this machine, found by resolving `models:/` and `runs:/`; else the URI."""
    for uri in filter(None, (storage, source)):
        folder = _local(root, _physical(db, uri))
        if folder:
            return str(folder)
    return source


def _physical(db: sqlite3.Connection, uri: str) -> str:
    kind, _, rest = uri.partition(":/")
    first, _, path = rest.lstrip("/").partition("/")
    row: tuple[str] | None = None
    if kind == "models":
        row = db.execute("SELECT artifact_location FROM logged_models WHERE model_id = ?", (first,)).fetchone()
    elif kind == "runs":
        row = db.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (first,)).fetchone()
    return f"{row[0]}/{path}".rstrip("/") if row else uri


def _local(root: Path, uri: str) -> Path | None:
    """The local place of an `mlflow-artifacts:/...` URI (with or without a host), a `file:` URI or an absolute path.

    None for any other URI.
    """
    kind, _, rest = uri.partition(":")
    if kind == "mlflow-artifacts":
        path = rest[2:].partition("/")[2] if rest.startswith("//") else rest.lstrip("/")
        return root / "jobs" / path
    if kind == "file":
        from urllib.parse import unquote, urlsplit  # 2 ms, for a rare case

        return root / unquote(urlsplit(uri).path)
    return root / uri if uri.startswith("/") else None
