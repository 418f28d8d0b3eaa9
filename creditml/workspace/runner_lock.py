"""A job's lock, which its runner holds as long as it lives, and the pipe through which other processes wake the runner.

The system releases the lock when the runner dies, however that happens. So a job that is recorded as running, and whose
lock is free, has lost its runner.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml import locks

if TYPE_CHECKING:
    from pathlib import Path


class RunnerLock:
    """The lock of a job's folder and the pipe `wake` beside it; made by `take` or `adopt`.

    The lock belongs to an open descriptor, which a child process can inherit. So the process that submits a job hands
    the lock over to the job's runner without releasing it.
    """

    def __init__(self, folder: Path, descriptor: int, pipe: int = -1) -> None:
        self.folder, self.descriptor = folder, descriptor
        self._pipe = pipe

    @classmethod
    def take(cls, folder: Path) -> RunnerLock | None:
        """Lock a job's folder; None if another process holds the lock."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = locks.take(folder / "lock")
        if descriptor is None:
            return None
        with suppress(FileExistsError):
            os.mkfifo(folder / "wake", 0o600)
        return cls(folder, descriptor)

    @classmethod
    def adopt(cls, folder: Path, descriptor: int, pipe: int) -> RunnerLock:
        """Take over the lock and the pipe that the parent process opened, by their inherited descriptors."""
        for inherited in (descriptor, pipe):
            os.set_inheritable(inherited, False)  # noqa: FBT003  the function takes no keywords
        return cls(folder, descriptor, pipe)

    def fileno(self) -> int:
        """The pipe's descriptor, which becomes readable when another process wakes the runner."""
        if self._pipe < 0:
            # Open for writing too: otherwise the pipe would be readable (at its end) when the last writer closes it.
            self._pipe = os.open(self.folder / "wake", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return self._pipe

    def drain(self) -> None:
        """Empty the pipe, so that it becomes readable only at the next wake-up."""
        with suppress(BlockingIOError):
            while os.read(self._pipe, 4096):
                pass

    def let_go(self) -> None:
        """Close the lock but leave its file, so that other processes see that the job has lost its runner."""
        if self._pipe >= 0:
            os.close(self._pipe)
        os.close(self.descriptor)

    def release(self) -> None:
        """Remove the files of the lock and of the pipe, and close both."""
        for name in ("wake", "lock"):
            (self.folder / name).unlink(missing_ok=True)
        self.let_go()


def is_held(folder: Path) -> bool:
    """Whether the job with this folder has a runner."""
    return locks.is_held(folder / "lock")
