"""Assets of the local workspace that a job names and the cloud lacks: they are registered there on the way.

Which ones: `azureml:name:version` of data, environments and components that are here, with what those components name
in turn. Under the same name and version nothing else may be there. `azureml:name@latest` is whatever is the latest
there; only if there is none of that name at all the latest one of here is registered, and a difference is told.
"""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.asset_kinds import title_of
from creditml.errors import CreditMLError, Problem, SpecError
from creditml.language.reader import read_component_document
from creditml.language.yaml import Document, from_plain
from creditml.model import DATA_TYPES, Command, Data, Pipeline
from creditml.references import parse_named, reference
from creditml_azureml.comparing import here, there
from creditml_azureml.errors import mapped
from creditml_azureml.sdk_assets import CONTENT, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Component, Job, Node
    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset
    from creditml_azureml.cloud import Cloud


class Named(NamedTuple):
    """A reference of a job, and the key path at which it stands: of what a registered component names, its own one."""

    kind: str
    reference: str
    path: tuple[str, ...]
    within: str = ""


def register(job: Job, workspace: Workspace, cloud: Cloud) -> list[str]:
    """Register what the job names; returns what was done, a line each.

    Raises:
        SpecError: a name and version exists there with other content, or it can't be told whether it is other content.
    """
    if not workspace.exists:
        return []
    work = _Registering(job, workspace, cloud)
    for named in _names(job.root, ()):
        work.see(named)
    if work.problems:
        raise SpecError(work.problems)  # before anything is changed there
    for asset in work.missing:
        work.create(asset)
    return work.told


def _names(node: Node, path: tuple[str, ...]) -> Iterator[Named]:
    """What a node refers to, with all below it."""
    for name, value in node.inputs.items():
        if isinstance(value, Data) and value.type in DATA_TYPES:
            yield Named("data", value.path, (*path, "inputs", name, "path"))
    if isinstance(node.component, str):
        yield Named("component", node.component, (*path, "component"))
    else:
        yield from _names_of(node.component, path if node.component.name is None else (*path, "component"))


def _names_of(component: Component, path: tuple[str, ...]) -> Iterator[Named]:
    if isinstance(component, Command) and isinstance(component.environment, str):
        yield Named("environment", component.environment, (*path, "environment"))
    elif isinstance(component, Pipeline):
        for name, child in component.jobs.items():
            yield from _names(child, (*path, "jobs", name))


class _Registering:
    def __init__(self, job: Job, workspace: Workspace, cloud: Cloud) -> None:
        self._job, self._workspace, self._cloud = job, workspace, cloud
        self._seen: set[tuple[str, str]] = set()
        self.missing: list[Asset] = []
        self.told: list[str] = []
        self.problems: list[Problem] = []

    def see(self, named: Named) -> None:
        """See that what is named is there."""
        key = named.kind, named.reference
        found = parse_named(named.reference)
        if found is None or key in self._seen:
            return
        self._seen.add(key)
        try:
            asset = self._workspace.assets.resolve(named.kind, named.reference)
        except CreditMLError:  # not here: Azure's affair
            return
        if named.kind == "component":
            for inner in _names_of(self._component(asset), ()):
                self.see(inner._replace(path=named.path, within=named.reference))
        if found.version is None:
            self._latest(asset)
        else:
            self._version(asset, named)

    def _component(self, asset: Asset) -> Component:
        document = Document(asset.id, from_plain(dict(asset.spec)), [])
        component, problems, _ = read_component_document(document, self._workspace.root)
        if component is None:
            raise SpecError(problems)
        return component

    def _latest(self, asset: Asset) -> None:
        versions = self._cloud.versions(asset.kind, asset.name)
        if not versions:
            self.missing.append(asset)
            return
        latest = self._cloud.asset(asset.kind, asset.name, None)
        if latest is not None and self._differences(asset, latest) != {}:
            self.told.append(
                f"{reference(asset.name, label='latest')} is version {latest.version} in Azure ML, "
                f"and not what it is here (version {asset.version})."
            )

    def _version(self, asset: Asset, named: Named) -> None:
        known = self._cloud.asset(asset.kind, asset.name, asset.version)
        if known is None:
            self.missing.append(asset)
            return
        differences = self._differences(asset, known)
        if differences == {}:
            return
        within = f", which {named.within} names," if named.within else ""
        title = f"The {title_of(asset.kind)} {asset.name}:{asset.version}{within}"
        if differences is None:
            message = (
                f"{title} is in Azure ML ({getattr(known, 'id', '')}) and in the local workspace "
                f"({self._workspace.root}), and it can't be told whether they are the same."
            )
        else:
            shown = "; ".join(f"{key}: {other} there, {own} here" for key, (own, other) in differences.items())
            message = f"{title} is in Azure ML with other content ({shown})."
        message = f"{message} {self._proposal(asset)}"
        place = self._job.source.place(named.path) if self._job.source else None
        self.problems.append(Problem(message, ".".join(named.path), place))

    def _differences(self, asset: Asset, known: Any) -> dict[str, tuple[str, str]] | None:
        """In what a version differs; None if that can't be told."""
        kept = (getattr(known, "properties", None) or {}).get(CONTENT)
        own = here(asset, self._workspace, self._cloud)
        if kept and kept == own.digest:
            return {}
        other = there(asset.kind, known)
        keys = [key for key in {**own.aspects, **other.aspects} if own.aspects.get(key) != other.aspects.get(key)]
        known_keys = [key for key in keys if None not in (own.aspects.get(key), other.aspects.get(key))]
        if known_keys:
            return {key: (_short(own.aspects.get(key)), _short(other.aspects.get(key))) for key in known_keys}
        if kept and keys:  # we have put it there, and it was something else
            return {"content": (own.digest[:12], str(kept)[:12])}
        return None if keys else {}

    def _proposal(self, asset: Asset) -> str:
        numbers = [int(text) for text in self._cloud.versions(asset.kind, asset.name) if text.isdecimal()]
        version = max([int(self._workspace.assets.next_version(asset.kind, asset.name)), *(n + 1 for n in numbers)])
        command = f"creditml {asset.kind}"
        return (
            f"Register what is here as its next version, with `{command} show --name {asset.name} --version "
            f"{asset.version} > {asset.name}.yml && {command} create --file {asset.name}.yml --version {version}`, and "
            f"write {reference(asset.name, str(version))}; or name a version of which you mean the content there."
        )

    def create(self, asset: Asset) -> None:
        """Register an asset there; what it needs is there already."""
        doing = f"registering the {title_of(asset.kind)} {asset.name}:{asset.version}"
        digest = here(asset, self._workspace, self._cloud).digest
        with TemporaryDirectory() as folder, mapped(doing):
            self._cloud.register(asset.kind, sent(asset, self._workspace, folder, digest))
        self.told.append(f"{title_of(asset.kind)} {asset.name}:{asset.version} is registered in Azure ML.")


def _short(value: str | None) -> str:
    text = json.dumps(value) if value is None else value
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004  as much as a line bears twice
