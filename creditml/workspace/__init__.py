"""The workspace on disk: assets, jobs, snapshots and data, in the folder `.creditml/`.

workspace.db        assets and their versions, jobs and their status changes, the outbox for MLflow
content/            snapshots of code and data, each in a folder named by the hash of its contents
datastores/<name>/  the local folder that stands for a datastore of Azure ML
jobs/<job>/         artifacts/ and outputs/ of the job; steps/<path>/ has the same two folders for each step
mlflow/             MLflow's own store
reserve             a file that is deleted when the disk is full, so that the failure can still be recorded
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.errors import CreditMLError, NotFound
from creditml.workspace.assets import Assets
from creditml.workspace.content import Content
from creditml.workspace.data import DataPaths
from creditml.workspace.database import Database
from creditml.workspace.disk import Reserve, spread
from creditml.workspace.jobs import Jobs
from creditml.workspace.records import PAGE, Asset

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from creditml.workspace.records import JobRecord

FOLDER = ".creditml"
_IGNORE_ALL = "*\n"
_CONTENTS = ("content", "datastores", "jobs", "mlflow", "queue", "service")
"""The folders of a workspace whose files other users of the machine must not read."""
UI_PORT = 5000


class Workspace:
    """A local Azure ML workspace."""

    def __init__(self, root: Path) -> None:
        """Use the folder `root`, which is created when something is written for the first time."""
        self.root = root.absolute()
        self._database = Database(self.root / "workspace.db")
        self.reserve = Reserve(self.root)

    @classmethod
    def find(cls) -> Workspace:
        """Find the workspace to use, which need not exist yet.

        It is $CREDITML_HOME if that is set, else the nearest `.creditml` in the current folder or a folder above it,
        else a new `.creditml` in the current folder.
        """
        if home := os.environ.get("CREDITML_HOME"):
            return cls(Path(home).expanduser())
        here = Path.cwd()
        for folder in (here, *here.parents):
            # of another user's workspace, which is closed, `Path.is_file` would raise an error
            if os.path.isfile(folder / FOLDER / "workspace.db"):
                return cls(folder / FOLDER)
        return cls(here / FOLDER)

    @classmethod
    def reading(cls) -> Workspace:
        """Find the workspace for a command that reads what there is, and makes no workspace where there is none."""
        found = cls.find()
        if not found.exists:
            found._database.in_memory = True  # noqa: SLF001  its own
        return found

    @classmethod
    def existing(cls) -> Workspace:
        """Find the workspace for a command that only reads it.

        Raises:
            NotFound: the workspace that `find` returns does not exist yet.
        """
        found = cls.find()
        if not found.exists:
            message = (
                f"There is no workspace here ({found.root}). `creditml run FILE` creates one; "
                "to use a workspace in another folder, set CREDITML_HOME to that folder."
            )
            raise NotFound(message)
        return found

    @property
    def exists(self) -> bool:
        """Whether the workspace has a database: anything that is written creates one."""
        if self._database.in_memory:
            return False
        return self._database.is_open or os.path.isfile(self.root / "workspace.db")

    def create(self) -> Workspace:
        """Make the workspace's folder if it doesn't exist, with a `.gitignore` that keeps it out of git.

        The workspace is closed to other users, also one that an earlier version of creditml left open.
        """
        if self._database.is_open or self._database.in_memory:
            return self
        if not self.exists:
            if self.root.exists() and not self.root.is_dir():
                message = (
                    f"The workspace {self.root} is a file, but a workspace must be a folder. "
                    "Set CREDITML_HOME to another path."
                )
                raise CreditMLError(message)
            try:
                if not self.root.is_dir():  # a folder that the user made gets no .gitignore
                    self.root.parent.mkdir(parents=True, exist_ok=True)
                    self.root.mkdir(mode=0o700, exist_ok=True)
                    (self.root / ".gitignore").write_text(_IGNORE_ALL, encoding="utf-8")
                (self.root / "datastores").mkdir(mode=0o700, exist_ok=True)
                jobs = self.root / "jobs"
                if not jobs.is_dir():
                    jobs.mkdir(
                        mode=0o700, exist_ok=True
                    )  # another process may be creating the workspace at the same time
                    if sys.platform == "linux":
                        spread(jobs)
            except OSError as error:
                message = (
                    f"The workspace {self.root} can't be created: {error.strerror}. "
                    "Set CREDITML_HOME to a folder that you can write to."
                )
                raise CreditMLError(message) from error
        self._close_to_others()
        return self

    def _close_to_others(self) -> None:
        """Take all rights to the workspace from other users of the machine.

        If its folder was made by the user, who may keep other files there, only what creditml put into it is closed.
        """
        made = self.root.name == FOLDER or _says(self.root / ".gitignore", _IGNORE_ALL)
        folders = [self.root] if made else [self.root / name for name in _CONTENTS]
        for path in (*folders, self._database.path):
            with suppress(OSError):  # it does not exist yet, or belongs to somebody else
                mode = stat.S_IMODE(os.stat(path).st_mode)
                if mode & 0o077:
                    os.chmod(path, mode & 0o700)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """Make several changes in one transaction; see `Database.transaction`."""
        return self.database.transaction(durable=durable)

    @property
    def database(self) -> Database:
        """The workspace's database; the workspace is created if it doesn't exist."""
        self.create()
        return self._database

    @cached_property
    def assets(self) -> Assets:
        """The workspace's own data, environments, components and models."""
        return Assets(self.database, self._registered_models)

    def registry(self, name: str) -> Assets:
        """The assets that users have created in the local stand-in for a registry.

        An empty `name` means the workspace's own assets.
        """
        return Assets(self.database, registry=name) if name else self.assets

    @cached_property
    def jobs(self) -> Jobs:
        """The records of jobs and their steps, and their folders."""
        return Jobs(self.database, self.root / "jobs")

    @cached_property
    def content(self) -> Content:
        """Snapshots of code and data."""
        return Content(self.root / "content", self.root)

    @cached_property
    def data(self) -> DataPaths:
        """Resolves Azure ML's paths to files and folders of this machine."""
        return DataPaths(self.root, self.assets, self.jobs, self.content)

    def close(self) -> None:
        """Close the database's connection."""
        self._database.close()

    def _registered_models(self, kind: str) -> Iterable[Asset]:
        """The versions in MLflow's model registry as assets: each of them is a model of the workspace too."""
        if kind != "model":
            return ()
        return [
            Asset(
                "model",
                model.name,
                str(model.version),
                {
                    "name": model.name,
                    "version": str(model.version),
                    "type": "mlflow_model",
                    "path": str(model.source),
                    "description": model.description,
                    "tags": dict(model.tags),
                    "job_name": model.run_id,
                },
                model.created,
                model.created,
            )
            for model in tracking.registered_models(self.root)
        ]


def _says(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def tracking_page(root: Path, record: JobRecord) -> str:
    """The address of a job's page: in Azure ML's studio if the job ran there, else in `creditml ui`."""
    if PAGE in record.properties:
        return record.properties[PAGE]
    experiment = tracking.experiment_id(root, record.experiment_name)
    return f"http://127.0.0.1:{UI_PORT}/#/experiments/{experiment}/runs/{record.name}"
