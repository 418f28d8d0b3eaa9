"""The Docker backend: runs each step in a container of its environment's image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.engine.local_jobs import LocalJobs
from creditml.entry_points import DOCKER
from creditml.errors import BackendError
from creditml.findings import Findings
from creditml_docker.arguments import read_resources
from creditml_docker.launcher import DockerLauncher
from creditml_docker.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.environments.cache import Entry
    from creditml.environments.wanted import Provider
    from creditml.errors import Problem
    from creditml.plan import Plan
    from creditml_docker.settings import Settings


class DockerExecutor(LocalJobs):
    """Runs jobs on this machine, each step in its own container."""

    name = DOCKER
    launcher = DockerLauncher
    isolated = True

    def plan_problems(self, planned: Plan) -> list[Problem]:
        """The problems of the plan's environments, and the resources that a container can't get."""
        findings, settings = Findings(planned.job), read_settings(self.options.backend)
        for step in planned.steps.values():
            refusal = _refusal(step.resources, settings)
            if refusal:
                findings.error((*step.origin, "resources"), refusal)
        return [*super().plan_problems(planned), *findings.problems]

    def provider(self) -> Provider:
        """The provider of images for environments; see `creditml_docker.images.DockerProvider`."""
        from creditml_docker.images import DockerProvider  # the engine's client takes 180 ms

        return DockerProvider(self.options.environments, self.options.backend)

    def prune_environments(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove images that were built for environments; their age counts from the build, as Docker records no use."""
        from creditml_docker.engines import find_engine  # the engine's client takes 180 ms
        from creditml_docker.images import prune_images

        return prune_images(find_engine(), older_than, dry_run=dry_run)


def _refusal(resources: Mapping[str, Any], settings: Settings) -> str:
    """Why a container can't get a step's resources; empty if it can."""
    try:
        read_resources(resources, settings)
    except BackendError as error:
        return str(error)
    return ""


__all__ = ["DockerExecutor", "DockerLauncher"]
