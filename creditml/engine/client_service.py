"""Access to the workspace for steps whose scripts make an MLClient of their own.

The runner of such a job starts a server of `creditml.service` for its steps, whose variables lead every MLClient there.
It starts it as a process, by the name of its module, since that package is on a floor above this one and must not be
imported here. The server ends when its standard input is closed, so it ends with the runner, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMES = frozenset({b"azure.ai.ml", b"MLClient"})
"""Words in code that makes a client."""

# Without the current folder in `sys.path`, where a user's file may have the name of a module that the server needs.
_START = (
    "import sys; sys.path = [*filter(None, sys.path)]; from creditml.service.attached import main; main(*sys.argv[1:])"
)
_PATIENCE = 10.0  # seconds for a server to end


class ClientService:
    """A server for the steps of one runner. Register it with a selector, and `attend` when it is readable."""

    def __init__(self, root: Path, tracking_uri: str, path: str, log: Path) -> None:
        """Start it; returns at once.

        Args:
            root: the workspace's folder.
            tracking_uri: where the steps' MLflow server is.
            path: the steps' PATH, to which it adds.
            log: a file for what it prints; removed at the end if it printed nothing.
        """
        import subprocess  # 3 ms, and few jobs need a server

        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(root), tracking_uri],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={**os.environ, "PATH": path},
                start_new_session=True,  # Ctrl-C is the runner's affair
            )
        self.ready = False
        """Whether it serves or has failed."""
        self.failure: str | None = None
        """Why it doesn't serve."""
        self._variables: Mapping[str, str | None] = {}

    def fileno(self) -> int:
        """Readable when it is ready."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        return self._process.stdout.fileno()

    def attend(self) -> None:
        """Read what it says about itself: the variables for the steps, or nothing if it has failed."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        line = self._process.stdout.readline()
        self.ready = True
        if line:
            self._variables = json.loads(line)
        else:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = said[-1] if said else "it ended without a message"
            self.failure = f"The service can't start, so no MLClient of a step reaches the workspace: {reason}"

    def applied(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment with the variables that lead to this workspace, without those that lead to another one."""
        merged = {**environment, **self._variables}
        return {name: value for name, value in merged.items() if value is not None}

    def close(self) -> None:
        """End it."""
        import subprocess

        process = self._process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not self._log.stat().st_size:
            self._log.unlink()
