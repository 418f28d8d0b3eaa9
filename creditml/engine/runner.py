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

from creditml import tracking
from creditml.engine.command import CommandRun
from creditml.engine.flush import Flusher
from creditml.engine.journal import Journal
from creditml.engine.outcome import Outcome, not_kept
from creditml.engine.preparations import Preparations
from creditml.engine.roots import Roots
from creditml.engine.schedule import Schedule
from creditml.engine.step_view import step_base
from creditml.errors import CreditMLError
from creditml.seams.executor import StepState
from creditml.signals import Signals
from creditml.statuses import CANCEL_REQUESTED, CANCELED, COMPLETED, FAILED, NOT_STARTED, RUNNING, TERMINAL
from creditml.workspace.disk import full_disk
from creditml.workspace.records import now

if TYPE_CHECKING:
    from typing_extensions import Self

    from creditml.seams.launcher import Launcher
    from creditml.submission.options import Options
    from creditml.submission.submit import Submitted
    from creditml.workspace import Workspace

_SYNC = 20.0


class Runner:
    """Runs a submitted job. Use as a context manager, and call `advance` until it returns False."""

    last_words = "steps are asked to end; Ctrl-C again kills them"

    def __init__(self, job: Submitted, workspace: Workspace, launcher: Launcher, options: Options) -> None:
        """`provider` may be set until it begins: it gives what makes the steps' environments."""
        record, plan = job.record, job.plan
        self.workspace, self.record, self.plan, self.launcher, self.options = workspace, record, plan, launcher, options
        self.states = {path: StepState(path) for path in plan.steps}
        self.status = NOT_STARTED
        self.warnings: list[str] = []
        self.interrupted = False
        self.tracking = tracking.Tracking(workspace.root, allowed_hosts=launcher.hosts)
        self.journal = Journal(workspace, record, plan)
        self.host = step_base(options.pass_env, workspace.root / "bin", isolated=launcher.isolated)
        self.preparations = Preparations(self, job.provider)
        self.roots = Roots(workspace.jobs.folder(record) / "cr")
        self._hold = job.hold
        self._schedule = Schedule(plan, go_on=plan.job.settings.continue_on_step_failure is not False)
        self._places = max(1, options.max_parallel or os.cpu_count() or 1)
        self._running: dict[str, CommandRun] = {}
        self._next: CommandRun | None = None
        self._used: list[CommandRun] = []  # whose roots are to be cleared
        self._outputs: dict[tuple[str, str], str] = {}
        self._selector = selectors.DefaultSelector()
        self._changed: list[str] = []
        self._canceled = False
        self._killed = False
        self._abandoned = self._closed = False
        self._flusher = Flusher()
        self._unrecorded: list[tuple[CommandRun, Outcome]] = []
        self.reason: str | None = None  # why no step could start

    def __enter__(self) -> Self:
        """Take the signals, and begin the job."""
        gc.freeze()  # what is there now stays until the end
        self._signals = Signals()
        self._listen()
        try:
            self._begin()
        except BaseException as error:
            if not self.__exit__(type(error), error, error.__traceback__):
                raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Whatever happened: no process is left, and the job has a final status. A full disk is no error of ours."""
        full = full_disk(error, self.workspace.root)
        try:
            if full:
                self._abandon(full)
            elif self.status not in TERMINAL:
                self.cancel(force=True)
                while self._running or self._flusher.pending:
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
        if self._schedule.done and not self._flusher.pending:
            self._end()
            return False
        if self._schedule.done:
            self._flusher.hurry()
            self.launcher.close()
        self._look_ahead()
        # what has begun is to be shown at once
        for key, _ in self._selector.select(0.0 if began else self._patience(timeout)):
            key.data()
        if self.journal.due is not None and time.monotonic() >= self.journal.due:
            self.journal.write()
        self._fill()  # before anybody is shown anything
        self._check_deadlines()
        return True

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps that have begun or ended since the last call."""
        changed, self._changed = self._changed, []
        return [(path, self.states[path]) for path in dict.fromkeys(changed)]

    def told(self) -> list[str]:
        """What was said of environments that are made, since the last call."""
        return self.preparations.told()

    @property
    def measured(self) -> bool:
        """Whether steps may have logged metrics."""
        return self.tracking.used

    def give_up(self, reason: str) -> None:
        """No step can start: the job fails."""
        self.reason = reason
        self.journal.note(f"Environment preparation failed. {reason}")
        self._stop()

    def cancel(self, *, force: bool = False) -> None:
        """End the job: steps are asked to end, and killed after a grace, or at once by force."""
        if not self._canceled:
            self._canceled = True
            self.status = CANCEL_REQUESTED
            self.workspace.jobs.transit(self.record.name, self.status)
            self.journal.note("Experiment cancel requested, checking remained jobs...")
            self.preparations.cancel()
            self._stop()
        if force and not self._killed:
            self._killed = True
            for run in list(self._running.values()):
                self._kill(run)

    # -- beginning and end

    def _listen(self) -> None:
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signal)
        self._selector.register(self._hold.fileno(), selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._flusher.fileno(), selectors.EVENT_READ, self._on_flushed)
        self._selector.register(self.tracking.fileno(), selectors.EVENT_READ, self._on_tracking)

    def _begin(self) -> None:
        self.workspace.reserve.make()
        self.journal.begin()
        self.status = RUNNING
        try:
            self.preparations.begin(self._selector)
        except CreditMLError as error:
            self.give_up(str(error))
        self._on_wake()

    def _end(self) -> None:
        statuses = [state.status for state in self.states.values()]
        if self._canceled:
            self.status = CANCELED
        elif self.reason:
            self.status = FAILED
        elif all(status == COMPLETED for status in statuses):
            self.status = COMPLETED
        elif list(self.plan.steps) == [""]:
            self.status = statuses[0]
        else:
            self.status = FAILED
        self._look_ahead()
        closing = threading.Thread(target=self._tidy)  # takes as long as the record to reach the disk
        closing.start()
        self.journal.end(self.status, self.states, self._outputs, self.reason)
        closing.join()
        if not self.tracking.sync(_SYNC):
            self.warnings.append(
                "MLflow's server did not take the last statuses in time; it will when it is next started."
            )
        if self.tracking.failure:
            self.warnings.append(self.tracking.failure)

    def _tidy(self) -> None:
        self.roots.close()
        self.launcher.close()

    def _abandon(self, why: str) -> None:
        """End the job for want of room: with what ran goes what it wrote by half, and then there is some."""
        self.launcher.close()  # or what runs would fill that room too
        self.roots.drop(self.journal.places())
        self.workspace.reserve.release()
        self._record()  # what there was no room for
        self._flusher.hurry()
        while self._flusher.pending:
            self._on_flushed()
        self.status = self.journal.abandon({"code": "DiskFull", "message": why}, self.states)

    def _close(self) -> None:
        if self._closed:  # it could not begin
            return
        self._closed = True
        self._signals.close()
        self._tidy()
        self._flusher.close()
        self.preparations.close()
        self.tracking.close()
        self._selector.close()
        self._hold.release()
        if self._abandoned:
            from creditml.workspace.download import remove_partial  # 3 ms, and hardly ever needed

            remove_partial()

    # -- steps

    def _fill(self) -> bool:
        began = False
        if self.preparations.waiting:
            return began
        while len(self._running) < self._places and (path := self._schedule.take()) is not None:
            self._start(path)
            began = True
        return began

    def _look_ahead(self) -> None:
        """Clear up after the steps that have ended and prepare the next one, while others run."""
        while self._used:
            used = self._used.pop()
            self.roots.give_back(used.root, used.began)
        path = self._schedule.upcoming() if self._running else None
        if self._next is not None and self._next.path != path:
            self._next.give_up()
            self._next = None
        if self._next is None and path is not None:
            self._next = CommandRun(self, self.plan.steps[path])
            self._next.prepare()

    def _start(self, path: str) -> None:
        run, self._next = self._next, None
        if run is None or run.path != path:
            if run is not None:
                run.give_up()
            run = CommandRun(self, self.plan.steps[path])
        self.states[path] = StepState(path, RUNNING, run.run_id, now(), log=str(run.log))
        self._changed.append(path)
        if self.tracking.started or self.preparations.serving:  # the run must be known before its step can ask for it
            self._note(run)
            self.journal.write()
        failure = run.begin(self._outputs)
        if failure is not None:
            self._finish(run, failure)
            return
        run.stage()
        if run.threaded:
            self._watch(run)
        else:
            self._launch(run)

    def _note(self, run: CommandRun) -> None:
        """A step was taken up, which is recorded soon."""
        if not run.noted:
            run.noted = True
            self.journal.step_began(run)

    def _watch(self, run: CommandRun) -> None:
        self._running[run.path] = run
        self._note(run)
        self._selector.register(run.fileno(), selectors.EVENT_READ, lambda: self._on_event(run))

    def _unwatch(self, run: CommandRun) -> None:
        self._selector.unregister(run.fileno())
        del self._running[run.path]

    def _on_event(self, run: CommandRun) -> None:
        self._unwatch(run)
        if run.staging:
            self._launch(run)
            return
        if not run.taken:
            run.take()
            if run.threaded:
                self._watch(run)
                return
        self._finish(run, run.collect())

    def _launch(self, run: CommandRun) -> None:
        failure = run.launch()
        if failure is not None:
            self._finish(run, failure)
        else:
            self._watch(run)

    def _kill(self, run: CommandRun) -> None:
        run.kill()
        if run.threaded:
            self._unwatch(run)
            self._abandoned = True
            self._finish(run, Outcome(CANCELED, "The step was canceled.", "Canceled"))

    def _finish(self, run: CommandRun, outcome: Outcome) -> None:
        path = run.path
        self._note(run)
        for name, place in outcome.outputs.items():
            self._outputs[path, name] = place
        state = self.states[path]
        self.states[path] = state._replace(status=outcome.status, ended_at=now(), error=outcome.message)
        self._changed.append(path)
        well = outcome.status == COMPLETED
        if well:
            self._used.append(run)
        if well and outcome.outputs:
            self._flusher.submit(run, outcome)  # it is recorded when they are on disk; what needs them starts now
        else:
            self._unrecorded.append((run, outcome))
            self._record()
        if not well and not self._canceled:
            self.journal.failed(run, outcome)
        skipped_before = len(self._schedule.skipped)
        self._schedule.ended(path, well=well)
        if self._schedule.stopped and self._running and not self._canceled:
            self._stop()
        self.journal.skipped(self._schedule.skipped[skipped_before:], CANCELED if self._canceled else FAILED)

    def _on_flushed(self) -> None:
        for run, outcome, error in self._flusher.done():
            kept = outcome
            if error is not None:
                lost = not_kept(error, run.folder)
                self.states[run.path] = self.states[run.path]._replace(status=FAILED, error=lost.message)
                kept = lost._replace(outputs=outcome.outputs, metrics=outcome.metrics)
            self._unrecorded.append((run, kept))
        self._record()

    def _record(self) -> None:
        self.journal.steps_ended(self._unrecorded)
        self._unrecorded.clear()
        self.tracking.poke()

    def _stop(self) -> None:
        skipped_before = len(self._schedule.skipped)
        self._schedule.stop()
        self.journal.skipped(self._schedule.skipped[skipped_before:], CANCELED if self._canceled else FAILED)
        for run in list(self._running.values()):
            run.terminate()

    # -- events

    def _on_signal(self) -> None:
        for _ in range(self._signals.received()):
            self.interrupted = True
            self.cancel(force=self._canceled)

    def _on_wake(self) -> None:
        self._hold.drain()
        if self.workspace.jobs.cancel_requested(self.record.name):
            self.cancel()

    def _on_tracking(self) -> None:
        self.journal.write()  # it asks for a run
        self.tracking.attend()

    def _patience(self, timeout: float) -> float:
        due = [self.journal.due, *(run.deadline for run in self._running.values())]
        deadlines = [at for at in due if at is not None]
        return max(0.0, min([timeout, *(deadline - time.monotonic() for deadline in deadlines)]))

    def _check_deadlines(self) -> None:
        for run in list(self._running.values()):
            if run.deadline is not None and time.monotonic() >= run.deadline:
                if run.threaded:
                    self._kill(run)
                else:
                    run.overdue()
