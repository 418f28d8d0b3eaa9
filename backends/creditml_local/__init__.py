"""The local backend: runs steps as processes on this machine."""

from __future__ import annotations

from creditml.engine.local_jobs import LocalJobs
from creditml.entry_points import LOCAL
from creditml_local.launcher import LocalLauncher


class LocalExecutor(LocalJobs):
    """Runs jobs on this machine, each step as a process with its own child processes."""

    name = LOCAL
    launcher = LocalLauncher


__all__ = ["LocalExecutor"]
