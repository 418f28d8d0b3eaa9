"""What Azure ML would refuse: what shows in the job alone, and what only its workspace can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.workspace import Workspace
    from creditml_azureml.cloud import Cloud


def offline_problems(job: Job, workspace: Workspace) -> list[Problem]:  # noqa: ARG001  not built yet
    """What shows without a connection; `job` has its references to components resolved as far as they are known."""
    return []


def live_problems(job: Job, workspace: Workspace, cloud: Cloud) -> list[Problem]:  # noqa: ARG001  not built yet
    """What the workspace in Azure lacks of what the job names."""
    return []
