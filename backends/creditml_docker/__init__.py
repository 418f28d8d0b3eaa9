"""The Docker backend: each step in a container of its environment's image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.engine.executor import LocalJobs
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from creditml.environments.wanted import Provider


class DockerExecutor(LocalJobs):
    """Runs jobs here, each step in a container of its own."""

    name = "docker"
    launcher = DockerLauncher
    isolated = True

    def provider(self) -> Provider:
        """What makes the images of environments; see `creditml_docker.images.DockerProvider`."""
        from creditml_docker.images import DockerProvider  # noqa: PLC0415  the engine's client takes 180 ms

        return DockerProvider(self.options.environments, self.options.backend)


__all__ = ["DockerExecutor", "DockerLauncher"]
