"""MLflow for the jobs of a workspace: an outbox that the runner writes, and one server that knows MLflow.

    outbox   what the runner wants MLflow to know, as rows in workspace.db          runner
    client   a listening socket; starts or joins the server when a step connects    runner
    lease    how runners and the server find each other                             both
    server   MLflow's application; drain and schema reach into its database         server process
    store    what MLflow has recorded, read without MLflow                          anyone
    mirror   a run's logged models, shown among its artifacts                       anyone
    ui       MLflow's pages                                                         anyone

Importing this package is cheap. MLflow is imported in the server's process only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.tracking.client import Tracking
from creditml.tracking.outbox import OUTBOX_DDL, Run, begin_run, end_run, run_context, tag_run
from creditml.tracking.store import (
    LoggedModel,
    RegisteredVersion,
    descendants,
    experiment_id,
    logged_models,
    metrics,
    registered_models,
)

if TYPE_CHECKING:
    from creditml.tracking.mirror import mirror_logged_models
    from creditml.tracking.ui import open_ui

__all__ = [
    "OUTBOX_DDL",
    "LoggedModel",
    "RegisteredVersion",
    "Run",
    "Tracking",
    "begin_run",
    "descendants",
    "end_run",
    "experiment_id",
    "logged_models",
    "metrics",
    "mirror_logged_models",
    "open_ui",
    "registered_models",
    "run_context",
    "tag_run",
]


def __getattr__(name: str) -> object:
    """Import what few need when it is needed."""
    if name == "mirror_logged_models":
        from creditml.tracking.mirror import mirror_logged_models

        return mirror_logged_models
    if name == "open_ui":
        from creditml.tracking.ui import open_ui

        return open_ui
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
