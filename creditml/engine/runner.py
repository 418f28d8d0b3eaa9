"""The runner: one process that runs one job, in one selector loop.

It starts steps as their inputs are ready, watches them, the tracking server and requests to cancel, and records every
transition. Nobody is called back: whoever wants to show something calls `advance` and looks at `states`.
"""

from __future__ import annotations

import gc
import os
import selectors
import threading
import time
from typing import TYPE_CHECKING

from creditml.engine.context import Context
from creditml.engine.journal import Journal
from creditml.engine.progress import Progress
from creditml.engine.recorder import Recorder
from creditml.engine.running import RunningSteps
from creditml.engine.schedule import Schedule
from creditml.errors import CreditMLError
from creditml.signals import Signals
from creditml.statuses import CANCEL_REQUESTED, CANCELED, COMPLETED, FAILED, NOT_STARTED, RUNNING, TERMINAL
from creditml.workspace.disk import full_disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from creditml.engine.outcome import Outcome
    from creditml.engine.run import Run
    from creditml.plan import Plan, PlannedStep
    from creditml.seams.executor import StepState
    from creditml.seams.launcher import Launcher
    from creditml.submission.options import Options
    from creditml.submission.submit import Submitted
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

_SYNC = 20.0  # seconds for MLflow's server to take the last statuses


