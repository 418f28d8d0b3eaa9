"""The statuses of jobs and steps in Azure ML's words (SDK: `_run_history_constants`), and MLflow's words for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    MLflowStatus = Literal["FINISHED", "FAILED", "KILLED"]

NOT_STARTED = "NotStarted"
QUEUED = "Queued"
PREPARING = "Preparing"
RUNNING = "Running"
FINALIZING = "Finalizing"
CANCEL_REQUESTED = "CancelRequested"
COMPLETED = "Completed"
FAILED = "Failed"
CANCELED = "Canceled"
NOT_RESPONDING = "NotResponding"
PAUSED = "Paused"

TERMINAL = (COMPLETED, FAILED, CANCELED, NOT_RESPONDING, PAUSED)
"""Statuses of ended jobs and steps, whose outputs can be downloaded. Local jobs and steps end in the first three."""

MLFLOW: Mapping[str, MLflowStatus] = {COMPLETED: "FINISHED", FAILED: "FAILED", CANCELED: "KILLED"}
"""MLflow's statuses, by the statuses in which local jobs and steps end."""
