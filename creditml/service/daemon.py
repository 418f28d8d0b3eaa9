"""The service as a process of its own, which other processes find through the workspace.

    service/lock         held by the server as long as it runs
    service/server.json  its process id, its port, and the address of MLflow's server
    service/server.log   its output

Jobs outlive the server: each has a runner of its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from creditml import locks
from creditml.errors import BackendError
from creditml.secret_files import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 20.0  # seconds for a server to start, or to end


class Running(NamedTuple):
    """A running server; `tracking_uri` is the address of MLflow's."""

    pid: int
    port: int
    tracking_uri: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}"


def status(root: Path) -> Running | None:
    """The running server of the workspace folder `root`, if there is one."""
    if not _is_locked(root):
        return None
    try:
        return Running(**json.loads(_record(root).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def up(root: Path, port: int = 0) -> Running:
    """Start a server, unless one runs.

    Raises:
        BackendError: it can't start; the message says why.
    """
    found = status(root)
    if found is not None:
        return found
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "creditml.service.server", str(root), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd=folder,  # a module in the user's folder could replace one of ours
        )
    assert process.stdout is not None  # noqa: S101  a pipe was asked for
    ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
    process.stdout.readline() if ready else process.kill()
    process.stdout.close()
    found = status(root)
    if found is None:
        said = (folder / "server.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        message = f"The service can't start: {said[-1] if said else 'it did not answer in time'}"
        raise BackendError(message)
    return found


def down(root: Path) -> Running | None:
    """End the server, and return what it was; None if none ran. Jobs go on.

    Raises:
        BackendError: it doesn't end.
    """
    found = status(root)
    if found is None:
        return None
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while _is_locked(root):
        if time.monotonic() > deadline:
            message = f"The server (process {found.pid}) does not end."
            raise BackendError(message)
        time.sleep(0.05)
    return found


@contextmanager
def registered(root: Path, port: int, tracking_uri: str) -> Iterator[None]:
    """A context in which this process is the workspace's server, and can be found as such.

    Raises:
        BackendError: another one runs.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = locks.take(folder / "lock")
    if descriptor is None:
        message = "Another server serves this workspace already; `creditml status` shows it."
        raise BackendError(message)
    draft = folder / f"server.json.{os.getpid()}"
    try:
        draft.write_text(json.dumps(Running(os.getpid(), port, tracking_uri)._asdict()), encoding="utf-8")
        draft.replace(_record(root))
        yield
    finally:
        _record(root).unlink(missing_ok=True)
        os.close(descriptor)


def _record(root: Path) -> Path:
    return root / FOLDER / "server.json"


def _is_locked(root: Path) -> bool:
    return locks.is_held(root / FOLDER / "lock")
