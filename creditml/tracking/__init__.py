"""MLflow tracking for the jobs of a workspace.

Importing MLflow takes more than a second, so the runner never does. It writes what MLflow should record to an outbox (a
table in workspace.db), and one server process per workspace, which imports MLflow, records it.

    module   what it does                                                           where it runs
    access   the owner's secret and the steps' tokens                               runner and server
    outbox   rows in workspace.db: what the runner wants MLflow to record           runner
    client   the listening socket; starts or joins the server when a step connects  runner
    lease    how runners and the server find each other and exchange messages       runner and server
    server   MLflow's application; drain and schema access its database             server
    gate     lets in whoever has the secret, a token or the browser's cookie        server
    reach    what those may read and change                                         server
    store    reads MLflow's database without importing MLflow                       any process
    mirror   copies a run's logged models to its artifacts                          any process
    ui       serves MLflow's pages                                                  any process
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.tracking.access import ACCESS, owner_secret
from creditml.tracking.access import variables as access_variables
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
    "ACCESS",
    "OUTBOX_DDL",
    "LoggedModel",
    "RegisteredVersion",
    "Run",
    "Tracking",
    "access_variables",
    "begin_run",
    "descendants",
    "end_run",
    "experiment_id",
    "logged_models",
    "metrics",
    "mirror_logged_models",
    "open_ui",
    "owner_secret",
    "registered_models",
    "run_context",
    "tag_run",
]


def __getattr__(name: str) -> object:
    """Import rarely used functions only when they are used."""
    if name == "mirror_logged_models":
        from creditml.tracking.mirror import mirror_logged_models

        return mirror_logged_models
    if name == "open_ui":
        from creditml.tracking.ui import open_ui

        return open_ui
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
