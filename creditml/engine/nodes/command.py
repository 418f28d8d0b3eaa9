"""A command step: staged, started, watched, and what it wrote taken."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.engine.outcome import (
    Outcome,
    canceled,
    failed,
    inputs_changed,
    kept_out,
    not_kept,
    not_started,
    timed_out,
)
from creditml.engine.run import Phase
from creditml.engine.step_data import StepData
from creditml.engine.step_view import WORKING_FOLDER, command_line
from creditml.engine.task import Task
from creditml.engine.upload import is_much
from creditml.engine.variables import step_variables
from creditml.errors import BackendError, Canceled, CreditMLError
from creditml.logs import ARTIFACTS, COMMAND_LOG, OUTPUTS
from creditml.model import NOTHING
from creditml.names import run_id
from creditml.seams.launcher import Exit, Running, Step
from creditml.secrets import redacted
from creditml.statuses import COMPLETED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from creditml.engine.context import Context
    from creditml.plan import PlannedStep

_GRACE = 10.0  # seconds for a command to end that was asked to
_TASK_GRACE = 2.0  # the same for work in a thread
_TIMEOUT = "timeout"
_CANCELED = "canceled"


class CommandRun:
    """A command step of a running job; see `creditml.engine.run.Run`."""

    def __init__(self, context: Context, step: PlannedStep) -> None:
        """Know what is to be run, and under which name."""
        record = context.record
        self.step, self.phase = step, Phase.NEW
        self.run_id = run_id() if step.path else record.name
        self.folder = context.workspace.jobs.folder(record._replace(path=step.path))
        self.log = self.folder / ARTIFACTS / COMMAND_LOG
        self.deadline: float | None = None
        self.outcome: Outcome | None = None
        self._context = context
        self._data = StepData(context, step, self.run_id, self.folder)
        self._stopped = threading.Event()
        self._asked = ""  # why it was asked to end, if it was
        self._staging: Task | None = None
        self._command: Running | None = None
        self._taking: Task | None = None

    def fileno(self) -> int:
        """Readable when what is under way has ended: the command, or what a thread does."""
        under_way = self._taking or self._command or self._staging
        assert under_way is not None  # noqa: S101  it is watched only while something is
        return under_way.fileno()

    # -- what the runner asks for

    def prepare(self) -> None:
        """Make the step's folders, its code in them, while it waits. What fails now is told when it is tried again."""
        code = self._data.code
        if code and not self._context.roots.holds(code) and is_much([code]):  # that is for a thread
            return
        try:
            self._context.launcher.get_ready()
            self._move_in(code)
            if not any(output.path for output in self.step.outputs.values()):  # those may be the user's folders
                self._data.make_outputs()
                os.makedirs(self.folder / OUTPUTS, exist_ok=True)
        except (CreditMLError, OSError):
            self._move_out()
        else:
            self.phase = self.phase.to(Phase.PREPARED)

    def give_up(self) -> None:
        """Let go of what was prepared, for a step that will not run."""
        self._move_out()
        self.phase = self.phase.to(Phase.ENDED)

    def begin(self) -> None:
        """Put code and data in place and start the command, or do so in a thread first if it may take long."""
        prepared = self.phase is Phase.PREPARED
        self.phase = self.phase.to(Phase.STAGING)
        self._try(partial(self._stage, prepared=prepared))

    def advance(self) -> None:
        """Go on, now that what was under way has ended."""
        if self.phase is Phase.STAGING:
            self._try(self._staged)
        elif self.phase is Phase.RUNNING:
            self._take()
        else:
            assert self._taking is not None  # noqa: S101  nothing else is under way
            self._end(self._registered(self._taking.result()))

    def terminate(self, reason: str = _CANCELED) -> None:
        """Ask the command to end; it is killed when the grace is over."""
        if not self._asked:
            self._asked = reason
            self._stopped.set()
            self.deadline = time.monotonic() + (_GRACE if self.phase is Phase.RUNNING else _TASK_GRACE)
            if self._command is not None and self.phase is Phase.RUNNING:
                self._command.terminate()

    def kill(self) -> None:
        """End it now. A thread that can't be ended goes on by itself, and nobody waits for it."""
        self._asked = self._asked or _CANCELED
        self._stopped.set()
        self.deadline = None
        if self._command is not None and self.phase is Phase.RUNNING:
            self._command.kill()
        else:
            self.phase, self.outcome = self.phase.to(Phase.ENDED), canceled()

    def overdue(self) -> None:
        """The deadline has passed: that of the spec, or the grace."""
        if self._asked or self.phase is not Phase.RUNNING:
            self.kill()
        else:
            self.terminate(_TIMEOUT)

    # -- before the command starts

    def _try(self, work: Callable[[], None]) -> None:
        """Do something without which the command can't start."""
        try:
            work()
        except Canceled:
            self._end(canceled())
        except (CreditMLError, OSError) as error:
            self._end(not_started(error, self.folder))

    def _move_in(self, code: Path | None = None) -> None:
        """Take a root, and make what will be kept of the step."""
        os.makedirs(self.log.parent, exist_ok=True)
        os.close(os.open(self.log, os.O_WRONLY | os.O_CREAT, 0o666))
        self._data.move_in(code)

    def _move_out(self) -> None:
        if self._data.move_out():
            with suppress(OSError):  # it may not have come to that
                os.unlink(self.log)
                os.removedirs(self.log.parent)
                os.removedirs(self.folder / OUTPUTS)

    def _stage(self, *, prepared: bool) -> None:
        if not prepared:
            self._move_in()
        self._data.find()
        stage = partial(self._data.stage, self._fetch, code=not prepared)
        if self._data.is_slow(code=not prepared):
            self._staging = Task(stage)
        else:
            stage()
            self._launch()

    def _fetch(self, url: str) -> Path:
        from creditml.workspace.download import download  # 3 ms, and few download anything

        return download(url, self._say, self._stopped.is_set)

    def _staged(self) -> None:
        assert self._staging is not None  # noqa: S101  it has just ended
        self._staging.result()
        if self._asked:
            raise Canceled
        self._launch()

    def _launch(self) -> None:
        step = self._rendered()
        self._data.command_starts()
        self._command = self._context.launcher.start(step)
        self.phase = self.phase.to(Phase.RUNNING)
        timeout = self.step.node.timeout
        self.deadline = None if timeout is None else time.monotonic() + timeout

    def _rendered(self) -> Step:
        context, data, step = self._context, self._data, self.step
        data.make_outputs()
        values, provided = data.values(), context.preparations.of(step)
        return Step(
            run_id=self.run_id,
            command=command_line(step, values),
            root=str(data.path),
            log=str(self.log),
            env=step_variables(context, step, self.run_id, values, data.see),
            cwd=WORKING_FOLDER,
            mounts=data.mounts,
            protected=(str(context.workspace.root), *filter(None, [provided.folder])),
            writable=data.writable,
            image=provided.image,
            resources=step.resources,
        )

    def _say(self, line: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(redacted(line) + "\n")

    # -- after it has ended

    def _take(self) -> None:
        """Put what the command wrote into place: now, or in a thread if that may take long."""
        assert self._command is not None  # noqa: S101  it has just ended
        self.phase = self.phase.to(Phase.TAKING)
        self._context.tracking.dismiss(self.run_id)
        self.deadline = time.monotonic() + _GRACE if self._asked == _CANCELED else None
        try:
            problem = self._problem(self._command.exit())
        except BackendError as error:
            problem = not_started(error, self.folder)
        artifacts = self._data.artifacts()
        much = artifacts is None or self._context.tracking.used or self._data.is_much(artifacts)
        gather = partial(self._gather, problem, artifacts, much=much)
        if much:
            self._taking = Task(gather)
        else:
            self._end(self._registered(gather()))

    def _problem(self, end: Exit) -> Outcome | None:
        """What is wrong with how the command ended."""
        if self._asked == _TIMEOUT:
            return timed_out(self.step.node.timeout or 0, end.code)
        if self._asked:  # one that heeds SIGTERM by ending well has not done what it was to do
            return canceled(end.code)
        if not end.ok:
            shared = self._context.preparations.of(self.step).folder
            return kept_out(failed(end, self.step.component.command, self.log), shared)
        return None

    def _gather(self, problem: Outcome | None, artifacts: Sequence[str] | None, *, much: bool) -> Outcome:
        """The outcome, with what the step wrote in place."""
        places: Mapping[str, str] = NOTHING
        metrics: Mapping[str, float] = NOTHING
        try:
            if much or problem:  # else nothing that is kept can hold a link to an input
                self._data.link_again()
            problem = problem or inputs_changed(self._data.changed())
            self._data.keep_artifacts(artifacts, self._say)
            self._mirror_models()
            if problem is None:
                places = self._data.take_outputs(self._say)
            metrics = self._metrics()
        except (CreditMLError, OSError) as error:
            problem = problem or not_kept(error, self.folder)
        if problem is not None:
            self._data.tidy_left(self._say)
        outcome = problem or Outcome(COMPLETED, exit_code=0)
        return outcome._replace(outputs=places, metrics=metrics)

    def _registered(self, outcome: Outcome) -> Outcome:
        """The outcome once outputs that have a name are assets; a failed one has what the step left as its outputs."""
        if outcome.status == COMPLETED:
            try:
                self._data.register(outcome.outputs)
            except (CreditMLError, OSError) as error:
                lost = not_kept(error, self.folder)
                outcome = lost._replace(outputs=outcome.outputs, metrics=outcome.metrics)
        if outcome.status != COMPLETED:
            outcome = outcome._replace(outputs={**self._data.left(), **outcome.outputs})
        return outcome

    def _end(self, outcome: Outcome) -> None:
        self.phase, self.outcome = self.phase.to(Phase.ENDED), outcome
        self._context.tracking.dismiss(self.run_id)
        if outcome.status == COMPLETED:
            self._data.leave()
        else:
            with suppress(OSError):  # there are some, or it was never made
                os.rmdir(self.folder / OUTPUTS)

    def _mirror_models(self) -> None:
        """Models that MLflow keeps beside a run are artifacts of it, too."""
        if self._context.tracking.used:
            tracking.mirror_logged_models(self._context.workspace.root, self.run_id, self.folder / ARTIFACTS)

    def _metrics(self) -> Mapping[str, float]:
        return tracking.metrics(self._context.workspace.root, self.run_id) if self._context.tracking.used else NOTHING
