"""One command step: staged, started, watched, collected."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml import tracking
from creditml.engine.outcome import Outcome, failed, kept_out, not_kept, not_started
from creditml.engine.stage import (
    Inputs,
    Supply,
    Target,
    changed,
    find_inputs,
    left_outputs,
    link_again,
    make_outputs,
    stage_inputs,
    take_outputs,
    targets,
)
from creditml.engine.step_view import ARTIFACT_FOLDERS, DATA_FOLDER, INPUT_PREFIX, WORKING_FOLDER, Values, command_line
from creditml.engine.upload import MANY, as_uploaded, is_much
from creditml.engine.variables import variables
from creditml.errors import BackendError, Canceled, CreditMLError
from creditml.model import NOTHING, Literal
from creditml.names import run_id
from creditml.plan import Given
from creditml.references import DEFAULT_DATASTORE, resource_name
from creditml.seams.launcher import Exit, Running, Step
from creditml.statuses import CANCELED, COMPLETED, FAILED
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from creditml.engine.runner import Runner
    from creditml.plan import PlannedStep

GRACE = 10.0
_THREAD_GRACE = 2.0


class CommandRun:
    """A command step of a running job."""

    def __init__(self, runner: Runner, step: PlannedStep) -> None:
        """Nothing is made yet."""
        self.runner, self.step, self.path = runner, step, step.path
        record = runner.record
        self.run_id = run_id() if step.path else record.name
        self.folder = runner.workspace.jobs.folder(record._replace(path=step.path))
        self.root = self.folder  # until there is one to run in
        self.artifacts = self.folder / "artifacts"
        self.log = self.artifacts / "user_logs/std_log.txt"
        self.deadline: float | None = None
        self.noted = False  # in the journal
        self.began: int | None = None  # when its command was started, in ns since 1970
        self._targets: dict[str, Target] = {}
        self._outputs: Mapping[str, str] | None = None  # where the step sees each
        self._inputs = Inputs({}, (), {})
        self._supply: dict[str, Supply] = {}
        self._see = ""
        self._mishap: Exception | None = None
        self._problem: Outcome | None = None
        self._places: dict[str, str] = {}
        self._artifacts: Sequence[str] = ARTIFACT_FOLDERS  # those that hold some
        self._found: Mapping[str, float] = NOTHING
        self._stopped = threading.Event()
        self._running: Running | None = None
        self._descriptor = self._done = -1
        self._prepared = self._much = False
        self._ended = False
        self._asked: str = ""

    def fileno(self) -> int:
        """Readable when what is under way has ended: the command, or what a thread does."""
        return self._descriptor

    @property
    def staging(self) -> bool:
        """Whether the command is still to be started."""
        return self._running is None

    @property
    def threaded(self) -> bool:
        """Whether a thread is at work, on the step's data or on what it wrote."""
        return self._done >= 0

    @property
    def taken(self) -> bool:
        """Whether what the step wrote is being put into place, or has been."""
        return self._ended

    def prepare(self) -> None:
        """Make the step's folders, its code in them, while it waits. What fails now is told when it is tried again."""
        code = self.step.component.code
        folder = self.runner.workspace.content.code_folder(code) if code else None
        if folder and not self.runner.roots.holds(folder) and is_much([folder]):  # that is for a thread
            return
        try:
            self.runner.launcher.get_ready()
            self._move_in(folder)
            if not any(output.path for output in self.step.outputs.values()):  # those may be the user's folders
                self._make_outputs()
                os.makedirs(self.folder / "outputs", exist_ok=True)
        except (CreditMLError, OSError):
            self.give_up()
        else:
            self._prepared = True

    def give_up(self) -> None:
        """Let go of what was prepared, for a step that will not run."""
        if self.root != self.folder:
            self.runner.roots.give_back(self.root)
            self.root, self._outputs = self.folder, None
            with suppress(OSError):  # it may not have come to that
                os.unlink(self.log)
                os.removedirs(self.log.parent)
                os.removedirs(self.folder / "outputs")

    def begin(self, outputs: Mapping[tuple[str, str], str]) -> Outcome | None:
        """Find the step's data; the outcome if that failed.

        Args:
            outputs: where the outputs of earlier steps lie, by step and name.
        """
        try:
            if not self._prepared:
                self._move_in()
            runner = self.runner
            self._supply = find_inputs(self.step, runner.plan, runner.workspace.data, outputs, runner.states)
        except (CreditMLError, OSError) as error:
            return self._failed(not_started(error, self.folder))
        return None

    def stage(self) -> None:
        """Put code and data in place: at once, or in a thread of its own if that may take long."""
        code = self.step.component.code
        places = [supply.path for supply in self._supply.values() if not supply.slow]
        if code and not self._prepared:
            places.append(str(self.runner.workspace.content.code_folder(code)))
        slow = any(supply.slow for supply in self._supply.values())
        self._do(self._stage, slow=slow or is_much(places))

    def launch(self) -> Outcome | None:
        """Start the command, once its data is in place; the outcome if that failed."""
        self._close_pipe()
        try:
            if self._mishap is not None:
                raise self._mishap
            step = self._step()
            self.began = time.time_ns()
            self._running = self.runner.launcher.start(step)
        except Canceled:
            return self._failed(Outcome(CANCELED, "The step was canceled.", "Canceled"))
        except (CreditMLError, OSError) as error:
            return self._failed(not_started(error, self.folder))
        self._descriptor = self._running.fileno()
        timeout = self.step.node.timeout
        self.deadline = None if timeout is None else time.monotonic() + timeout
        return None

    def terminate(self, reason: str = "canceled") -> None:
        """Ask the command to end; it is killed when the grace is over."""
        if not self._asked:
            self._asked = reason
            self._stopped.set()
            self.deadline = time.monotonic() + (_THREAD_GRACE if self.threaded else GRACE)
            if self._running:
                self._running.terminate()

    def kill(self) -> None:
        """End it now. A thread that can't be ended goes on by itself, and nobody waits for it."""
        self._asked = self._asked or "canceled"
        self._stopped.set()
        self.deadline = None
        if self._running:
            self._running.kill()

    def overdue(self) -> None:
        """The deadline has passed: that of the spec, or the grace."""
        if self._asked:
            self.kill()
        else:
            self.terminate("timeout")

    def take(self) -> None:
        """Once the command has ended, put what it wrote into place: now, or in a thread if that may take long."""
        assert self._running is not None  # noqa: S101  started before
        self._ended, self._descriptor = True, -1
        self.deadline = time.monotonic() + GRACE if self._asked == "canceled" else None
        try:
            self._problem = self._trouble(self._running.exit())
        except BackendError as error:
            self._problem = not_started(error, self.folder)
        self._much = self._is_much()
        self._do(self._take, slow=self._much)

    def collect(self) -> Outcome:
        """What came of it, once everything is in place."""
        self._close_pipe()
        if self._mishap is not None:
            raise self._mishap
        if self._problem is None:
            try:
                self.runner.journal.register(self, self._places)
            except (CreditMLError, OSError) as error:
                self._problem = not_kept(error, self.folder)
        if self._problem is not None:
            left = {**left_outputs(self._targets, self.root), **self._places}
            return self._failed(self._problem._replace(outputs=left, metrics=self._found))
        return Outcome(COMPLETED, exit_code=0, outputs=self._places, metrics=self._found)

    def _failed(self, outcome: Outcome) -> Outcome:
        with suppress(OSError):  # there are some, or it was never made
            os.rmdir(self.folder / "outputs")
        return outcome

    def _do(self, work: Callable[[], None], *, slow: bool) -> None:
        """Do something now, or in a thread of its own, whose end `fileno` tells."""
        if not slow:
            work()
            return
        self._descriptor, done = os.pipe()
        self._done = done

        def finish() -> None:
            work()
            os.write(done, b".")

        threading.Thread(target=finish, daemon=True).start()

    # -- before

    def _move_in(self, code: Path | None = None) -> None:
        """Take a root, and make what will be kept of the step."""
        os.makedirs(self.log.parent, exist_ok=True)
        os.close(os.open(self.log, os.O_WRONLY | os.O_CREAT, 0o666))
        folders = (name for name, output in self.step.outputs.items() if output.type != "uri_file")
        places = {*folders, *(INPUT_PREFIX + name for name in self.step.inputs)}
        self.root = self.runner.roots.take(code, places)
        self._see = self.runner.launcher.see(str(self.root))

    def _make_outputs(self) -> None:
        runner, step = self.runner, self.step
        datastore = resource_name(runner.plan.job.settings.default_datastore or DEFAULT_DATASTORE)
        self._targets = targets(step, runner.workspace, self.folder, self.run_id, datastore)
        self._outputs = make_outputs(self._targets, dict(step.outputs), self.root, self._see)

    def _stage(self) -> None:
        try:
            code = self.step.component.code
            if code and not self._prepared:
                self.runner.roots.put(self.runner.workspace.content.code_folder(code), self.root)
            supplies = {name: self._fetched(supply) for name, supply in self._supply.items()}
            runner = self.runner
            isolated = runner.launcher.isolated
            self._inputs = stage_inputs(supplies, self.root, self._see, str(runner.workspace.root), isolated=isolated)
        except Exception as error:  # noqa: BLE001  `launch` raises it where it can be told
            self._mishap = error

    def _fetched(self, supply: Supply) -> Supply:
        if not supply.remote:
            return supply
        from creditml.workspace.download import download  # 3 ms, and few download anything

        return supply._replace(path=str(download(supply.path, self._progress, self._stopped.is_set)))

    def _close_pipe(self) -> None:
        if self._done >= 0:
            os.close(self._descriptor)
            os.close(self._done)
            self._done = -1

    def _step(self) -> Step:
        runner, step, see = self.runner, self.step, self._see
        if self._outputs is None:
            self._make_outputs()
        values = Values(self._literals(), self._inputs.seen, self._outputs or {})
        provided = runner.preparations.of(step)
        return Step(
            run_id=self.run_id,
            command=command_line(step, values),
            root=str(self.root),
            log=str(self.log),
            env=variables(runner, step, self.run_id, values, see),
            cwd=WORKING_FOLDER,
            mounts=self._inputs.mounts,
            protected=(str(runner.workspace.root), *filter(None, [provided.folder])),
            writable=tuple(target.folder for target in self._targets.values() if target.fixed),
            image=provided.image,
            resources=step.resources,
        )

    def _literals(self) -> dict[str, str]:
        return {
            name: bound.value.value
            for name, bound in self.step.inputs.items()
            if isinstance(bound, Given) and isinstance(bound.value, Literal)
        }

    def _progress(self, line: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    # -- after

    def _trouble(self, end: Exit) -> Outcome | None:
        if self._asked == "timeout":
            limit = self.step.node.timeout
            return Outcome(
                CANCELED,
                f"The step was canceled since it ran longer than its limits.timeout of {limit:g} s.",
                "Timeout",
                end.code,
            )
        if self._asked:  # one that heeds SIGTERM by ending well has not done what it was to do
            return Outcome(CANCELED, "The step was canceled.", "Canceled", end.code)
        if not end.ok:
            shared = self.runner.preparations.of(self.step).folder
            return kept_out(failed(end, self.step.component.command, self.log), shared)
        return None

    def _touched(self) -> Outcome | None:
        touched = list(changed(self._inputs))
        if not touched:
            return None
        which = ", ".join(touched[:3])
        message = f"The step changed its input: {which}. Inputs are read-only; write to an output."
        return Outcome(FAILED, message, "InputChanged", 0)

    def _is_much(self) -> bool:
        """Whether taking what the step wrote may hold up the others."""
        try:
            self._artifacts = self.runner.roots.artifacts(self.root, self.began)
        except OSError:  # closed to its owner
            return True
        if self.runner.tracking.used or sum(map(len, self._inputs.before.values())) > MANY:
            return True
        written = [os.path.join(self.root, DATA_FOLDER, target.written) for target in self._targets.values()]
        return is_much([*written, *(os.path.join(self.root, WORKING_FOLDER, name) for name in self._artifacts)])

    def _take(self) -> None:
        try:
            if self._much or self._problem:  # else nothing that is kept can hold a link to it
                link_again(self._inputs.mounts, self.root)
            self._problem = self._problem or self._touched()
            self._keep_artifacts()
            if self._problem is None:
                self._places = take_outputs(self._targets, self.root, self._progress)
            self._found = self._metrics()
        except (CreditMLError, OSError) as error:
            self._problem = self._problem or not_kept(error, self.folder)
        except Exception as error:  # noqa: BLE001  `collect` raises it where it can be told
            self._mishap = error

    def _keep_artifacts(self) -> None:
        """`./outputs` and `./logs` are artifacts of the run; so are models that MLflow keeps beside it."""
        for name in self._artifacts:
            source = os.path.join(self.root, WORKING_FOLDER, name)
            if os.path.isdir(source) and not os.path.islink(source) and os.listdir(source):
                for link in as_uploaded(source):
                    self._progress(f"creditml: the artifacts are kept without a link that leads nowhere: {name}/{link}")
                target = self.artifacts / name
                if target.exists():
                    copy_tree(source, target)
                else:
                    os.rename(source, target)
        if self.runner.tracking.used:
            tracking.mirror_logged_models(self.runner.workspace.root, self.run_id, self.artifacts)

    def _metrics(self) -> Mapping[str, float]:
        return tracking.metrics(self.runner.workspace.root, self.run_id) if self.runner.tracking.used else {}
