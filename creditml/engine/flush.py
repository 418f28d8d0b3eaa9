"""Flushing outputs to disk in a thread beside the loop: on a busy disk a flush takes longer than many a step."""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from creditml.engine.stage import flush_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from creditml.engine.outcome import Outcome
    from creditml.engine.run import Run

    Ended: TypeAlias = tuple[Run, Outcome]
    Flushed: TypeAlias = tuple[Run, Outcome, OSError | None]
    """A step with its outcome once its outputs are on disk, or with the error because of which they are not."""

_AT_ONCE = 3
_GATHERING = 0.5  # seconds: a flush holds up everybody who makes files at that time, so short steps share one


class Flusher:
    """One thread that flushes the outputs it is given, in that order."""

    def __init__(self) -> None:
        """The thread is started when there is something to flush."""
        self._todo: SimpleQueue[Ended | None] = SimpleQueue()
        self._done: SimpleQueue[Flushed] = SimpleQueue()
        self._read, self._write = os.pipe()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self.pending = 0

    def fileno(self) -> int:
        """Readable when something is done."""
        return self._read

    def submit(self, run: Run, outcome: Outcome) -> None:
        """Flush the outputs of a step."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self.pending += 1
        self._todo.put((run, outcome))

    def hurry(self) -> None:
        """From now on flush at once, instead of gathering the outputs of several steps first."""
        self._hurry.set()

    def done(self) -> list[Flushed]:
        """What was flushed since the last call. Waits if there is nothing, that is, if `fileno` is not readable."""
        count = len(os.read(self._read, 4096))
        self.pending -= count
        return [self._done.get() for _ in range(count)]

    def close(self) -> None:
        """Let the thread end."""
        if self._thread is not None:
            self._hurry.set()
            self._todo.put(None)
            self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _work(self) -> None:
        going_on = True
        while going_on:
            batch = [self._todo.get()]
            if batch[0] is not None:
                self._hurry.wait(_GATHERING)
            while not self._todo.empty():
                batch.append(self._todo.get())
            going_on = None not in batch
            for item in _flushed([item for item in batch if item is not None]):
                self._done.put(item)
                os.write(self._write, b".")


def _flushed(batch: list[Ended]) -> list[Flushed]:
    """Flush a batch. From a few steps on, one flush of all disks costs less than one for each file."""
    if len(batch) >= _AT_ONCE:
        os.sync()
        return [(run, outcome, None) for run, outcome in batch]
    return [(run, outcome, _flush(outcome.outputs)) for run, outcome in batch]


def _flush(places: Mapping[str, str]) -> OSError | None:
    try:
        flush_outputs(places)
    except OSError as error:
        return error
    return None
