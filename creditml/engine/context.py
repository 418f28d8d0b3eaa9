"""What a step that runs may use of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from creditml import tracking
from creditml.engine.preparations import Preparations
from creditml.engine.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.engine.progress import Progress
    from creditml.seams.executor import StepState
    from creditml.seams.launcher import Launcher
    from creditml.submission.options import Options
    from creditml.submission.submit import Submitted
    from creditml.workspace import Workspace


class Context:
    """What a step's run gets instead of the runner. Nothing in it is ever replaced.

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

    def __init__(
        self, job: Submitted, workspace: Workspace, launcher: Launcher, options: Options, progress: Progress
    ) -> None:
        """Open what the steps of a job need."""
        self.workspace: Final = workspace
        self.record: Final = job.record
        self.plan: Final = progress.plan
        self.states: Final[Mapping[str, StepState]] = progress.states
        self.outputs: Final[Mapping[tuple[str, str], str]] = progress.outputs
        self.launcher: Final = launcher
        self.tracking: Final = tracking.Tracking(workspace.root, allowed_hosts=launcher.hosts)
        self.experiment_id: Final = tracking.experiment_id(workspace.root, job.record.experiment_name)
        self.preparations: Final = Preparations(job, workspace, launcher, self.tracking, options)
        self.roots: Final = Roots(workspace.jobs.folder(job.record) / "cr")
