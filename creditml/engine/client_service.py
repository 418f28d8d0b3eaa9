"""Access to the workspace for steps whose scripts make an MLClient of their own.

The server of `creditml.service` leads them there by variables alone. The runner of such a job starts one for its steps,
by its name, since that floor is above this one. It ends with the runner, however that ends: its standard input does.
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
"""What code names that makes a client."""

# A module in the user's folder must not be taken for another one.
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
            log: a file for what it prints, which is there afterwards only if it printed anything.
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
        """It serves, or has failed to."""
        self.failure: str | None = None
        """Why it doesn't serve."""
        self._variables: Mapping[str, str | None] = {}

    def fileno(self) -> int:
        """Readable when it is ready."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        return self._process.stdout.fileno()

    def attend(self) -> None:
        """Hear what it says."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        line = self._process.stdout.readline()
        self.ready = True
        if line:
            self._variables = json.loads(line)
        else:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = said[-1] if said else "it ended without a word"
            self.failure = f"The service can't start, so no MLClient of a step reaches the workspace: {reason}"

    def applied(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment with the variables that lead to the workspace, and without those that would lead elsewhere."""
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
