"""What a step that runs may use of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.engine.preparations import Preparations
    from creditml.engine.roots import Roots
    from creditml.plan import Plan
    from creditml.seams.executor import StepState
    from creditml.seams.launcher import Launcher
    from creditml.tracking import Tracking
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord


class Context(NamedTuple):
    """What a step's run gets instead of the runner.

    Attributes:
        workspace: Where the job is recorded, with its code and data.
        record: The job, as it was submitted.
        plan: The job's steps; those that are added while it runs appear here too.
        states: How each step stands now, by its path.
        outputs: Where the outputs of the steps that have ended are, by step and name.
        launcher: Starts commands.
        tracking: The way to MLflow's server.
        experiment_id: MLflow's id of the job's experiment.
        preparations: The steps' environments, and the variables that all steps get.
        roots: Folders to run in.
    """

    workspace: Workspace
    record: JobRecord
    plan: Plan
    states: Mapping[str, StepState]
    outputs: Mapping[tuple[str, str], str]
    launcher: Launcher
    tracking: Tracking
    experiment_id: str
    preparations: Preparations
    roots: Roots
