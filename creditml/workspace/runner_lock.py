"""A job's lock and wake-up pipe: who holds it runs the job, and whoever finds it free knows that nobody does."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml import locks as lock

if TYPE_CHECKING:
    from pathlib import Path


class RunnerLock:
    """The lock of a job's folder, to be handed on to a child by its descriptor, and the pipe `wake` beside it."""

    def __init__(self, folder: Path, descriptor: int, pipe: int = -1) -> None:
        """Use `take` or `adopt`."""
        self.folder, self.descriptor = folder, descriptor
        self._pipe = pipe

    @classmethod
    def take(cls, folder: Path) -> RunnerLock | None:
        """Lock a job's folder; None if somebody else holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = lock.take(folder / "lock")
        if descriptor is None:
            return None
        with suppress(FileExistsError):
            os.mkfifo(folder / "wake", 0o600)
        return cls(folder, descriptor)

    @classmethod
    def adopt(cls, folder: Path, descriptor: int, pipe: int) -> RunnerLock:
        """Go on with the lock that a parent took, and the pipe that it opened."""
        for inherited in (descriptor, pipe):
            os.set_inheritable(inherited, False)  # noqa: FBT003  takes no keywords
        return cls(folder, descriptor, pipe)

    def fileno(self) -> int:
        """Readable when somebody rang."""
        if self._pipe < 0:
            # open for writing too, so that there is no end of file when the last caller has gone
            self._pipe = os.open(self.folder / "wake", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return self._pipe

    def drain(self) -> None:
        """Forget that somebody rang."""
        with suppress(BlockingIOError):
            while os.read(self._pipe, 4096):
                pass

    def let_go(self) -> None:
        """Close it, so that the job is seen to be lost."""
        if self._pipe >= 0:
            os.close(self._pipe)
        os.close(self.descriptor)

    def release(self) -> None:
        """Give the lock back; the pipe goes with it."""
        for name in ("wake", "lock"):
            (self.folder / name).unlink(missing_ok=True)
        self.let_go()


def is_held(folder: Path) -> bool:
    """Whether somebody runs the job."""
    return lock.is_held(folder / "lock")
