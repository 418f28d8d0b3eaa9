"""From a job of the genuine SDK to a `Job` that can be written to a file, with the local paths of its code and data.

The SDK submits it to a temporary workspace, so that the graph is the one that Azure would have been sent.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from azure.ai.ml import Input, MLClient

from creditml.entry_points import DEFAULT
from creditml.errors import CreditMLError
from creditml.model import NOTHING, Command, Component, Data, Job, JobInput, Literal, Node, changed
from creditml.references import LOCAL, code_reference, is_arm_id, is_reference
from creditml.service.credential import LocalCredential
from creditml.service.service import Service
from creditml.service.transport import control_plane, in_process, serve_blobs
from creditml.submission.submit import prepare, submit
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.workspace.records import JobRecord


def compiled(entity: Any) -> Job:
    """The job that Azure would be sent, with the local paths that the SDK uploads from.

    Args:
        entity: A pipeline job or command of `azure.ai.ml`; submitting changes it, so it is of no further use.

    Raises:
        CreditMLError: the SDK or the local workspace refuses it.
    """
    logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)  # it warns about its own experimental classes
    named = getattr(entity, "experiment_name", None)
    places = list(_local_paths(entity))
    kinds = {name: str(spec.type) for name, spec in _declared(entity).items()}
    with TemporaryDirectory() as folder:
        job = _captured(entity, Path(folder))
        workspace = Workspace(Path(folder))
        try:
            origins = dict(_uploads(places, workspace))
        finally:
            workspace.close()
    root = _LocalPaths(origins).node(job.root)._replace(properties=NOTHING)
    component = root.component
    if not isinstance(component, str) and component.jobs is not None and kinds:
        inputs = {
            name: spec._replace(type=kinds.get(name, spec.type)) if spec.type == "string" else spec
            for name, spec in component.inputs.items()
        }
        root = root._replace(component=changed(component, inputs=inputs))
    return job._replace(root=root, name=None, experiment_name=named)


def _captured(entity: Any, folder: Path) -> Job:
    taken: list[Job] = []

    def take(workspace: Workspace, job: Job) -> JobRecord:
        prepared = prepare(job, workspace)
        record, lock, _ = submit(prepared, workspace, DEFAULT)
        lock.release()
        taken.append(job)
        return record

    service = Service(folder, in_process(), lambda: "", take)
    serve_blobs(service)
    client = MLClient(
        LocalCredential(service.keys),
        LOCAL.subscription,
        LOCAL.group,
        LOCAL.workspace,
        transport=control_plane(service),
        enable_telemetry=False,
        show_progress=False,
    )
    try:
        client.jobs.create_or_update(entity)
    except Exception as error:
        if not taken:
            message = f"Azure ML's SDK refuses the job: {_said(str(error))}"
            raise CreditMLError(message) from error
    return taken[0]


def _said(text: str) -> str:
    """The text of an SDK's error, without the advice for its own command line."""
    marked = [line.partition("(x)")[2].strip() for line in text.splitlines() if line.strip().startswith("(x)")]
    return " ".join(marked) or text.strip()


def _declared(entity: Any) -> Mapping[str, Any]:
    return getattr(getattr(entity, "component", None), "inputs", None) or {}


def _local_paths(entity: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What the SDK will upload: kind (`code`, or the type of data), path, and additional includes of code."""
    component = getattr(entity, "component", None)
    base = getattr(component, "base_path", None) or getattr(entity, "base_path", None) or Path.cwd()
    code = getattr(component, "code", None)
    if isinstance(code, str | os.PathLike) and not is_reference(str(code)) and not is_arm_id(str(code)):
        includes = getattr(component, "additional_includes", None) or ()
        yield "code", _at(base, code), tuple(_at(base, include) for include in includes)
    for value in (getattr(entity, "inputs", None) or {}).values():
        data = getattr(value, "_data", value)
        path = data.path if isinstance(data, Input) else None
        if isinstance(path, str | os.PathLike) and ":" not in str(path) and "${{" not in str(path):
            yield str(data.type), _at(getattr(entity, "base_path", None) or Path.cwd(), path), ()
    jobs = getattr(entity, "jobs", None) or getattr(component, "jobs", None) or {}
    for child in jobs.values():
        yield from _local_paths(child)


def _at(base: Any, path: Any) -> str:
    return str(os.path.normpath(os.path.join(os.fspath(base), os.fspath(path))))


def _uploads(
    places: list[tuple[str, str, tuple[str, ...]]], workspace: Workspace
) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """The name under which the workspace has each upload, with the local paths from which it came."""
    for kind, place, includes in places:
        if not os.path.exists(place):
            continue
        if kind == "code":
            digest = workspace.content.snapshot_code(Path(place), [Path(include) for include in includes])
            yield code_reference(digest), (place, includes)
        else:
            yield workspace.data.keep(place, "uri_folder" if os.path.isdir(place) else "uri_file"), (place, ())


class _LocalPaths:
    """Replaces the URIs of uploads in a job by the local paths from which they came."""

    def __init__(self, origins: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
        self._origins = origins
        self._known: dict[str, Component] = {}
        self._components = self

    def node(self, node: Node) -> Node:
        """A job's root with local paths, and all nodes below it."""
        return self._node(node, self)

    def _node(self, node: Node, components: _LocalPaths) -> Node:
        component = node.component
        made = component if isinstance(component, str) else components._component(component, node.name)
        return node._replace(component=made, inputs={name: self._input(item) for name, item in node.inputs.items()})

    def _component(self, component: Component, user: str) -> Component:
        """Equal components become one object; one without a name gets the name of the first node that uses it."""
        made = self._changed(component)
        return self._known.setdefault(repr(made), changed(made, name=made.name or user or None))

    def _changed(self, component: Component) -> Component:
        if isinstance(component, Command):
            code, includes = self._origins.get(component.code or "", (component.code, ()))
            return component._replace(code=code, additional_includes=includes)
        if component.jobs is None:
            return component
        return changed(
            component, jobs={name: self._node(child, self._components) for name, child in component.jobs.items()}
        )

    def _input(self, value: JobInput) -> JobInput:
        if isinstance(value, Literal):
            return value
        place, _ = self._origins.get(value.path.rstrip("/"), (value.path, ()))
        return Data(**{**value._asdict(), "path": place})


def relative(job: Job, folder: Path, components: Path) -> Job:
    """A job with local paths relative to the folder of its file, and to the one of its components' files."""
    return job._replace(root=_Relative(folder, _Relative(components)).node(job.root))


class _Relative(_LocalPaths):
    def __init__(self, folder: Path, components: _Relative | None = None) -> None:
        super().__init__({})
        self._folder = folder
        self._components = components or self

    def _changed(self, component: Component) -> Component:
        made = super()._changed(component)
        if not isinstance(made, Command) or not isinstance(component, Command):
            return made
        includes = tuple(self._short(include) for include in component.additional_includes)
        code = component.code and self._short(component.code)
        return made._replace(code=code, additional_includes=includes)

    def _input(self, value: JobInput) -> JobInput:
        return value if isinstance(value, Literal) else value._replace(path=self._short(value.path))

    def _short(self, path: str) -> str:
        if not os.path.isabs(path):
            return path
        short = os.path.relpath(path, self._folder)
        return short if short.startswith("..") else f"./{short}"
