"""Resolves the references of a job: replaces registered components by their definitions, and looks for data assets."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from creditml.errors import BackendError, CreditMLError, NotFound, Problem
from creditml.expressions import placeholders
from creditml.graph import walk
from creditml.language.io import MLTABLE, no_mltable, remote
from creditml.language.yaml import Document, from_plain
from creditml.model import (
    LITERAL_TYPES,
    UNREAD,
    Command,
    Component,
    Data,
    Job,
    JobInput,
    JobOutput,
    Literal,
    Node,
    asset_kind,
    changed,
)
from creditml.nodes.specs import read_component_document
from creditml.references import DEFAULT_DATASTORE, is_long, is_reference, parse_datastore
from creditml.workspace.data import is_url

if TYPE_CHECKING:
    from creditml.errors import Place
    from creditml.workspace import Workspace


class Elsewhere(Protocol):
    """Looks up registered components in the workspace where a job is to run, if that is not the local workspace.

    With it, data assets are not looked for in the local workspace: the other workspace reports missing data itself.
    """

    def component(self, reference: str) -> Component | None:
        """A registered component; None if the workspace can't be asked now, so that the reference stays unresolved.

        Raises:
            BackendError: The workspace can't be asked, and the caller needs an answer.
            CreditMLError: The workspace has no such component.
        """
        ...


def resolve(job: Job, workspace: Workspace, problems: list[Problem], elsewhere: Elsewhere | None = None) -> Job:
    """Replace references to registered components by their definitions, and check that data and code exist.

    Args:
        job: The job.
        workspace: The local workspace.
        problems: The list to which problems are added.
        elsewhere: Looks up components that the local workspace doesn't have.
    """
    resolver = _Resolver(job, workspace, problems, elsewhere)
    root = resolver.node(job.root, ())
    return job._replace(root=root) if root is not job.root else job


class _Resolver:
    def __init__(
        self, job: Job, workspace: Workspace, problems: list[Problem], elsewhere: Elsewhere | None = None
    ) -> None:
        self._job, self._workspace, self._problems, self._elsewhere = job, workspace, problems, elsewhere
        self._components: dict[str, Component | None] = {}
        self._known: dict[int, Component] = {}
        self._codes: set[tuple[str, tuple[str, ...]]] = set()
        self._data: dict[tuple[str, str], str] = {}
        self._places: list[str] | None = None

    def node(self, node: Node, path: tuple[str, ...]) -> Node:
        self._ports(node, path)
        if node.component == UNREAD:
            return node
        component: Component | str | None = node.component
        if isinstance(component, str):
            component = self._registered(component, node.type, (*path, "component"))
            if component is not None:
                node = node._replace(inputs=self._as_data(node, component))
        if component is not None and component.jobs is not None:
            component = self._graph(component, path)
        elif isinstance(component, Command):
            source, within = self._job.source, (*path, "component")
            in_place = not source.holds(within) if source else component.name is None
            self._code(component, path if in_place else within)
        return node if component is None or component is node.component else node._replace(component=component)

    def _ports(self, node: Node, path: tuple[str, ...]) -> None:
        for name, value in node.inputs.items():
            if isinstance(value, Data) and not os.path.isabs(value.path) and "${{" not in value.path:
                self._locate(value.path, value.type, (*path, "inputs", name, "path"))
        for name, output in node.outputs.items():
            if output.path and not output.path.startswith("$"):
                self._reachable(output.path, (*path, "outputs", name))
            if output.name and output.version:
                self._taken(output, (*path, "outputs", name))

    def _graph(self, component: Component, path: tuple[str, ...]) -> Component:
        if id(component) in self._known:
            return self._known[id(component)]
        here = path if component.name is None and not path else (*path, "component")
        before = component.jobs or {}
        jobs = {name: self.node(child, (*here, "jobs", name)) for name, child in before.items()}
        same = all(jobs[name] is child for name, child in before.items())
        resolved = component if same else changed(component, jobs=jobs)
        self._known[id(component)] = resolved
        return resolved

    def _reachable(self, place: str, path: tuple[str, ...]) -> None:
        try:
            if is_url(self._workspace.data.source(placeholders(place, "job", "output", DEFAULT_DATASTORE))):
                self._error(path, f"{place} can't be written to; write azureml://datastores/<datastore>/paths/<path>.")
        except CreditMLError as error:
            self._error(path, str(error))

    def _taken(self, output: JobOutput, path: tuple[str, ...]) -> None:
        if self._elsewhere:
            return
        kind = asset_kind(output.type)
        known = self._workspace.assets.entries(kind, output.name, archived=True) if self._workspace.exists else []
        if any(asset.version == output.version for asset in known):
            message = (
                f"The {kind} {output.name}:{output.version} exists already, so the job will fail when it registers "
                "this output; choose another version."
            )
            self._problems.append(Problem(message, ".".join(path), self._place(path), warning=True))

    def _as_data(self, node: Node, component: Component) -> dict[str, JobInput]:
        """The inputs of a node, in which texts for data inputs of the component are turned into paths.

        The reader does the same for components in files; here the component was unknown when the node was read.
        """
        folder = Path(self._job.source.file).absolute().parent if self._job.source else Path.cwd()
        values = dict(node.inputs)
        for name, value in node.inputs.items():
            spec = component.inputs.get(name)
            if spec and spec.type not in LITERAL_TYPES and isinstance(value, Literal) and "${{" not in value.value:
                path = value.value if remote(value.value) else os.path.normpath(folder / value.value)
                values[name] = Data(path, spec.type)
        return values

    def _code(self, component: Command, path: tuple[str, ...]) -> None:
        """Report what Azure ML refuses: a code folder without files, and an additional include that exists in it."""
        key = (component.code or "", component.additional_includes)
        if key in self._codes:
            return
        self._codes.add(key)
        self._same_names(component, path)
        if component.code is None or self._is_stored(component.code, path):
            return
        code = Path(component.code)
        try:
            if not list(self._workspace.content.code_files(code)):
                self._error(
                    (*path, "code"), f"The code folder {code} is empty, or its ignore file excludes all of its files."
                )
        except (CreditMLError, OSError) as error:
            self._error((*path, "code"), str(error))
        for include in component.additional_includes:
            place = code / Path(include).name
            if place.exists() and not (place.is_symlink() and place.resolve() == Path(include).resolve()):
                self._error(
                    (*path, "additional_includes"),
                    f"The code folder contains '{Path(include).name}' already, which the additional include would "
                    "replace; rename one of them.",
                )

    def _is_stored(self, code: str, path: tuple[str, ...]) -> bool:
        """Whether code is a reference; if this workspace does not have what it refers to, that is an error."""
        if not is_reference(code):
            return False
        if not self._elsewhere and not is_long(code):
            try:
                found = self._workspace.content.code_folder(code).is_dir()
            except NotFound:
                found = False
            if not found:
                mend = "give the local folder with the code"
                self._error((*path, "code"), f"There is no code asset {code} in {self._workspace.root}; {mend}.")
        return True

    def _same_names(self, component: Command, path: tuple[str, ...]) -> None:
        """Warn of files of the same name in additional includes, of which the SDK takes the last one."""
        includes = component.additional_includes
        if len({Path(include).name for include in includes}) == len(includes):
            return
        owners: dict[str, str] = {}
        for include in includes:
            with suppress(CreditMLError, OSError):  # reported elsewhere
                for file in self._workspace.content.code_files(None, [Path(include)]):
                    first = owners.setdefault(file.path, include)
                    if first != include:
                        message = f"{include} replaces the file '{file.path}' of {first}, which has the same name."
                        self._warn((*path, "additional_includes"), message, refused=False)
                        return

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
            if self._elsewhere and isinstance(error, NotFound):
                return self._remote(reference, path)
            self._error(path, str(error))
            return None
        document = Document(asset.id, from_plain(dict(asset.spec)), [])
        component, problems, _ = read_component_document(document, self._workspace.root)
        there = self._elsewhere is not None
        self._problems += [problem for problem in problems if not problem.warning or (there and problem.refused)]
        return changed(component, version=asset.version) if component else None

    def _remote(self, reference: str, path: tuple[str, ...]) -> Component | None:
        assert self._elsewhere  # noqa: S101  the caller has checked it
        try:
            return self._elsewhere.component(reference)
        except BackendError:  # the service can't be asked, which is not an error of the job
            raise
        except CreditMLError as error:
            self._error(path, str(error))
            return None

    def _locate(self, data: str, kind: str, path: tuple[str, ...]) -> None:
        if self._elsewhere:
            return
        if (data, kind) not in self._data:
            try:
                self._data[data, kind] = ""
                if not is_url(self._workspace.data.source(data, kind)):
                    folder = self._workspace.data.locate(data, kind)
                    if kind == "mltable" and folder.is_dir() and not (folder / MLTABLE).exists():
                        self._warn(path, no_mltable(data))
            except CreditMLError as error:
                self._data[data, kind] = str(error)
        if self._data[data, kind] and not self._written(data):
            self._error(path, self._data[data, kind])

    def _written(self, data: str) -> bool:
        """Whether a node of the job writes an output to this path of a datastore, to a folder above it or below it."""
        if parse_datastore(data) is None:
            return False
        if self._places is None:
            outputs = (output for visit in walk(self._job.root) for output in visit.node.outputs.values())
            # what comes after a placeholder such as ${{name}} is only known when the step runs
            self._places = [output.path.partition("${{")[0].rstrip("/") for output in outputs if output.path]
        folder = data.rstrip("/*")
        return any(f"{folder}/".startswith(f"{place}/") or place.startswith(f"{folder}/") for place in self._places)

    def _warn(self, path: tuple[str, ...], message: str, *, refused: bool = True) -> None:
        """Note a warning; by default it is about something that Azure ML refuses and this machine runs."""
        place = self._place(path)
        self._problems.append(Problem(message, ".".join(path), place, warning=True, refused=refused))

    def _error(self, path: tuple[str, ...], message: str) -> None:
        self._problems.append(Problem(message, ".".join(path), self._place(path)))

    def _place(self, path: tuple[str, ...]) -> Place | None:
        return self._job.source.place(path) if self._job.source else None
