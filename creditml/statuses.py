"""Azure ML's statuses of jobs and steps (SDK: `_run_history_constants`)."""

from __future__ import annotations

# Azure ML's job statuses (SDK: _run_history_constants).
TERMINAL = ("Completed", "Failed", "Canceled", "NotResponding", "Paused")
