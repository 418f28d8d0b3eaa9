"""Assets of the local workspace that a job names and the cloud lacks: they are registered there on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml.model import Job
    from creditml.workspace import Workspace
    from creditml_azureml.cloud import Cloud


def register(job: Job, workspace: Workspace, cloud: Cloud) -> list[str]:  # noqa: ARG001  not built yet
    """Register what the job names; returns what was done, a line each.

    Raises:
        SpecError: a name and version exists there with other content.
    """
    return []
