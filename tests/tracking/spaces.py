"""A workspace with real steps that log to MLflow."""

from __future__ import annotations

import json
import os
import select
import sqlite3
import subprocess
import sys
import textwrap
import time
import urllib.request
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil

from creditml import tracking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 60.0
"""Seconds after which a test fails that waits for an event."""


class Space:
    """A workspace folder, and the engine's actions on it that concern MLflow."""

    def __init__(self, root: Path) -> None:
        """Make the folder and its database."""
        self.root = root
        root.mkdir(parents=True)
        self.db = sqlite3.connect(root / "workspace.db", isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute(tracking.OUTBOX_DDL)

    def begin(self, name: str = "a step", *, parent: str | None = None, **changes: Any) -> str:
        """Begin a run and return its id."""
        run_id = changes.pop("run_id", None) or str(uuid.uuid4())
        experiment = changes.pop("experiment", "credit")
        run = tracking.Run(
            run_id=run_id,
            name=name,
            experiment=experiment,
            experiment_id=tracking.experiment_id(self.root, experiment),
            parent=parent,
            root=parent or run_id,
            start_time=1000,
            artifact_uri=f"mlflow-artifacts:/job/steps/{run_id}/artifacts",
            tags={"mlflow.user": "me"},
        )
        tracking.begin_run(self.db, run._replace(**changes))
        return run_id

    def end(self, run_id: str, status: Any = "FINISHED", end_time: int = 2000) -> None:
        """End a run."""
        tracking.end_run(self.db, run_id, status, end_time)

    def artifacts(self, run_id: str) -> Path:
        """The artifact folder of a run that `begin` began."""
        return self.root / "jobs" / "job" / "steps" / run_id / "artifacts"

    def outbox(self) -> list[str]:
        """The rows that have not been drained yet."""
        return [op for (op,) in self.db.execute("SELECT op FROM outbox ORDER BY seq")]

    def mlflow(self, query: str, *parameters: object) -> list[Any]:
        """The rows of a query on MLflow's database: plain values for one column, tuples for several."""
        with closing(sqlite3.connect(self.root / "mlflow" / "mlflow.db")) as db:
            rows = db.execute(query, parameters).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def status(self, run_id: str) -> str:
        """The status of a run."""
        (status,) = self.mlflow("SELECT status FROM runs WHERE run_uuid = ?", run_id)
        return str(status)

    def tags(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        return dict(self.mlflow("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))

    def server(self) -> int | None:
        """The process of the running server."""
        try:
            pid = json.loads((self.root / "mlflow" / "server.json").read_bytes()).get("pid")
        except FileNotFoundError:
            return None
        return pid if pid and self.alive(pid) else None

    @staticmethod
    def alive(pid: int) -> bool:
        """Whether a process exists and is not a zombie."""
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def log(self) -> str:
        """The server's log."""
        return (self.root / "mlflow" / "server.log").read_text()

    def environment(self, run_id: str, client: tracking.Tracking) -> dict[str, str]:
        """The environment variables for MLflow that a step gets."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        (root,) = self.mlflow_root(run_id)
        return {
            **clean,
            "MLFLOW_TRACKING_URI": client.uri,
            "MLFLOW_TRACKING_TOKEN": client.admit(run_id, root),
            "MLFLOW_RUN_ID": run_id,
            "MLFLOW_EXPERIMENT_ID": tracking.experiment_id(self.root, "credit"),
            "MLFLOW_EXPERIMENT_NAME": "credit",
            "MLFLOW_RUN_CONTEXT": tracking.run_context(run_id, root),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        }

    def mlflow_root(self, run_id: str) -> tuple[str]:
        """The root of a run, according to the outbox or MLflow."""
        for (payload,) in self.db.execute("SELECT payload FROM outbox WHERE op = 'begin'"):
            if json.loads(payload)["run_id"] == run_id:
                return (json.loads(payload)["root"],)
        return (self.tags(run_id)["mlflow.rootRunId"],)

    def script(
        self, source: str, run_id: str, client: tracking.Tracking, python: str = sys.executable
    ) -> subprocess.Popen[bytes]:
        """Start a step."""
        with (self.root / f"{run_id}.log").open("wb") as log:
            return subprocess.Popen(
                [python, "-c", textwrap.dedent(source)],
                env=self.environment(run_id, client),
                cwd=self.root,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    @staticmethod
    def until(condition: Callable[[], Any], *clients: tracking.Tracking) -> Any:
        """Call `attend` of the clients, as a runner does, until a condition is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < deadline, "it never came to be"
            readable, _, _ = select.select(clients, [], [], 0.02)
            for client in readable:
                client.attend()
        return value

    def finish(self, process: subprocess.Popen[bytes], *clients: tracking.Tracking) -> int:
        """Call `attend` of the clients until a step has ended; returns its exit code."""
        self.until(lambda: process.poll() is not None, *clients)
        return int(process.returncode)

    def ask(self, uri: str, path: str, *, body: Any = None, token: str | None = None, **headers: str) -> Any:
        """Ask a server (by POST if there is a body); what it answers, taken as JSON if it is that.

        By default the owner asks; an empty token is none.
        """
        data = None if body is None else json.dumps(body).encode()
        token = tracking.owner_secret(self.root) if token is None else token
        headers = {"Content-Type": "application/json", **headers}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(uri + path, data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def create(self, uri: str, **fields: Any) -> str:
        """Create a run as MLflow's clients do; returns its id."""
        body = {"experiment_id": "0", "start_time": 1, **fields}
        return str(self.ask(uri, "/api/2.0/mlflow/runs/create", body=body)["run"]["info"]["run_id"])

    def run(self, uri: str, run_id: str) -> Any:
        """A run's info from the server."""
        return self.ask(uri, f"/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]["info"]
