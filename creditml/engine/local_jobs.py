"""The executor over the engine: what every backend that runs steps on this machine has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import SpecError
from creditml.history.life import POLL, follow, settle
from creditml.history.recorded import recorded_plan
from creditml.nodes.table import node_type
from creditml.plan import plan
from creditml.references import output_uri
from creditml.seams.executor import Examined, JobState, StepState
from creditml.submission.options import Options
from creditml.submission.submit import Submitted, prepare, submit
from creditml.workspace import Workspace
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml.engine.runner import Runner
    from creditml.environments.cache import Entry
    from creditml.environments.wanted import Provider
    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.plan import Plan
    from creditml.seams.executor import Jobs, Prepared
    from creditml.seams.launcher import Launcher
    from creditml.workspace.records import JobRecord
    from creditml.workspace.runner_lock import RunnerLock


class LocalJobs:
    """Runs jobs with the engine; a subclass in a backend adds its name and its launcher.

    `submit` starts a runner as a process of its own, which outlives the caller. With `run` the caller is the runner.
    """

    name: str
    launcher: Callable[..., Launcher]
    """Makes a launcher; takes the backend's settings as keyword arguments."""
    place = ""
    isolated = False
    """Whether steps see nothing of this machine; see `Launcher.isolated`."""

    def __init__(self, workspace: Workspace | None = None, options: Options | None = None) -> None:
        """Work in a workspace, by default the one of the current folder."""
        self.workspace = workspace or Workspace.find()
        self.options = options or Options()
        self._launcher: Launcher | None = None

    # -- the Executor protocol

    def submit(self, job: Job) -> str:
        """Check and record a job, start its runner, and return its name at once."""
        return self.detach(self.prepare(job)).name

    def poll(self, job: str) -> JobState:
        """The job and every node that was started."""
        record = settle(self.workspace, self.workspace.jobs.get(job))
        nodes = tuple(map(_state, self.workspace.jobs.steps(record.root)))
        return JobState(
            record.name,
            record.status,
            record.started_at,
            record.ended_at,
            (record.error or {}).get("message", ""),
            nodes,
        )

    def logs(self, job: str, node: str = "") -> Iterator[str]:
        """The lines of a log as they come, until the job or node has ended. Without a node: the job's own."""
        record = self._record(job, node, wait=True)
        name = node_type(record.type).log
        yield from follow(self.workspace, record, name)

    def fetch(self, job: str, node: str | None, output: str, to: Path) -> Path:
        """Copy an output to a folder; returns the folder."""
        record = self._record(job, node or "")
        place = self.workspace.data.locate(output_uri(record.name, output))
        target = to / place.name if place.is_file() else to
        copy_tree(place, target)
        return to

    def cancel(self, job: str) -> None:
        """Ask the runner to cancel the job; an ended one stays as it is."""
        self.workspace.jobs.request_cancel(job)

    # -- here and now, or detached

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Resolve and check a job, what it needs of this backend included; see `creditml.submission.submit.prepare`."""
        return prepare(job, self.workspace, problems, self.plan_problems)

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """All that is wrong with a job."""
        try:
            return Examined(self.prepare(job, problems).warnings)
        except SpecError as error:
            return Examined(error.problems)

    def get_ready(self) -> None:
        """Expect a `run` soon: the launcher gets ready while the job is read. `close` must follow."""
        self._launcher = self._take_launcher()
        self._launcher.get_ready()

    def close(self) -> None:
        """Give back what `get_ready` took; calling it again does nothing."""
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None

    def run(self, prepared: Prepared) -> Runner:
        """Record a job, with this process as its runner: a context manager, to be advanced."""
        record, lock, job = submit(prepared, self.workspace, self.name)
        return self.resume(record, lock, plan(job))

    def resume(self, record: JobRecord, lock: RunnerLock, planned: Plan) -> Runner:
        """Take up a recorded job, with this process as its runner."""
        from creditml.engine.runner import Runner  # 8 ms, and a check of a job runs nothing

        job = Submitted(record, lock, planned, self.provider)
        return Runner(job, self.workspace, self._take_launcher(), self.options)

    def provider(self) -> Provider:
        """What makes the steps' environments."""
        from creditml.environments.providers import provider

        return provider(self.options.environments)

    def prune_environments(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove environments that were made for this backend and that no job uses now, and return them.

        Args:
            older_than: only those that weren't used for so many days.
            dry_run: remove nothing.
        """
        from creditml.environments.cache import Cache

        return Cache().prune(older_than, dry_run=dry_run)

    def plan_problems(self, planned: Plan) -> list[Problem]:
        """What is wrong with a job on this machine, such as with its environments, as far as it shows beforehand."""
        settings, workspace = self.options.environments, self.workspace
        if self.isolated or settings.mode not in ("", "host"):
            from creditml.environments.needed import needed_problems

            return needed_problems(planned, workspace, settings, isolated=self.isolated)
        if all(step.component.environment is None for step in planned.steps.values()):
            return []
        from creditml.environments.drift import drift_problems

        return drift_problems(planned, workspace, settings, workspace.content.local_code)

    def _take_launcher(self) -> Launcher:
        launcher, self._launcher = self._launcher or type(self).launcher(**self.options.backend), None
        return launcher

    def detach(self, prepared: Prepared) -> JobRecord:
        """Record a job and start a runner for it as a process of its own; it waits if enough other jobs run."""
        from creditml.engine.start_detached import start_detached

        record, lock, _ = submit(prepared, self.workspace, self.name)
        maker = type(self)
        return start_detached(record, lock, self.workspace, self.options, f"{maker.__module__}:{maker.__qualname__}")

    def _record(self, job: str, node: str, *, wait: bool = False) -> JobRecord:
        """The record of a job, or of a node of it; with `wait`, of a node that may still start, too."""
        record = self.workspace.jobs.get(job)
        if not node:
            return record
        from creditml.history.steps import started_step

        pause = POLL if wait and node in recorded_plan(record).steps else None

        def look() -> tuple[bool, list[tuple[str, str]]]:
            ended = settle(self.workspace, self.workspace.jobs.get(job)).ended
            return ended, [(step.path, step.name) for step in self.workspace.jobs.steps(record.root)]

        return self.workspace.jobs.get(started_step(job, node, look, pause))


def _state(step: JobRecord) -> StepState:
    """How a recorded step stands."""
    message = (step.error or {}).get("message", "")
    times = step.started_at, step.ended_at
    return StepState(step.path, step.status, step.name, *times, message, display_name=step.display_name or "")


if TYPE_CHECKING:

    def _as_jobs(executor: LocalJobs) -> Jobs:
        """Have the type checker see that the executor is what the command line needs."""
        return executor
