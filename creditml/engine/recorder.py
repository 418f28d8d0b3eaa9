"""Recording how steps end: a step that wrote outputs is recorded as Completed when these have reached the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.engine.flush import Flusher
from creditml.engine.outcome import not_kept
from creditml.statuses import COMPLETED

if TYPE_CHECKING:
    from creditml.engine.journal import Journal
    from creditml.engine.outcome import Outcome
    from creditml.engine.progress import Progress
    from creditml.engine.run import Run
    from creditml.tracking import Tracking


class Recorder:
    """Register it with a selector, and `attend` when it is readable."""

    def __init__(self, journal: Journal, progress: Progress, tracking: Tracking) -> None:
        """Record in a journal; `tracking` is told that there is something new for MLflow."""
        self._journal, self._progress, self._tracking = journal, progress, tracking
        self._flusher = Flusher()
        self._unrecorded: list[tuple[Run, Outcome]] = []

    @property
    def pending(self) -> bool:
        """Whether outputs are being flushed."""
        return self._flusher.pending > 0

    def fileno(self) -> int:
        """Readable when outputs were flushed."""
        return self._flusher.fileno()

    def hurry(self) -> None:
        """Flush without waiting for further steps to end."""
        self._flusher.hurry()

    def ended(self, run: Run, outcome: Outcome) -> None:
        """A step has ended: record it now, or when its outputs are flushed."""
        if outcome.status == COMPLETED and outcome.outputs:
            self._flusher.submit(run, outcome)  # steps that need them start now all the same
        else:
            self._unrecorded.append((run, outcome))
            self._record()

    def attend(self) -> None:
        """Record the steps whose outputs were flushed."""
        for run, outcome, error in self._flusher.done():
            kept = outcome
            if error is not None:
                lost = not_kept(error, run.folder)
                self._progress.lost(run, lost)
                kept = lost._replace(outputs=outcome.outputs, metrics=outcome.metrics)
            self._unrecorded.append((run, kept))
        self._record()

    def finish(self) -> None:
        """Record all that has ended; waits for the disk."""
        self._record()
        self._flusher.hurry()
        while self._flusher.pending:
            self.attend()

    def close(self) -> None:
        """Let the thread that flushes end."""
        self._flusher.close()

    def _record(self) -> None:
        self._journal.steps_ended(self._unrecorded)
        self._unrecorded.clear()
        self._tracking.poke()
