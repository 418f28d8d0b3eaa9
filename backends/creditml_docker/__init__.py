"""The Docker backend: each step in a container of its environment's image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.engine.executor import LocalJobs
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.config import EnvironmentSettings
    from creditml.environments.wanted import Provider


def provider(settings: EnvironmentSettings, backend: Mapping[str, Any]) -> Provider:
    """What makes the images of environments; see `creditml_docker.images.DockerProvider`."""
    from creditml_docker.images import DockerProvider  # noqa: PLC0415  the engine's client takes 180 ms

    return DockerProvider(settings, backend)


class DockerExecutor(LocalJobs):
    """Runs jobs here, each step in a container of its own."""

    name = "docker"
    launcher = DockerLauncher
    provider = staticmethod(provider)


__all__ = ["DockerExecutor", "DockerLauncher"]
