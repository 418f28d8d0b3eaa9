"""The workspace on disk: assets, jobs, snapshots and data, in the folder `.creditml/`.

workspace.db        assets and versions, jobs and their transitions, the outbox for MLflow
content/            content-addressed snapshots of code and uploaded data
datastores/<name>/  what stands for Azure's storage
jobs/<job>/         artifacts/ and outputs/ of the job; steps/<path>/ has the same for each step
mlflow/             MLflow's own store
reserve             room to record that the disk is full
"""

from __future__ import annotations

import os
import sys
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
UI_PORT = 5000


class Workspace:
    """A local Azure ML workspace."""

    def __init__(self, root: Path) -> None:
        """Use the folder `root`, which is made when something is first written."""
        self.root = root.absolute()
        self._database = Database(self.root / "workspace.db")
        self.reserve = Reserve(self.root)

    @classmethod
    def find(cls) -> Workspace:
        """The workspace of $CREDITML_HOME, else the nearest `.creditml` upward, else a new one in this folder."""
        if home := os.environ.get("CREDITML_HOME"):
            return cls(Path(home).expanduser())
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / FOLDER / "workspace.db").is_file():
                return cls(folder / FOLDER)
        return cls(here / FOLDER)

    @classmethod
    def existing(cls) -> Workspace:
        """As `find`, for those who only look things up.

        Raises:
            NotFound: there is no workspace.
        """
        found = cls.find()
        if not found.exists:
            message = (
                f"There is no workspace here ({found.root}); `creditml run FILE` makes one, "
                "and CREDITML_HOME may name one elsewhere."
            )
            raise NotFound(message)
        return found

    @property
    def exists(self) -> bool:
        """Whether anything was ever written to it."""
        return self._database.is_open or (self.root / "workspace.db").is_file()

    def create(self) -> Workspace:
        """Make the folder; git will not look into it."""
        if not self.exists:
            if self.root.exists() and not self.root.is_dir():
                message = (
                    f"The workspace {self.root} is a file; a workspace is a folder. Set CREDITML_HOME to another one."
                )
                raise CreditMLError(message)
            try:
                if not self.root.is_dir():  # a folder that was there keeps what it has
                    self.root.mkdir(parents=True, exist_ok=True)
                    (self.root / ".gitignore").write_text("*\n", encoding="utf-8")
                jobs = self.root / "jobs"
                if not jobs.is_dir():
                    jobs.mkdir(exist_ok=True)  # somebody else may be making the workspace, too
                    if sys.platform == "linux":
                        spread(jobs)
            except OSError as error:
                message = (
                    f"The workspace {self.root} can't be made: {error.strerror}. "
                    "Set CREDITML_HOME to a folder of yours."
                )
                raise CreditMLError(message) from error
        return self

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """Several changes as one; see `Database.transaction`."""
        return self.database.transaction(durable=durable)

    @property
    def database(self) -> Database:
        """The database, made if there is none."""
        self.create()
        return self._database

    @cached_property
    def assets(self) -> Assets:
        """Data, environments, components and models."""
        return Assets(self.database, self._registered_models)

    def registry(self, name: str) -> Assets:
        """The assets of a registry, as far as somebody has put them here; those of the workspace if `name` is empty."""
        return Assets(self.database, registry=name) if name else self.assets

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs and their children."""
        return Jobs(self.database, self.root / "jobs")

    @cached_property
    def content(self) -> Content:
        """Snapshots of code and data."""
        return Content(self.root / "content", self.root)

    @cached_property
    def data(self) -> DataPaths:
        """From Azure ML's paths to places on this machine."""
        return DataPaths(self.root, self.assets, self.jobs, self.content)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _registered_models(self, kind: str) -> Iterable[Asset]:
        """What MLflow's registry holds is a model of the workspace too."""
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


def tracking_page(root: Path, record: JobRecord) -> str:
    """Where `creditml ui` shows a job, or Azure ML's studio one that ran there."""
    if PAGE in record.properties:
        return record.properties[PAGE]
    experiment = tracking.experiment_id(root, record.experiment_name)
    return f"http://127.0.0.1:{UI_PORT}/#/experiments/{experiment}/runs/{record.name}"