class Runner:
    """Runs a submitted job. Use as a context manager, and call `advance` until it returns False."""

    last_words = "steps are asked to end; Ctrl-C again kills them"

    def __init__(self, job: Submitted, workspace: Workspace, launcher: Launcher, options: Options) -> None:
        """Get ready to run a job, whose lock this process holds."""
        self._progress = Progress(job.plan)
        self._context = Context(job, workspace, launcher, options, self._progress)
        self._journal = Journal(workspace, job.record, self.plan, self._context.experiment_id)
        self._recorder = Recorder(self._journal, self._progress, self._context.tracking)
        self._schedule = Schedule(job.plan, go_on=job.plan.job.settings.continue_on_step_failure is not False)
        self._running = RunningSteps(self._context, max(1, options.max_parallel or os.cpu_count() or 1))
        self._lock = job.lock
        self._killed = self._closed = False
        self.status = NOT_STARTED
        self.reason: str | None = None
        """Why no step could start."""
        self.warnings: list[str] = self._context.preparations.warnings
        self.interrupted = False

    @property
    def record(self) -> JobRecord:
        """The job, as it was submitted."""
        return self._context.record

    @property
    def plan(self) -> Plan:
        """Its steps."""
        return self._progress.plan

    @property
    def states(self) -> Mapping[str, StepState]:
        """How each step stands now, by its path."""
        return self._progress.states

    @property
    def measured(self) -> bool:
        """Whether steps may have logged metrics."""
        return self._context.tracking.used

    def __enter__(self) -> Self:
        """Take the signals, and begin the job."""
        gc.freeze()  # what is imported now is never freed, so the collector need not look at it
        self._signals = Signals()
        self._listen()
        try:
            self._begin()
        except BaseException as error:
            if not self.__exit__(type(error), error, error.__traceback__):
                raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """End the job if it hasn't ended. Whatever happened, no process is left and the job has a final status.

        Returns:
            Whether the error was a full disk. It has made the job fail, so nobody else has to handle it.
        """
        full = full_disk(error, self._context.workspace.root)
        try:
            if full:
                self._abandon(full)
            elif self.status not in TERMINAL:
                self.cancel(force=True)
                while self._running or self._recorder.pending:
                    self.advance(1.0)
                self._end()
        finally:
            self._close()
        return bool(full)

    def advance(self, timeout: float = 3600.0) -> bool:
        """Start what can be started and wait at most `timeout` seconds for an event; False when the job has ended."""
        if self.status in TERMINAL:
            return False
        began = self._fill()
        if self._schedule.done and not self._recorder.pending:
            self._end()
            return False
        if self._schedule.done:
            self._recorder.hurry()
            self._context.launcher.close()
        self._look_ahead()
        # what has begun is to be shown at once
        for key, _ in self._running.selector.select(0.0 if began else self._patience(timeout)):
            key.data()
        if self._journal.due is not None and time.monotonic() >= self._journal.due:
            self._journal.write()
        self._fill()  # before the caller shows anything
        for run in self._running:
            if run.deadline is not None and time.monotonic() >= run.deadline:
                run.overdue()
                self._abandon_if_ended(run)
        return True

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps that were added, have begun or ended since the last call."""
        return self._progress.changes()

    def messages(self) -> list[str]:
        """Messages for the user about environments that are made, since the last call."""
        return self._context.preparations.messages()

    def add(self, steps: Sequence[PlannedStep]) -> None:
        """Run further steps, while others still run or wait.

        They may need steps that are known already, and their environments must be those of such steps. One that needs
        a step that failed or was skipped is skipped.

        Raises:
            ValueError: a step is known already or needs one that isn't, or the last step has ended.
        """
        if self._schedule.done:
            message = "No step can be added to a job whose last step has ended."
            raise ValueError(message)
        skipped = self._schedule.add(steps)
        self._progress.add(steps)
        self._journal.add(steps)
        self._skipped(skipped)

    def cancel(self, *, force: bool = False) -> None:
        """End the job: steps are asked to end, and killed after a grace, or at once by force."""
        if not self._canceled:
            self.status = CANCEL_REQUESTED
            self._context.workspace.jobs.transit(self.record.name, self.status)
            self._journal.note("Experiment cancel requested, checking remained jobs...")
            self._context.preparations.cancel()
            self._stop()
        if force and not self._killed:
            self._killed = True
            for run in self._running:
                run.kill()
                self._abandon_if_ended(run)

    @property
    def _canceled(self) -> bool:
        return self.status == CANCEL_REQUESTED

    # -- beginning and end

    def _listen(self) -> None:
        listen = self._running.selector.register
        listen(self._signals, selectors.EVENT_READ, self._on_signal)
        listen(self._lock.fileno(), selectors.EVENT_READ, self._on_wake)
        listen(self._recorder.fileno(), selectors.EVENT_READ, self._recorder.attend)
        listen(self._context.tracking.fileno(), selectors.EVENT_READ, self._on_tracking)

    def _begin(self) -> None:
        self._context.workspace.reserve.make()
        self._journal.begin()
        self.status = RUNNING
        try:
            self._context.preparations.begin(self._running.selector)
        except CreditMLError as error:
            self._give_up(str(error))
        self._on_wake()

    def _give_up(self, reason: str) -> None:
        """No step can start: the job fails."""
        self.reason = reason
        self._journal.note(f"Environment preparation failed. {reason}")
        self._stop()

    def _end(self) -> None:
        if self._canceled:
            self.status = CANCELED
        else:
            self.status = FAILED if self.reason else self._progress.status()
        self._look_ahead()
        closing = threading.Thread(target=self._tidy)  # beside the record's flush, which takes as long
        closing.start()
        self._journal.end(self.status, self.states, self._progress.outputs, self.reason)
        closing.join()
        mlflow = self._context.tracking
        if not mlflow.sync(_SYNC):
            self.warnings.append(
                "MLflow's server did not take the last statuses in time; it will when it is next started."
            )
        if mlflow.failure:
            self.warnings.append(mlflow.failure)

    def _tidy(self) -> None:
        self._context.roots.close()
        self._context.launcher.close()

    def _abandon(self, why: str) -> None:
        """End the job, since the disk is full. What steps wrote by half is removed, which makes room for the record."""
        self._context.launcher.close()  # or what runs would fill that room too
        self._context.roots.drop(self._journal.places())
        self._context.workspace.reserve.release()
        self._recorder.finish()  # there was no room for some of it
        self.status = self._journal.abandon({"code": "DiskFull", "message": why}, self._progress.states)

    def _close(self) -> None:
        if self._closed:  # it could not begin
            return
        self._closed = True
        self._signals.close()
        self._tidy()
        self._recorder.close()
        self._context.preparations.close()
        self._context.tracking.close()
        self._running.selector.close()
        self._lock.release()
        if self._running.abandoned:
            from creditml.workspace.download import remove_partial  # 3 ms, and hardly ever needed

            remove_partial()

    # -- steps

    def _fill(self) -> bool:
        """Start as many steps as may run; returns whether any was started."""
        began = False
        preparations = self._context.preparations
        if preparations.failure and self.reason is None:
            self._give_up(preparations.failure)
        if preparations.waiting:
            return began
        while not self._running.full and (path := self._schedule.take()) is not None:
            self._start(path)
            began = True
        return began

    def _look_ahead(self) -> None:
        """Clear up after the steps that have ended and prepare the next one, while others run."""
        self._context.roots.clear()
        self._running.prepare(self._schedule.upcoming() if self._running else None)

    def _start(self, path: str) -> None:
        run = self._running.make(path)
        self._progress.began(run)
        self._journal.step_began(run)
        # where there is a server already, it must know the run before the step can ask for it
        if self._context.tracking.started or self._context.preparations.serving:
            self._journal.write()
        run.begin()
        self._go_on(run)

    def _advance(self, run: Run) -> None:
        run.advance()
        self._go_on(run)

    def _go_on(self, run: Run) -> None:
        if run.outcome is None:
            self._running.watch(run, self._advance)
        else:
            self._finish(run, run.outcome)

    def _abandon_if_ended(self, run: Run) -> None:
        """After a run was to end at once: if it has, then a thread of it goes on, and nobody waits for that."""
        if run.outcome is not None:
            self._running.abandon(run)
            self._finish(run, run.outcome)

    def _finish(self, run: Run, outcome: Outcome) -> None:
        self._progress.ended(run, outcome)
        self._recorder.ended(run, outcome)
        well = outcome.status == COMPLETED
        if not well and not self._canceled:
            self._journal.failed(run, outcome)
        skipped = self._schedule.ended(run.step.path, well=well)
        if self._schedule.stopped and self._running and not self._canceled:
            self._stop()
        self._skipped(skipped)

    def _skipped(self, paths: list[str]) -> None:
        self._journal.skipped(paths, CANCELED if self._canceled else FAILED)

    def _stop(self) -> None:
        """Start no more steps, and ask those that run to end."""
        self._skipped(self._schedule.stop())
        for run in self._running:
            run.terminate()

    # -- events

    def _on_signal(self) -> None:
        for _ in range(self._signals.received()):
            self.interrupted = True
            self.cancel(force=self._canceled)

    def _on_wake(self) -> None:
        self._lock.drain()
        if self._context.workspace.jobs.cancel_requested(self.record.name):
            self.cancel()

    def _on_tracking(self) -> None:
        self._journal.write()  # a step asks for its run
        self._context.tracking.attend()

    def _patience(self, timeout: float) -> float:
        """How long to wait at most: until the next time at which something is to be done."""
        due = self._running.deadlines()
        if self._journal.due is not None:
            due.append(self._journal.due)
        return max(0.0, min([timeout, *(at - time.monotonic() for at in due)]))
