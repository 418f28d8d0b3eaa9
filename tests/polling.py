"""Sets how often the watchers of a job ask for its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SECONDS = 0.2


def ask_often(patch: pytest.MonkeyPatch) -> None:
    """Let Azure's SDK, and our backend for Azure ML, ask five times a second.

    Their variable, AZUREML_RUN_POLLING_INTERVAL_MIN, would not do: the SDK reads it once, when it is imported, and
    fails at anything but whole seconds.
    """
    from azure.ai.ml.operations import _job_ops_helper

    from creditml_azureml import poller

    patch.setattr(_job_ops_helper, "_wait_before_polling", lambda _elapsed: SECONDS)
    patch.setattr(poller, "_LEAST_PAUSE", SECONDS)
