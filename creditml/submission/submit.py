"""Submits a `Job` to the workspace: resolves references, checks it, snapshots its code and records it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.check import check
from creditml.errors import Conflict, Problem, SpecError
from creditml.names import job_name
from creditml.nodes.specs import job_dict
from creditml.seams.executor import Prepared
from creditml.statuses import NOT_STARTED
from creditml.submission.freezing import freeze
from creditml.submission.resolving import resolve
from creditml.workspace.records import JobRecord, now
from creditml.workspace.runner_lock import RunnerLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.environments.wanted import Provider
    from creditml.model import (
        Job,
        Node,
    )
    from creditml.plan import Plan
    from creditml.workspace import Workspace

DEFAULT_EXPERIMENT = "Default"


class Submitted(NamedTuple):
    """A recorded job, ready for a runner.

    Attributes:
        record: The job's record.
        lock: The runner's lock, which also wakes the runner up.
        plan: The job's steps.
        provider: Makes the provider of environments for its steps; None if the backend needs none.
    """

    record: JobRecord
    lock: RunnerLock
    plan: Plan
    provider: Callable[[], Provider] | None = None


def prepare(
    job: Job,
    workspace: Workspace,
    problems: tuple[Problem, ...] = (),
    look: Callable[[Plan], list[Problem]] | None = None,
) -> Prepared:
    """Resolve references and check a job.

    Args:
        job: The job, as it was read.
        workspace: The workspace in which registered components and data are looked up.
        problems: The problems that the reader has found.
        look: Finds further problems of the plan, those of the backend that is to run it. If the job has errors, it gets
            a draft of the plan.

    Raises:
        SpecError: There are errors; it holds all errors and warnings.
    """
    found = list(problems)
    resolved = resolve(job, workspace, found)
    checked = check(resolved, whole=not any(not problem.warning for problem in found))
    found += checked.problems
    if checked.draft and look is not None:
        found += look(checked.draft)
    if checked.plan is None or any(not problem.warning for problem in found):
        raise SpecError(found)
    return Prepared(resolved, checked.plan, tuple(found))


def submit(prepared: Prepared, workspace: Workspace, backend: str) -> tuple[JobRecord, RunnerLock, Job]:
    """Snapshot the code of a job, and record the job as NotStarted.

    Returns:
        The record, the runner's lock (the process that holds it has to run the job), and the job with its snapshots.

    Raises:
        Conflict: There is a job of that name already.
    """
    workspace.database.check()  # before files are written next to the database
    job = freeze(prepared.job, workspace)
    name = job.name or job_name()
    lock = RunnerLock.take(workspace.jobs.root / name)
    if lock is None:
        message = f"A job named '{name}' is running already; job names are unique in a workspace. Choose another name."
        raise Conflict(message)
    record = new_record(job, name, backend)
    try:
        lock.fileno()  # create the wake-up pipe before other processes can see the job
        with workspace.transaction(durable=False):  # not durable: a job that is lost in a crash here has not run
            workspace.jobs.add(record)
    except BaseException:
        lock.release()
        with suppress(OSError):  # fails if the folder has files of another job
            lock.folder.rmdir()
        raise
    return record, lock, job


def new_record(job: Job, name: str, backend: str) -> JobRecord:
    """The record of a job before it starts; `job` has snapshots instead of code folders."""
    root = job.root
    return JobRecord(
        name=name,
        type=root.type,
        root=name,
        experiment_name=job.experiment_name or default_experiment(),
        status=NOT_STARTED,
        created_at=now(),
        display_name=root.display_name or _display_name(root) or name,
        spec=job_dict(job._replace(name=name)),
        backend=backend,
        tags=dict(root.tags),
        properties=dict(root.properties),
    )


def _display_name(root: Node) -> str | None:
    return None if isinstance(root.component, str) else root.component.display_name


def default_experiment() -> str:
    """The experiment of jobs without `experiment_name`: the name of the current folder (SDK: `generate_defaults`)."""
    return Path.cwd().stem.replace(" ", "") or DEFAULT_EXPERIMENT
