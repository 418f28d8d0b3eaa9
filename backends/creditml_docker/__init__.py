"""The Docker backend: each step in a container of its environment's image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.engine.executor import LocalJobs
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from creditml.environments.cache import Entry
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

    def prune_environments(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove images that were built for environments; Docker tells no more than when each was made."""
        from creditml_docker.engines import find_engine  # noqa: PLC0415  the engine's client takes 180 ms
        from creditml_docker.images import prune_images  # noqa: PLC0415  as above

        return prune_images(find_engine(), older_than, dry_run=dry_run)


__all__ = ["DockerExecutor", "DockerLauncher"]
