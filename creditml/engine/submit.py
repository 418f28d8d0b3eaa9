"""From a `Job` to a job of the workspace: references resolved, checked, its code snapshotted, recorded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.check import check
from creditml.engine.hold import Hold
from creditml.engine.resolving import resolve
from creditml.errors import Conflict, CreditMLError, Problem, SpecError
from creditml.model import (
    Command,
    Component,
    Job,
    Node,
    Pipeline,
)
from creditml.names import job_name
from creditml.spec.writer import job_dict
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.environments.wanted import Provider
    from creditml.plan import Plan
    from creditml.workspace import Workspace

DEFAULT_EXPERIMENT = "Default"
_CODE_SCHEME = "azureml:"
_ELSEWHERE = ("azureml:/subscriptions/", "azureml://registries/", "azureml:azureml://registries/")
"""Code with an id of Azure ML's is there, and never was here."""


class Prepared(NamedTuple):
    """A job that can be submitted, and what was noticed on the way."""

    job: Job
    plan: Plan
    warnings: tuple[Problem, ...]


class Submitted(NamedTuple):
    """A recorded job for a runner: its lock and wake-up pipe, and what makes environments, if anything does."""

    record: JobRecord
    hold: Hold
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


def submit(prepared: Prepared, workspace: Workspace, backend: str) -> tuple[JobRecord, Hold, Job]:
    """Snapshot the code and record the job as NotStarted; whoever gets the hold runs it, in the form that is returned.

    Raises:
        Conflict: there is a job of that name.
    """
    workspace.database.check()  # before anything is written beside it
    job = freeze(prepared.job, workspace)
    name = job.name or job_name()
    hold = Hold.take(workspace.jobs.root / name)
    if hold is None:
        message = f"A job named '{name}' runs already; job names are unique in a workspace."
        raise Conflict(message)
    record = new_record(job, name, backend)
    try:
        hold.fileno()  # from the first moment in which others see the job it can be woken
        with workspace.transaction(durable=False):  # a job that the machine forgets did not run either
            workspace.jobs.add(record)
    except BaseException:
        hold.release()
        with suppress(OSError):  # not empty: it is another job's
            hold.folder.rmdir()
        raise
    return record, hold, job


def new_record(job: Job, name: str, backend: str) -> JobRecord:
    """What is recorded of a job in its frozen form, before it begins."""
    root = job.root
    return JobRecord(
        name=name,
        type=root.type,
        root=name,
        experiment_name=job.experiment_name or default_experiment(),
        status="NotStarted",
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


def code_folder(code: str, workspace: Workspace) -> Path:
    """The snapshot that a frozen job's `code` means."""
    return workspace.content.folder(code.removeprefix(_CODE_SCHEME).partition(":")[0])


def local_code(component: Command, workspace: Workspace) -> tuple[str, tuple[str, ...]]:
    """A step's code folder on this machine (empty if it has none), and what is put beside the files in it."""
    code = component.code or ""
    folder = str(code_folder(code, workspace)) if code.startswith(_CODE_SCHEME) else code
    return folder, component.additional_includes


def freeze_component(component: Component, workspace: Workspace) -> Component:
    """A component with its code folder, and those of the components in it, replaced by snapshots."""
    frozen = freeze(Job(Node("", component, component.type)), workspace).root.component
    assert not isinstance(frozen, str)  # noqa: S101  a component stays one
    return frozen


def freeze(job: Job, workspace: Workspace) -> Job:
    """The job with every code folder replaced by its snapshot."""
    snapshots: dict[tuple[str, tuple[str, ...]], str] = {}

    def freeze(component: Component) -> Component:
        if not isinstance(component, Command) or (component.code is None and not component.additional_includes):
            return component
        key = (component.code or "", component.additional_includes)
        if key not in snapshots:
            snapshots[key] = _snapshot(component, workspace)
        return component._replace(code=snapshots[key], additional_includes=())

    return _map_components(job, freeze)


def _snapshot(component: Command, workspace: Workspace) -> str:
    includes = [Path(path) for path in component.additional_includes]
    if component.code is None:
        files = [file for include in includes for file in workspace.content.code_files(include)]
        return f"{_CODE_SCHEME}{workspace.content.store(files)}:1"
    if component.code.startswith(_ELSEWHERE):
        return component.code
    if component.code.startswith(_CODE_SCHEME):
        if not code_folder(component.code, workspace).is_dir():
            message = f"There is no code asset {component.code} in this workspace; give the local folder."
            raise CreditMLError(message)
        return component.code
    return f"{_CODE_SCHEME}{workspace.content.snapshot_code(Path(component.code), includes)}:1"


def _map_components(job: Job, change: Callable[[Component], Component]) -> Job:
    """A job with every component changed, one that is used many times once."""
    known: dict[int, Component] = {}

    def visit(component: Component) -> Component:
        if id(component) not in known:
            changed = change(component)
            if isinstance(changed, Pipeline):
                changed = changed._replace(jobs={name: node(child) for name, child in changed.jobs.items()})
            known[id(component)] = changed
        return known[id(component)]

    def node(child: Node) -> Node:
        return child if isinstance(child.component, str) else child._replace(component=visit(child.component))

    return job._replace(root=node(job.root))
