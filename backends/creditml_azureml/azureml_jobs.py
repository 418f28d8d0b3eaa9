"""The executor over a workspace in Azure."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from creditml.check import check
from creditml.errors import AuthenticationFailed, BackendError, BackendUnavailable, Conflict, NotFound, SpecError
from creditml.history.recorded import recorded_plan
from creditml.history.steps import started_step
from creditml.seams.executor import Examined, JobState, Prepared, StepState
from creditml.statuses import TERMINAL
from creditml.submission.freezing import freeze
from creditml.submission.options import Options
from creditml.submission.resolving import resolve
from creditml.submission.submit import new_record
from creditml.workspace import Workspace
from creditml.workspace.records import PAGE, TARGET
from creditml_azureml.attempts import Attempt, Interrupted, attempt
from creditml_azureml.cloud import Cloud
from creditml_azureml.download import fetch_artifacts, fetch_output
from creditml_azureml.errors import mapped, quietly
from creditml_azureml.offline_checks import Nowhere, as_there, live_problems, offline_problems, unresolved
from creditml_azureml.poller import MOST_PAUSE, followed, poll_pause
from creditml_azureml.pulling import pull
from creditml_azureml.reading import Components
from creditml_azureml.record import see_free
from creditml_azureml.registering import register
from creditml_azureml.sdk_jobs import entity
from creditml_azureml.steps import steps_of
from creditml_azureml.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.plan import Plan
    from creditml.submission.resolving import Elsewhere
    from creditml.workspace.records import JobRecord
    from creditml_azureml.runs import Run


class AzureMLExecutor:
    """Runs jobs in Azure ML."""

    name = "azureml"

    def __init__(self, workspace: Workspace | None = None, options: Options | None = None) -> None:
        """Work in a local workspace, by default the one of the current folder, and in the one in Azure that is meant.

        `options.backend` may name it: `subscription_id`, `resource_group`, `workspace_name`.
        """
        self.workspace = workspace or Workspace.find()
        self.options = options or Options()

    @cached_property
    def cloud(self) -> Cloud:
        """The workspace in Azure.

        Raises:
            BackendError: it is named nowhere.
        """
        return Cloud.find(self.options.backend)

    @property
    def place(self) -> str:
        """Where jobs are sent to, for people."""
        return f"Azure ML's workspace {self.cloud.target}"

    # -- the Executor protocol

    def submit(self, job: Job) -> str:
        """Check and submit a job, and return its name at once."""
        return self.detach(self.prepare(job)).name

    def poll(self, job: str) -> JobState:
        """The job and every step that was started."""
        found = self.cloud.run(job)
        nodes = tuple(
            StepState(path, run.status, run.name, run.started_at, run.ended_at, run.error)
            for path, run in steps_of(self.cloud, job, self._plan_of(job))
        )
        return JobState(job, found.status, found.started_at, found.ended_at, found.error, nodes)

    def logs(self, job: str, node: str = "") -> Iterator[str]:
        """The lines of a log as they come, until the job or step has ended."""
        name = self._run(job, node, wait=True) if node else job
        told, pause = 0, poll_pause()
        while True:
            run = self.cloud.run(name)
            log = followed(run.logs)
            text = self.cloud.text(run.logs[log]) if log else ""
            ended = run.status in TERMINAL
            lines = text.splitlines()
            whole = len(lines) if ended or text.endswith("\n") or not lines else len(lines) - 1
            yield from lines[told:whole]
            told = max(told, whole)
            if ended:
                return
            time.sleep(pause)
            pause = min(pause * 1.2, MOST_PAUSE)

    def fetch(self, job: str, node: str | None, output: str, to: Path) -> Path:
        """Copy an output to a folder; returns the folder."""
        return fetch_output(self.cloud, self._run(job, node) if node else job, output, to)

    def cancel(self, job: str) -> None:
        """Ask for the job's end; an ended one stays as it is."""
        if self.cloud.run(job).status not in TERMINAL:
            with mapped(f"canceling the job '{job}'"):
                self.cloud.client.jobs.begin_cancel(job)

    # -- for the command line

    def steps(self, job: str) -> list[tuple[str, Run]]:
        """The steps of a job that were started, each with its path."""
        return list(steps_of(self.cloud, job, self._plan_of(job)))

    def fetch_artifacts(self, job: str, to: Path) -> Path:
        """Copy an ended job's logs and other artifacts to a folder; returns the folder."""
        return fetch_artifacts(self.cloud, job, to)

    def pull(self, job: str, step: str = "", *, inputs: bool = False, tell: Callable[[str], None]) -> JobRecord:
        """Bring a job into the local workspace; see `creditml_azureml.pulling.pull`."""
        return pull(self.cloud, self.workspace, job, step, inputs=inputs, tell=tell)

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Check a job: what shows in itself first, and what the workspace in Azure says of it only if that is right.

        Raises:
            SpecError: there are errors; all of them, with the warnings.
        """
        resolved, planned, found = self._offline(job, problems, Components(self.cloud))
        if all(problem.warning for problem in found):
            found += live_problems(resolved, self.workspace, self.cloud)
        if planned is None or any(not problem.warning for problem in found):
            raise SpecError(found)
        return Prepared(job, planned, tuple(found))

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """As `prepare`, as far as it goes: without a workspace, a connection or a login, what shows without them."""
        try:
            return Examined(self.prepare(job, problems).warnings)
        except SpecError as error:
            return Examined(error.problems)
        except AuthenticationFailed as error:
            why = f"{_first_line(error)} Sign in by `az login`, or set the variables of a service principal."
        except BackendError as error:
            why = _first_line(error)
        return Examined(tuple(self._offline(job, problems, Nowhere())[2]), why)

    def _offline(
        self, job: Job, problems: tuple[Problem, ...], elsewhere: Elsewhere
    ) -> tuple[Job, Plan | None, list[Problem]]:
        found = list(problems)
        resolved = resolve(job, self.workspace, found, elsewhere)
        whole = all(problem.warning for problem in found) and not unresolved(resolved.root)
        checked = check(resolved, whole=whole)
        found += [*checked.problems, *offline_problems(resolved, self.workspace)]
        return resolved, checked.plan, as_there(found)

    def detach(self, prepared: Prepared) -> JobRecord:
        """Submit a job, and record here that it was."""
        return self._send(prepared)[0]

    def run(self, prepared: Prepared) -> Watch:
        """Submit a job to be watched."""
        record, told = self._send(prepared)
        return Watch(self.cloud, self.workspace, record, prepared.plan, told)

    def get_ready(self) -> None:
        """There is nothing to take that would have to be given back."""

    def close(self) -> None:
        """Likewise."""

    def _send(self, prepared: Prepared) -> tuple[JobRecord, list[str]]:
        self.workspace.create()
        self._refuse_namesake(prepared.job.name)
        frozen = freeze(prepared.plan.job._replace(name=prepared.job.name), self.workspace)
        with attempt(self.workspace.root, self.cloud.target.id, frozen) as tried:
            name, resumed = tried.name, tried.resumed
            told = register(prepared.job, self.workspace, self.cloud)
            there = (resumed or prepared.job.name is not None) and self._exists(name)
            if there and not resumed:
                message = f"Azure ML has a job named '{name}' already; names are unique in a workspace. Choose another."
                raise Conflict(message)
            if there:
                told.append(f"{name} had reached Azure ML when its submission was cut off; it is taken up.")
            tried.sent = there
            try:
                page = self._page(name) if there else self._put(prepared.job, tried)
                record = self._record(frozen, name, page)
            except KeyboardInterrupt:
                if tried.sent:
                    raise Interrupted(name) from None
                raise
        return record, [*told, f"Studio: {page}"]

    def _record(self, job: Job, name: str, page: str) -> JobRecord:
        record = new_record(job, name, self.name)
        record = record._replace(properties={**record.properties, PAGE: page, TARGET: self.cloud.target.id})
        try:
            self.workspace.jobs.add(record)
        except Conflict:
            return self.workspace.jobs.get(name)  # an earlier attempt's
        return record

    def _refuse_namesake(self, name: str | None) -> None:
        """A job is recorded here under its name; what ran here under that name must not be lost."""
        if name:
            see_free(self.workspace, name, self.cloud.target)

    def _put(self, job: Job, tried: Attempt) -> str:
        name = tried.name
        with entity(job, name) as sent:
            tried.sent = True
            try:
                with mapped(f"submitting the job '{name}'"), quietly():
                    made = self.cloud.client.jobs.create_or_update(sent)
            except SpecError:
                tried.sent = False
                raise
            except (BackendError, Conflict):  # it conflicts with itself if an answer was lost and it was sent again
                tried.sent = self._arrived(name)
                if not tried.sent:
                    raise
                return self._page(name)
        return str(made.studio_url or "")

    def _page(self, name: str) -> str:
        with mapped(f"asking for the job '{name}'"):
            return str(self.cloud.client.jobs.get(name).studio_url or "")

    def _exists(self, name: str) -> bool:
        try:
            self.cloud.run(name)
        except NotFound:
            return False
        return True

    def _arrived(self, name: str) -> bool:
        """Whether a job is there whose submission has failed: its answer was lost."""
        try:
            return self._exists(name)
        except BackendError as error:
            message = (
                f"{error}\nIt isn't known whether the job '{name}' reached Azure ML. Run the same command again when "
                "there is a connection: it is taken up then, and not submitted twice."
            )
            raise BackendUnavailable(message) from None

    def _plan_of(self, job: str) -> Plan | None:

        try:
            return recorded_plan(self.workspace.jobs.get(job))
        except NotFound:
            return None

    def _run(self, job: str, node: str, *, wait: bool = False) -> str:
        """The run of a step; one that may start yet can be waited for."""
        plan = self._plan_of(job)
        pause = poll_pause() if wait and (plan is None or node in plan.steps) else None

        def look() -> tuple[bool, Iterator[tuple[str, str]]]:
            ended = self.cloud.run(job).status in TERMINAL
            return ended, ((path, run.name) for path, run in steps_of(self.cloud, job, plan))

        return started_step(job, node, look, pause)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
