"""Assets that a job names, the local workspace has and Azure ML lacks: they are registered there before the submission.

* `azureml:name:version` of data, environments and components that the local workspace has, and of everything that those
  components name. It is an error if Azure ML has other content under the same name and version.
* `azureml:name@latest` is the latest version in Azure ML. The local one is registered only if Azure ML has no version
  at all; if they differ, the user gets a message.
"""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.asset_kinds import title_of
from creditml.errors import CreditMLError, Problem, SpecError
from creditml.language.yaml import Document, from_plain
from creditml.model import DATA_TYPES, Command, Data
from creditml.nodes.specs import read_component_document
from creditml.references import parse_named, reference
from creditml_azureml.comparing import cloud_content, local_content
from creditml_azureml.errors import mapped
from creditml_azureml.sdk_assets import CONTENT, sdk_asset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Component, Job, Node
    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset
    from creditml_azureml.cloud import Cloud


class Named(NamedTuple):
    """A reference in a job, and its key path.

    `within` is the registered component that contains the reference, if one does; the key path is the component's then.
    """

    kind: str
    reference: str
    path: tuple[str, ...]
    within: str = ""


def register(job: Job, workspace: Workspace, cloud: Cloud) -> list[str]:
    """Register the assets that a job names; returns a message for each thing done.

    Raises:
        SpecError: Azure ML has other content under a name and version, or the contents can't be compared.
    """
    if not workspace.exists:
        return []
    work = _Registering(job, workspace, cloud)
    for named in _names(job.root, ()):
        work.look_up(named)
    if work.problems:
        raise SpecError(work.problems)  # before anything is registered
    for asset in work.missing:
        work.create(asset)
    return work.messages


def _names(node: Node, path: tuple[str, ...]) -> Iterator[Named]:
    """The references of a node, and of all nodes below it."""
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
    for name, child in (component.jobs or {}).items():
        yield from _names(child, (*path, "jobs", name))


class _Registering:
    def __init__(self, job: Job, workspace: Workspace, cloud: Cloud) -> None:
        self._job, self._workspace, self._cloud = job, workspace, cloud
        self._seen: set[tuple[str, str]] = set()
        self.missing: list[Asset] = []
        self.messages: list[str] = []
        self.problems: list[Problem] = []

    def look_up(self, named: Named) -> None:
        """Find out whether Azure ML has an asset, and whether it is the same as the local one."""
        key = named.kind, named.reference
        found = parse_named(named.reference)
        if found is None or key in self._seen:
            return
        self._seen.add(key)
        try:
            asset = self._workspace.assets.resolve(named.kind, named.reference)
        except CreditMLError:  # the local workspace lacks it: Azure ML has to have it
            return
        if named.kind == "component":
            for inner in _names_of(self._component(asset), ()):
                self.look_up(inner._replace(path=named.path, within=named.reference))
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
        versions = self._cloud.assets.versions(asset.kind, asset.name)
        if not versions:
            self.missing.append(asset)
            return
        latest = self._cloud.assets.find(asset.kind, asset.name, None)
        if latest is not None and self._differences(asset, latest) != {}:
            self.messages.append(
                f"{reference(asset.name, label='latest')} is version {latest.version} in Azure ML, "
                f"and differs from the latest version here (version {asset.version})."
            )

    def _version(self, asset: Asset, named: Named) -> None:
        known = self._cloud.assets.find(asset.kind, asset.name, asset.version)
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
        """In which aspects a version differs (here, there); None if that can't be told."""
        kept = (getattr(known, "properties", None) or {}).get(CONTENT)
        own = local_content(asset, self._workspace)
        if kept and kept == own.digest:
            return {}
        other = cloud_content(asset.kind, known)
        keys = [key for key in {**own.aspects, **other.aspects} if own.aspects.get(key) != other.aspects.get(key)]
        known_keys = [key for key in keys if None not in (own.aspects.get(key), other.aspects.get(key))]
        if known_keys:
            return {key: (_short(own.aspects.get(key)), _short(other.aspects.get(key))) for key in known_keys}
        if kept and keys:  # creditml has registered it, with other content
            return {"content": (own.digest[:12], str(kept)[:12])}
        return None if keys else {}

    def _proposal(self, asset: Asset) -> str:
        numbers = [int(text) for text in self._cloud.assets.versions(asset.kind, asset.name) if text.isdecimal()]
        version = max([int(self._workspace.assets.next_version(asset.kind, asset.name)), *(n + 1 for n in numbers)])
        command = f"creditml {asset.kind}"
        return (
            f"Register what is here as its next version, with `{command} show --name {asset.name} --version "
            f"{asset.version} > {asset.name}.yml && {command} create --file {asset.name}.yml --version {version}`, and "
            f"write {reference(asset.name, str(version))}; or name a version with the content that you mean."
        )

    def create(self, asset: Asset) -> None:
        """Register an asset in Azure ML, which has everything that the asset needs already."""
        doing = f"registering the {title_of(asset.kind)} {asset.name}:{asset.version}"
        digest = local_content(asset, self._workspace).digest
        with TemporaryDirectory() as folder, mapped(doing):
            self._cloud.assets.register(asset.kind, sdk_asset(asset, self._workspace, folder, digest))
        self.messages.append(f"{title_of(asset.kind)} {asset.name}:{asset.version} is registered in Azure ML.")


def _short(value: str | None) -> str:
    text = json.dumps(value) if value is None else value
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004  two of them fit into a line
