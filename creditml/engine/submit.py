"""From a `Job` to a job of the workspace: references resolved, checked, its code snapshotted, recorded."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.check import check
from creditml.engine.hold import Hold
from creditml.engine.stage import placeholders
from creditml.errors import Conflict, CreditMLError, Problem, SpecError
from creditml.model import (
    LITERAL_TYPES,
    MODEL_TYPES,
    Command,
    Component,
    Data,
    Job,
    JobInput,
    JobOutput,
    Literal,
    Node,
    Pipeline,
)
from creditml.names import job_name
from creditml.spec.io import remote
from creditml.spec.reader import read_component_document
from creditml.spec.writer import job_dict
from creditml.spec.yaml import Document, from_plain
from creditml.workspace.data import DEFAULT_DATASTORE, is_url
from creditml.workspace.records import JobRecord, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.environments.wanted import Provider
    from creditml.errors import Place
    from creditml.plan import Plan
    from creditml.workspace import Workspace

DEFAULT_EXPERIMENT = "Default"
_CODE_SCHEME = "azureml:"


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
    resolved = _resolve(job, workspace, found)
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
    job = _freeze(prepared.job, workspace)
    name = job.name or job_name()
    hold = Hold.take(workspace.jobs.root / name)
    if hold is None:
        message = f"A job named '{name}' runs already; job names are unique in a workspace."
        raise Conflict(message)
    root = job.root
    record = JobRecord(
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
    frozen = _freeze(Job(Node("", component, component.type)), workspace).root.component
    assert not isinstance(frozen, str)  # noqa: S101  a component stays one
    return frozen


def _freeze(job: Job, workspace: Workspace) -> Job:
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
    if component.code.startswith(_CODE_SCHEME):
        if not code_folder(component.code, workspace).is_dir():
            message = f"There is no code asset {component.code} in this workspace; give the local folder."
            raise CreditMLError(message)
        return component.code
    return f"{_CODE_SCHEME}{workspace.content.snapshot_code(Path(component.code), includes)}:1"


def _resolve(job: Job, workspace: Workspace, problems: list[Problem]) -> Job:
    """Replace references to registered components by what they are, and check that data assets exist."""
    resolver = _Resolver(job, workspace, problems)
    root = resolver.node(job.root, ())
    return job._replace(root=root) if root is not job.root else job


class _Resolver:
    def __init__(self, job: Job, workspace: Workspace, problems: list[Problem]) -> None:
        self._job, self._workspace, self._problems = job, workspace, problems
        self._components: dict[str, Component | None] = {}
        self._known: dict[int, Component] = {}
        self._codes: set[tuple[str, tuple[str, ...]]] = set()
        self._data: dict[tuple[str, str], str] = {}

    def node(self, node: Node, path: tuple[str, ...]) -> Node:
        for name, value in node.inputs.items():
            data = getattr(value, "path", None)
            if isinstance(data, str) and not os.path.isabs(data) and "${{" not in data:
                self._locate(data, value.type, (*path, "inputs", name, "path"))  # type: ignore[union-attr]
        for name, output in node.outputs.items():
            if output.path and not output.path.startswith("$"):
                self._reachable(output.path, (*path, "outputs", name))
            if output.name and output.version:
                self._taken(output, (*path, "outputs", name))
        component: Component | str | None = node.component
        if isinstance(component, str):
            component = self._registered(component, node.type, (*path, "component"))
            if component is not None:
                node = node._replace(inputs=self._as_data(node, component))
        if isinstance(component, Pipeline):
            component = self._pipeline(component, path)
        elif isinstance(component, Command):
            self._code(component, path if component.name is None else (*path, "component"))
        return node if component is None or component is node.component else node._replace(component=component)

    def _pipeline(self, component: Pipeline, path: tuple[str, ...]) -> Pipeline:
        if id(component) in self._known:
            return self._known[id(component)]  # type: ignore[return-value]  # pipelines stay pipelines
        here = path if component.name is None and not path else (*path, "component")
        jobs = {name: self.node(child, (*here, "jobs", name)) for name, child in component.jobs.items()}
        same = all(jobs[name] is child for name, child in component.jobs.items())
        resolved = component if same else component._replace(jobs=jobs)
        self._known[id(component)] = resolved
        return resolved

    def _reachable(self, place: str, path: tuple[str, ...]) -> None:
        try:
            if is_url(self._workspace.data.source(placeholders(place, "job", "output", DEFAULT_DATASTORE))):
                self._error(
                    path, f"{place} can't be written to; outputs go to azureml://datastores/<datastore>/paths/<path>."
                )
        except CreditMLError as error:
            self._error(path, str(error))

    def _taken(self, output: JobOutput, path: tuple[str, ...]) -> None:
        kind = "model" if output.type in MODEL_TYPES else "data"
        known = self._workspace.assets.entries(kind, output.name, archived=True) if self._workspace.exists else []
        if any(asset.version == output.version for asset in known):
            message = (
                f"The {kind} {output.name}:{output.version} exists already; the job will fail when it registers it."
            )
            self._problems.append(Problem(message, ".".join(path), self._place(path), warning=True))

    def _as_data(self, node: Node, component: Component) -> dict[str, JobInput]:
        """A text for an input of data is a path, as it is for components in files."""
        folder = Path(self._job.source.file).absolute().parent if self._job.source else Path.cwd()
        values = dict(node.inputs)
        for name, value in node.inputs.items():
            spec = component.inputs.get(name)
            if spec and spec.type not in LITERAL_TYPES and isinstance(value, Literal) and "${{" not in value.value:
                path = value.value if remote(value.value) else os.path.normpath(folder / value.value)
                values[name] = Data(path, spec.type)
        return values

    def _code(self, component: Command, path: tuple[str, ...]) -> None:
        """Azure ML refuses a code folder of which nothing is left, and additional includes that are in it already."""
        key = (component.code or "", component.additional_includes)
        if key in self._codes or component.code is None or component.code.startswith(_CODE_SCHEME):
            return
        self._codes.add(key)
        code = Path(component.code)
        try:
            if not list(self._workspace.content.code_files(code)):
                self._error(
                    (*path, "code"), f"The code folder {code} is empty, or its ignore file leaves nothing of it."
                )
        except (CreditMLError, OSError) as error:
            self._error((*path, "code"), str(error))
        for include in component.additional_includes:
            if (code / Path(include).name).exists():
                self._error(
                    (*path, "additional_includes"),
                    f"The code folder has a '{Path(include).name}' already; the additional include would replace it.",
                )

    def _registered(self, reference: str, kind: str, path: tuple[str, ...]) -> Component | None:
        if reference not in self._components:
            self._components[reference] = self._load(reference, path)
        component = self._components[reference]
        if component and component.type != kind:
            self._error(
                path,
                f"{reference} is a component of type '{component.type}'; set 'type: {component.type}' on the node.",
            )
            return None
        return component

    def _load(self, reference: str, path: tuple[str, ...]) -> Component | None:
        try:
            asset = self._workspace.assets.resolve("component", reference)
        except CreditMLError as error:
            self._error(path, str(error))
            return None
        document = Document(asset.id, from_plain(dict(asset.spec)), [])
        component, problems, _ = read_component_document(document, self._workspace.root)
        self._problems += [problem for problem in problems if not problem.warning]
        return component._replace(version=asset.version) if component else None

    def _locate(self, data: str, kind: str, path: tuple[str, ...]) -> None:
        if (data, kind) not in self._data:
            try:
                if not is_url(self._workspace.data.source(data, kind)):
                    self._workspace.data.locate(data, kind)
                self._data[data, kind] = ""
            except CreditMLError as error:
                self._data[data, kind] = str(error)
        if self._data[data, kind]:
            self._error(path, self._data[data, kind])

    def _error(self, path: tuple[str, ...], message: str) -> None:
        self._problems.append(Problem(message, ".".join(path), self._place(path)))

    def _place(self, path: tuple[str, ...]) -> Place | None:
        return self._job.source.place(path) if self._job.source else None


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
