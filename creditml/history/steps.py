"""A step of a job by its name, wherever the job runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from creditml.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def started_step(
    job: str, step: str, look: Callable[[], tuple[bool, Iterable[tuple[str, str]]]], pause: float | None = None
) -> str:
    """The name of a step's run.

    Args:
        job: the job's name, for the message.
        step: the step's path, or the name of its run.
        look: says whether the job has ended, and then path and run of every step that was started.
        pause: seconds between two looks if a step that may yet start is to be waited for; None to look once.

    Raises:
        NotFound: no such step was started.
    """
    while True:
        ended, steps = look()
        for path, run in steps:
            if step in (path, run):
                return run
        if ended or pause is None:
            message = f"The job '{job}' has no step '{step}' that was started."
            raise NotFound(message)
        time.sleep(pause)
