"""Replaces the code folders of a job by snapshots in the workspace, so that later changes don't affect the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError
from creditml.graph import map_components
from creditml.model import (
    Command,
    Component,
    Job,
    Node,
)
from creditml.references import code_reference, is_long, is_reference

if TYPE_CHECKING:
    from creditml.workspace import Workspace


def freeze_component(component: Component, workspace: Workspace) -> Component:
    """A copy of a component in which its code folder, and those of the components in it, are replaced by snapshots.

    Raises:
        CreditMLError: It refers to a code asset that the workspace doesn't have.
    """
    frozen = freeze(Job(Node("", component, component.type)), workspace).root.component
    assert not isinstance(frozen, str)  # noqa: S101  freezing never turns a component into a reference
    return frozen


def freeze(job: Job, workspace: Workspace) -> Job:
    """A copy of a job in which every code folder is replaced by its snapshot.

    Raises:
        CreditMLError: It refers to a code asset that the workspace doesn't have.
    """
    snapshots: dict[tuple[str, tuple[str, ...]], str] = {}

    def freeze(component: Component) -> Component:
        if not isinstance(component, Command) or (component.code is None and not component.additional_includes):
            return component
        key = (component.code or "", component.additional_includes)
        if key not in snapshots:
            snapshots[key] = _snapshot(component, workspace)
        return component._replace(code=snapshots[key], additional_includes=())

    return job._replace(root=map_components(job.root, freeze))


def _snapshot(component: Command, workspace: Workspace) -> str:
    includes = [Path(path) for path in component.additional_includes]
    if component.code is None:
        return code_reference(workspace.content.store(list(workspace.content.code_files(None, includes))))
    if is_long(component.code):  # the id of a code asset in Azure ML, which stays there
        return component.code
    if is_reference(component.code):
        if not workspace.content.code_folder(component.code).is_dir():
            message = f"There is no code asset {component.code} in this workspace; set 'code' to the local folder."
            raise CreditMLError(message)
        return component.code
    return code_reference(workspace.content.snapshot_code(Path(component.code), includes))
