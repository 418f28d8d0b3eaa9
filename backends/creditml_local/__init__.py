"""The local backend: steps as subprocesses of this machine."""

from __future__ import annotations

from creditml.engine.local_jobs import LocalJobs
from creditml.entry_points import LOCAL
from creditml_local.launcher import LocalLauncher


class LocalExecutor(LocalJobs):
    """Runs jobs here, each step as a process tree of its own."""

    name = LOCAL
    launcher = LocalLauncher


__all__ = ["LocalExecutor"]
