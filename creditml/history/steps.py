"""Finds a step of a job by its path or run id, for local jobs and jobs in Azure ML."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from creditml.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def started_step(
    job: str, step: str, look: Callable[[], tuple[bool, Iterable[tuple[str, str]]]], pause: float | None = None
) -> str:
    """The run id of a step.

    Args:
        job: The name of the job, for the message.
        step: The path of the step, or its run id.
        look: Returns whether the job has ended, and the path and run id of every step that was started.
        pause: Seconds between two calls of `look`, to wait until the step has started; None to look only once.

    Raises:
        NotFound: The step was not started.
    """
    while True:
        ended, steps = look()
        for path, run in steps:
            if step in (path, run):
                return run
        if ended or pause is None:
            message = f"The job '{job}' has not started a step '{step}'."
            raise NotFound(message)
        time.sleep(pause)
