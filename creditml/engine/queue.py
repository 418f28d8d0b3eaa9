"""The queue of submitted jobs. Each waits in the process that will run it, before that process has grown large.

    queue/place-<number>      locked by the runner of a job that runs; there are as many as jobs may run at once
    queue/<time>.<job>        locked by the process of a job that waits; the names are in the order of arrival

The system gives back the locks of a process that dies, so nothing has to be cleaned up after it. A process that leaves
its place or the line wakes the first in the line. A process that is killed can't do that, so the first in the line also
looks by itself from time to time.

Jobs that somebody watches (`creditml run`) and jobs that a step of a running job submits take no place and don't wait:
that step may be waiting for its job, and would wait forever if its own job had the last place.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from creditml import locks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LEAST_PLACES = 2  # so that one long job doesn't block all others
_FIRST, _LATER = 1.0, 5.0  # seconds after which the first in the line, and the others, look by themselves
_PLACE = "place-"


class Position(NamedTuple):
    """A position in the line: the name of its file, and the descriptor whose lock holds it."""

    name: str
    descriptor: int


class Queue:
    """The places of a workspace, and the line before them."""

    def __init__(self, root: Path, places: int | None = None) -> None:
        """For the workspace folder `root`; `places` is how many jobs may run at once, by default one a processor."""
        self._folder = root / "queue"
        self.places = places or max(_LEAST_PLACES, os.cpu_count() or 1)

    def enter(self) -> int | None:
        """Take a place, if one is free and nobody waits for it; returns the descriptor that holds it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self._take() if self._head() is None else None

    def line_up(self, job: str) -> Position:
        """Become the last in the line."""
        name = f"{time.time_ns():020d}.{job}"
        draft = self._folder / f"new-{job}"
        descriptor = locks.wait_for(draft)
        draft.rename(self._folder / name)  # nobody sees it before it is locked
        return Position(name, descriptor)

    def first(self) -> str | None:
        """The job that is first in the line, if any waits."""
        head = self._head()
        return head.partition(".")[2] if head else None

    def wait(self, position: Position, wake: int, canceled: Callable[[], bool]) -> int | None:
        """Wait for a place, and leave the line; returns None if the job is to end instead.

        Args:
            position: that of the job.
            wake: a pipe that is readable when a place may be free, or the job was canceled.
            canceled: whether the job is to end; called when the pipe is readable.
        """
        place = None
        while True:
            ready = self._head() == position.name
            if ready and (place := self._take()) is not None:
                break
            if select.select([wake], [], [], _FIRST if ready else _LATER)[0]:
                with suppress(BlockingIOError):
                    os.read(wake, 4096)
                if canceled():
                    break
        (self._folder / position.name).unlink(missing_ok=True)
        os.close(position.descriptor)
        return place

    def _take(self) -> int | None:
        for number in range(self.places):
            descriptor = locks.take(self._folder / f"{_PLACE}{number}")
            if descriptor is not None:
                return descriptor
        return None

    def _head(self) -> str | None:
        positions = sorted(name for name in os.listdir(self._folder) if name[0].isdigit())
        return next((name for name in positions if self._is_held(name)), None)

    def _is_held(self, name: str) -> bool:
        """Whether a process still waits at a position; the file of one that was killed is removed."""
        path = self._folder / name
        if locks.is_held(path):
            return True
        path.unlink(missing_ok=True)  # nobody locks it again: its name tells the moment at which it was made
        return False
