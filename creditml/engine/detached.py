"""A runner in a process of its own: how it waits for its turn.

As long as it waits it imports almost nothing, so that hundreds of such processes take little memory.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from creditml.engine.queue import Position
from creditml.engine.runner_start import JOB_VARIABLE, NONE, Start
from creditml.signals import heeded
from creditml.workspace.runner_lock import RunnerLock


def main(words: list[str]) -> int:
    """The main function of a detached runner."""
    start = Start.parse(words)
    lock = RunnerLock.adopt(Path(start.root, "jobs", start.job), start.lock, start.wake)
    place: int | None = start.place
    if start.place != NONE:
        os.set_inheritable(start.place, False)  # noqa: FBT003  takes no keywords
    if start.position:
        place = _wait(start)
    os.environ[JOB_VARIABLE] = start.job
    from creditml.engine.detached_run import run_detached

    return run_detached(start, lock, None if place == NONE else place)


def _wait(start: Start) -> int | None:
    """Wait for a place; None if the job was canceled, or somebody ends this process, who means the job."""
    received: list[int] = []

    def receive(number: int, _frame: object) -> None:
        received.append(number)
        os.write(start.wake, b"!")

    def canceled() -> bool:
        from creditml.workspace import Workspace

        workspace = Workspace(Path(start.root))
        try:
            if received:
                workspace.jobs.request_cancel(start.job)
            return workspace.jobs.cancel_requested(start.job)
        finally:
            workspace.close()

    before = {number: signal.signal(number, receive) for number in heeded()}
    place = start.queue.wait(Position(start.position, start.place), start.wake, canceled)
    for number, handler in before.items():
        signal.signal(number, handler)
    if received:
        canceled()
    return place
