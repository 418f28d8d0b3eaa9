"""The workspace's database: one SQLite file in WAL mode, with a schema version and migrations.

By default a commit returns when it has reached the disk (`synchronous=FULL`). A network file system is refused: WAL
needs memory that all processes with the database open share, and processes on different machines share none.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError
from creditml.tracking.outbox import OUTBOX_DDL
from creditml.workspace.disk import is_full

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 60.0  # seconds to wait for another process that is writing
_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "afpfs",
    "webdav",
    "9p",
    "fuse.sshfs",
    "ncpfs",
    "lustre",
}

_ASSETS = """
    CREATE TABLE containers (
        registry TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL, name TEXT NOT NULL,
        next_version INTEGER NOT NULL DEFAULT 1, archived INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (registry, kind, name)) WITHOUT ROWID;
    CREATE TABLE assets (
        seq INTEGER PRIMARY KEY, registry TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL, name TEXT NOT NULL,
        version TEXT NOT NULL, spec TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL,
        archived INTEGER NOT NULL DEFAULT 0,
        UNIQUE (registry, kind, name, version), FOREIGN KEY (registry, kind, name) REFERENCES containers);
"""
_SCHEMA = f"""
    {_ASSETS}
    CREATE TABLE jobs (
        name TEXT PRIMARY KEY, parent TEXT, root TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL,
        display_name TEXT, experiment_name TEXT NOT NULL, status TEXT NOT NULL, spec TEXT NOT NULL,
        backend TEXT NOT NULL,
        created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, exit_code INTEGER, error TEXT,
        tags TEXT NOT NULL DEFAULT '{{}}', properties TEXT NOT NULL DEFAULT '{{}}',
        results TEXT NOT NULL DEFAULT '{{}}',
        archived INTEGER NOT NULL DEFAULT 0, cancel_requested INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX jobs_by_parent ON jobs (parent, created_at);
    CREATE INDEX jobs_by_root ON jobs (root);
    CREATE TABLE transitions (
        seq INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs, status TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE INDEX transitions_by_job ON transitions (job, seq);
    {OUTBOX_DDL};
"""
# Statements from each schema version to the next; a new workspace gets the current schema at once.
_MIGRATIONS = (
    f"""
    ALTER TABLE assets RENAME TO old_assets;
    ALTER TABLE containers RENAME TO old_containers;
    {_ASSETS}
    INSERT INTO containers (kind, name, next_version, archived)
        SELECT kind, name, next_version, archived FROM old_containers;
    INSERT INTO assets (seq, kind, name, version, spec, created_at, modified_at, archived)
        SELECT seq, kind, name, version, spec, created_at, modified_at, archived FROM old_assets;
    DROP TABLE old_assets;
    DROP TABLE old_containers;
    """,  # noqa: S608  constants of ours
)
_VERSION = 1 + len(_MIGRATIONS)


class Database:
    """A connection to the database file `path`, opened when it is first needed.

    With `in_memory` it is an empty database in place of the file, which doesn't exist and is not made.
    """

    def __init__(self, path: Path, *, in_memory: bool = False) -> None:
        self.path, self.in_memory = path, in_memory
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection; the schema has been brought up to date.

        Raises:
            CreditMLError: the database can't be used; the message says why and what to do.
        """
        if self._connection is None:
            self._connection = _open_in_memory(self.path) if self.in_memory else _open(self.path)
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    def check(self) -> None:
        """Open the database to see whether it can be used.

        Raises:
            CreditMLError: it can't be used; the message says why and what to do.
        """
        assert self.connection  # noqa: S101  only names the property, which opens the database

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Commit all changes made in the `with` block, or none if it raises; waits for another process that is writing.

        Args:
            durable: whether the commit waits for the disk. If not, other processes see the changes at once, but after a
                power failure they may be lost until the next durable transaction has been committed.
        """
        db = self.connection
        if db.in_transaction:
            yield db
            return
        if not durable:
            db.execute("PRAGMA synchronous=NORMAL")
            try:
                with self.transaction():
                    yield db
            finally:
                db.execute("PRAGMA synchronous=FULL")
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            _roll_back(db)
            raise

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open_in_memory(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    _migrate(db, path)
    return db


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        _refuse_network_file_system(path.parent)
        with suppress(OSError):  # SQLite says better what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous=NORMAL")  # faster while the schema is made, when no data can be lost yet
        if _wal(db) != "wal":
            message = (
                f"{path.parent} is on a file system where SQLite's write-ahead log does not work; "
                "set CREDITML_HOME to a folder on a local disk."
            )
            raise CreditMLError(message)
        _migrate(db, path)
        db.execute("PRAGMA synchronous=FULL")
    except sqlite3.DatabaseError as error:
        raise CreditMLError(trouble(path, error)) from error
    return db


def trouble(path: Path, error: sqlite3.Error) -> str:
    """A message for an error of SQLite that says what is wrong with the database and what to do."""
    said = str(error)
    if "is full" in said or ("I/O" in said and is_full(path.parent)):
        return (
            f"There is no space left on the disk of {path}. Free some space and try again; "
            "what was recorded before is safe."
        )
    if "unable to open" in said or "readonly" in said:
        return f"{path} can't be opened for writing: {error}. Set CREDITML_HOME to a folder that you can write to."
    if "locked" in said:
        return (
            f"{path} has been locked by another process for {_PATIENCE:.0f} seconds. "
            "Try again when that process has ended."
        )
    return (
        f"{path} can't be used as a workspace database: {error}. "
        "Move its folder away, or set CREDITML_HOME to another folder."
    )


def _wal(db: sqlite3.Connection) -> str:
    """Switch to WAL and return the mode in force, waiting for a process that is switching too (SQLite doesn't wait)."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return str(db.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:  # noqa: PERF203  the loop hardly ever runs twice
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        message = (
            f"{path} was made by a newer creditml (schema {version}, this one knows {_VERSION}). Upgrade creditml."
        )
        raise CreditMLError(message)
    if version == _VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
        for statements in _MIGRATIONS[version - 1 :] if version else (_SCHEMA,):
            for statement in filter(str.strip, statements.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA user_version={_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # after some errors, such as a full disk, SQLite has already rolled back by itself
        db.execute("ROLLBACK")


def _refuse_network_file_system(folder: Path) -> None:
    kind = _file_system(folder.resolve())
    if kind in _NETWORK_FILE_SYSTEMS:
        message = (
            f"{folder} is on a network file system ({kind}), where SQLite's write-ahead log does not work; "
            "set CREDITML_HOME to a folder on a local disk."
        )
        raise CreditMLError(message)


def _file_system(folder: Path) -> str:
    if not sys.platform.startswith("linux"):
        return ""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, mount, name, *_ = line.split(" ")
        mount = mount.replace("\\040", " ")
        if len(mount) >= len(best) and (folder == Path(mount) or Path(mount) in folder.parents):
            best, kind = mount, name
    return kind
