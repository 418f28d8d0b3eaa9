"""The Docker backend: each step in a container of its environment's image."""

from __future__ import annotations

from creditml.engine.executor import LocalJobs
from creditml_docker.launcher import DockerLauncher


class DockerExecutor(LocalJobs):
    """Runs jobs here, each step in a container of its own."""

    name = "docker"
    launcher = DockerLauncher


__all__ = ["DockerExecutor", "DockerLauncher"]
