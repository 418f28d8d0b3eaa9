"""From a `Job` to a job of the workspace: references resolved, checked, its code snapshotted, recorded."""

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
    """A recorded job for a runner: its lock and wake-up pipe, and what makes environments, if anything does."""

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
        job: as it was read.
        workspace: where registered components and data are looked up.
        problems: what the reader found already.
        look: finds what else is wrong with the plan where it is to run.

    Raises:
        SpecError: there are errors; all of them, with the warnings.
    """
    found = list(problems)
    resolved = resolve(job, workspace, found)
    checked = check(resolved, whole=not any(not problem.warning for problem in found))
    found += checked.problems
    if checked.plan and look is not None:
        found += look(checked.plan)
    if checked.plan is None or any(not problem.warning for problem in found):
        raise SpecError(found)
    return Prepared(resolved, checked.plan, tuple(found))


def submit(prepared: Prepared, workspace: Workspace, backend: str) -> tuple[JobRecord, RunnerLock, Job]:
    """Snapshot the code and record the job as NotStarted; whoever gets the lock runs it, in the form that is returned.

    Raises:
        Conflict: there is a job of that name.
    """
    workspace.database.check()  # before anything is written beside it
    job = freeze(prepared.job, workspace)
    name = job.name or job_name()
    lock = RunnerLock.take(workspace.jobs.root / name)
    if lock is None:
        message = f"A job named '{name}' runs already; job names are unique in a workspace."
        raise Conflict(message)
    record = new_record(job, name, backend)
    try:
        lock.fileno()  # from the first moment in which others see the job it can be woken
        with workspace.transaction(durable=False):  # a job that the machine forgets did not run either
            workspace.jobs.add(record)
    except BaseException:
        lock.release()
        with suppress(OSError):  # not empty: it is another job's
            lock.folder.rmdir()
        raise
    return record, lock, job


def new_record(job: Job, name: str, backend: str) -> JobRecord:
    """What is recorded of a job in its frozen form, before it begins."""
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
    """The experiment of a job that names none: the current folder's name (SDK: `generate_defaults`)."""
    return Path.cwd().stem.replace(" ", "") or DEFAULT_EXPERIMENT
