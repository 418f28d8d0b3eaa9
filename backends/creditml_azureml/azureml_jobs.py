"""The executor of jobs in Azure ML, as backends and the command line use it."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from creditml.check import check
from creditml.entry_points import AZURE
from creditml.errors import AuthenticationFailed, BackendError, NotFound, SpecError
from creditml.history.recorded import recorded_plan
from creditml.history.steps import started_step
from creditml.seams.executor import Examined, JobState, Prepared
from creditml.statuses import TERMINAL
from creditml.submission.options import Options
from creditml.submission.resolving import resolve
from creditml.workspace import Workspace
from creditml_azureml.cloud import Cloud
from creditml_azureml.download import fetch_artifacts, fetch_output
from creditml_azureml.offline_checks import NoCloud, as_severe_as_azure, offline_problems, unresolved
from creditml_azureml.online_checks import online_problems
from creditml_azureml.poller import MOST_PAUSE, followed_log, poll_pause
from creditml_azureml.pulling import pull
from creditml_azureml.reading import CloudComponents
from creditml_azureml.steps import steps_of
from creditml_azureml.submitting import submit
from creditml_azureml.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.plan import Plan
    from creditml.seams.executor import RemoteJobs, StepState
    from creditml.submission.resolving import Elsewhere
    from creditml.workspace.records import JobRecord


class AzureMLExecutor:
    """Runs jobs in Azure ML."""

    name = AZURE

    def __init__(self, workspace: Workspace | None = None, options: Options | None = None) -> None:
        """Connect a local workspace, by default the one of the current folder, with one in Azure.

        `options.backend` may name the one in Azure (`subscription_id`, `resource_group`, `workspace_name`); see
        `creditml_azureml.target` for where it is looked for otherwise.
        """
        self.workspace = workspace or Workspace.find()
        self.options = options or Options()

    @cached_property
    def cloud(self) -> Cloud:
        """The workspace in Azure.

        Raises:
            BackendError: none is named.
        """
        return Cloud.find(self.options.backend)

    @property
    def place(self) -> str:
        """The workspace that jobs are sent to, as messages name it."""
        return f"Azure ML's workspace {self.cloud.target}"

    # -- the Executor protocol

    def submit(self, job: Job) -> str:
        """Check and submit a job, and return its name at once."""
        return self.detach(self.prepare(job)).name

    def poll(self, job: str) -> JobState:
        """The job and every step that was started."""
        found = self.cloud.jobs.get_run(job)
        nodes = tuple(self.steps(job))
        return JobState(job, found.status, found.started_at, found.ended_at, found.error, nodes)

    def logs(self, job: str, node: str = "") -> Iterator[str]:
        """The lines of a log as they come, until the job or step has ended."""
        name = self._run(job, node, wait=True) if node else job
        yielded, pause = 0, poll_pause()
        while True:
            run = self.cloud.jobs.get_run(name)
            log = followed_log(run.logs)
            text = self.cloud.jobs.log_text(run.logs[log]) if log else ""
            ended = run.status in TERMINAL
            lines = text.splitlines()
            whole = len(lines) if ended or text.endswith("\n") or not lines else len(lines) - 1
            yield from lines[yielded:whole]
            yielded = max(yielded, whole)
            if ended:
                return
            time.sleep(pause)
            pause = min(pause * 1.2, MOST_PAUSE)

    def fetch(self, job: str, node: str | None, output: str, to: Path) -> Path:
        """Copy an output to a folder; returns the folder."""
        return fetch_output(self.cloud, self._run(job, node) if node else job, output, to)

    def cancel(self, job: str) -> None:
        """Ask Azure ML to end the job; one that has ended stays as it is."""
        if self.cloud.jobs.get_run(job).status not in TERMINAL:
            self.cloud.jobs.cancel(job)

    # -- the RemoteJobs protocol: what the command line asks of jobs in Azure ML

    def entries(self, limit: int | None, *, archived: bool | None) -> Iterator[dict[str, Any]]:
        """The submitted jobs of the workspace in Azure, newest first."""
        return self.cloud.jobs.entries(limit, archived=archived)

    def view(self, job: str) -> dict[str, Any]:
        """A job with all its fields."""
        return self.cloud.jobs.view(job)

    def state(self, job: str) -> StepState:
        """How a job itself stands, or a step by its run's name."""
        return self.cloud.jobs.get_run(job).state("")

    def steps(self, job: str) -> list[StepState]:
        """The steps and nested pipelines of a job that were started, in the order in which they began."""
        return [run.state(path) for path, run in steps_of(self.cloud, job, self._plan_of(job))]

    def outputs(self, job: str) -> list[str]:
        """The names of the outputs that a job has written."""
        return self.cloud.jobs.output_names(job)

    def fetch_artifacts(self, job: str, to: Path) -> Path:
        """Copy an ended job's logs and other artifacts to a folder; returns the folder."""
        return fetch_artifacts(self.cloud, job, to)

    def pull(self, job: str, step: str = "", *, inputs: bool = False, tell: Callable[[str], None]) -> JobRecord:
        """Bring a job into the local workspace; see `creditml_azureml.pulling.pull`."""
        return pull(self.cloud, self.workspace, job, step, inputs=inputs, tell=tell)

    # -- the Jobs protocol: from a job that was read to one in Azure ML

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Check a job by itself, and if that finds no error, against the workspace in Azure.

        Raises:
            SpecError: there are errors; all of them, with the warnings.
        """
        resolved, planned, found = self._offline(job, problems, CloudComponents(self.cloud))
        if all(problem.warning for problem in found):
            found += online_problems(resolved, self.workspace, self.cloud)
        if planned is None or any(not problem.warning for problem in found):
            raise SpecError(found)
        return Prepared(job, planned, tuple(found))

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """All problems of a job; without a workspace, a connection or a login those that the job alone shows."""
        try:
            return Examined(self.prepare(job, problems).warnings)
        except SpecError as error:
            return Examined(error.problems)
        except AuthenticationFailed as error:
            why = f"{_first_line(error)} Sign in with `az login`, or set the variables of a service principal."
        except BackendError as error:
            why = _first_line(error)
        return Examined(tuple(self._offline(job, problems, NoCloud())[2]), why)

    def _offline(
        self, job: Job, problems: tuple[Problem, ...], elsewhere: Elsewhere
    ) -> tuple[Job, Plan | None, list[Problem]]:
        found = list(problems)
        resolved = resolve(job, self.workspace, found, elsewhere)
        whole = all(problem.warning for problem in found) and not unresolved(resolved.root)
        checked = check(resolved, whole=whole)
        found += [*checked.problems, *offline_problems(resolved, self.workspace)]
        return resolved, checked.plan, as_severe_as_azure(found)

    def detach(self, prepared: Prepared) -> JobRecord:
        """Submit a job, record it in the local workspace, and return at once."""
        return submit(prepared, self.workspace, self.cloud)[0]

    def run(self, prepared: Prepared) -> Watch:
        """Submit a job to be watched."""
        record, messages = submit(prepared, self.workspace, self.cloud)
        return Watch(self.cloud, self.workspace, record, prepared.plan, messages)

    def get_ready(self) -> None:
        """Do nothing: a submission needs nothing of this machine that takes time to prepare."""

    def close(self) -> None:
        """Do nothing: `get_ready` took nothing that has to be given back."""

    def _plan_of(self, job: str) -> Plan | None:
        """The plan of a job that was submitted from here; None for others."""
        try:
            return recorded_plan(self.workspace.jobs.get(job))
        except NotFound:
            return None

    def _run(self, job: str, node: str, *, wait: bool = False) -> str:
        """The name of a step's run; `wait` for a step that may yet start."""
        plan = self._plan_of(job)
        pause = poll_pause() if wait and (plan is None or node in plan.steps) else None

        def look() -> tuple[bool, Iterator[tuple[str, str]]]:
            ended = self.cloud.jobs.get_run(job).status in TERMINAL
            return ended, ((path, run.name) for path, run in steps_of(self.cloud, job, plan))

        return started_step(job, node, look, pause)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


if TYPE_CHECKING:

    def _as_remote_jobs(executor: AzureMLExecutor) -> RemoteJobs:
        """Have the type checker see that the executor is what the command line needs."""
        return executor
