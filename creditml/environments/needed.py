"""Finds, before any environment is built, the environments of a job that can't be built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.environments.lookup import look_up
from creditml.errors import CreditMLError
from creditml.findings import Findings

if TYPE_CHECKING:
    from creditml.config import EnvironmentSettings
    from creditml.errors import Problem
    from creditml.plan import Plan
    from creditml.workspace import Workspace


def needed_problems(
    plan: Plan, workspace: Workspace, settings: EnvironmentSettings, *, isolated: bool
) -> list[Problem]:
    """An error for each environment that is not known, and for each step without an environment that needs one.

    Args:
        plan: The job's plan.
        workspace: The workspace in which environments are registered.
        settings: How steps get their environments.
        isolated: Whether each step needs an image to run in; otherwise steps without an environment run on the host.
    """
    findings, seen = Findings(plan.job), set[str]()
    for step in plan.steps.values():
        environment, path = step.component.environment, (*step.origin, "component", "environment")
        if environment is None:
            if isolated:
                message = (
                    "The step has no 'environment', but a container needs one for its image: add an 'environment'."
                )
                findings.error(path[:-1], message)
            continue
        key = environment if isinstance(environment, str) else repr(environment)
        if key in seen:
            continue
        seen.add(key)
        try:
            wanted = look_up(environment, workspace, settings)
        except CreditMLError as error:
            findings.error(path, str(error))
            continue
        if isolated and not wanted.image and wanted.build is None:
            message = f"The environment {wanted.title} has neither an image nor a build context: give it one of them."
            findings.error(path, message)
        elif not isolated and not wanted.packages and wanted.mode != "host":
            what = "a build context" if wanted.build else "an image without a conda file"
            message = f"The environment {wanted.title} consists of {what}, so only Docker knows its packages"
            mend = "The step runs with the packages of this Python; --backend docker runs it in the image"
            findings.error(path, f"{message}. {mend}.", warning=not settings.strict)
    return findings.problems
