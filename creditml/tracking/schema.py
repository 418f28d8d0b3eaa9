"""Creates MLflow's database, upgrades it after a backup, and opens it through MLflow.

A new database needs all of MLflow's migrations, which take about a second. The result depends only on MLflow's version,
so it is kept in the user's cache folder as a template and copied from there.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, cast

import mlflow.store.db.utils as mlflow_db
import sqlalchemy
from alembic.script import ScriptDirectory
from mlflow.server import handlers
from mlflow.version import VERSION

from creditml.cache import cache_folder
from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import Engine

_log = logging.getLogger("creditml.tracking")


def open_store(folder: Path) -> Engine:
    """Create or upgrade MLflow's database in `folder`, and configure MLflow to use it.

    Raises:
        CreditMLError: The database was written by a newer MLflow.
    """
    database = folder / "mlflow.db"
    if database.exists():
        _upgrade(database)
    else:
        _create(database)
    handlers.initialize_backend_stores()
    store = cast("SqlAlchemyStore", handlers._get_tracking_store())  # noqa: SLF001  there is no public function
    return store.engine


def _create(database: Path) -> None:
    draft = database.with_suffix(f".new{os.getpid()}")
    template = _template()
    try:
        shutil.copyfile(template, draft)
    except FileNotFoundError:
        _run_migrations(draft)
        _keep(draft, template)
    draft.replace(database)


def _keep(database: Path, template: Path) -> None:
    """Keep a copy as the template for the next workspace, if the user's cache folder can be written to."""
    draft = template.with_suffix(f".new{os.getpid()}")
    try:
        template.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(database, draft)
        draft.replace(template)
    except OSError as error:
        _log.warning("The template of MLflow's database can't be kept: %s", error)


def _template() -> Path:
    return cache_folder() / f"mlflow-{VERSION}.db"


def _upgrade(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        (found,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        config = mlflow_db._get_alembic_config("")  # type: ignore[no-untyped-call]  # noqa: SLF001  there is no public function
        scripts = ScriptDirectory.from_config(config)
        if found == scripts.get_current_head():
            return
        if found not in {script.revision for script in scripts.walk_revisions()}:
            message = (
                f"{database} was written by a newer MLflow than the installed version {VERSION}. "
                "Upgrade MLflow: pip install --upgrade mlflow"
            )
            raise CreditMLError(message)
        backup = database.with_name(f"mlflow-{found}.db")
        with closing(sqlite3.connect(backup)) as copy:
            db.backup(copy)
    _log.warning("MLflow %s upgrades %s; a backup of it is in %s", VERSION, database, backup)
    _run_migrations(database)


def _run_migrations(database: Path) -> None:
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: sqlite3.connect(database))
    mlflow_db._initialize_tables(engine)  # type: ignore[no-untyped-call]  # noqa: SLF001  there is no public function
    engine.dispose()
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode=WAL")  # so that readers (`creditml.tracking.store`) need not wait for writers
