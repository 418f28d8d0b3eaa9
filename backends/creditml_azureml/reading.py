"""Jobs and components of the cloud, as our own."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from creditml.errors import NotFound, SpecError, Unsupported
from creditml.language.reader import read_component_document, read_job_dict
from creditml.language.yaml import Document, from_plain
from creditml.references import Id, code_reference, named, parse_id, parse_reference
from creditml.wire import reading as wire
from creditml.wire.resources import ANONYMOUS_COMPONENT, ANONYMOUS_ENVIRONMENT
from creditml.wire.words import snake, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.model import Component, Job
    from creditml.workspace import Workspace
    from creditml_azureml.cloud import Cloud

_HASH = re.compile(r"[0-9a-f]{64}")
_TRUE = "true"
_LATEST = "latest"


class Components:
    """Registered components of the cloud; see `creditml.submission.resolving.Elsewhere`."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked yet."""
        self._cloud = cloud

    def component(self, reference: str) -> Component | None:
        """A registered component.

        Its code stays a reference to the cloud's.

        Raises:
            NotFound: the cloud has none.
            Unsupported: it is of a type that isn't read here.
        """
        asset = _asset(reference)
        if asset is None:
            return None
        if asset.label not in (None, _LATEST):
            message = f"{reference}: components have no label but '{_LATEST}'. Write {named(asset.name)}:<version>."
            raise NotFound(message)
        try:
            spec = CloudResolver(self._cloud).component_spec(asset)
        except NotFound:
            message = (
                f"There is no component {reference}, neither in the local workspace nor in Azure ML's workspace "
                f"{self._cloud.target}. `creditml component create -f FILE` registers it here, and a job that needs "
                f"it takes it there; `az ml component list -n {asset.name}` shows the versions that are there."
            )
            raise NotFound(message) from None
        component, problems, _ = read_component_document(Document(reference, from_plain(spec), []), Path.cwd())
        if component is None or any(not problem.warning for problem in problems):
            said = "; ".join(problem.message for problem in problems if not problem.warning)
            message = f"The component {reference} of Azure ML can't be read: {said}"
            raise Unsupported(message)
        return component


def job_of(cloud: Cloud, name: str, workspace: Workspace | None = None, assets: CloudResolver | None = None) -> Job:
    """A job of the cloud, with every component in place.

    Args:
        cloud: where it is.
        name: its name there.
        workspace: where its code is put as snapshots; without one, code stays a reference to the cloud's.
        assets: looks up its ids, and can be asked afterwards what it met.

    Raises:
        NotFound: there is no such job.
        Unsupported: it is of a type that isn't read here.
    """
    body = cloud.job_body(name)
    try:
        return read_job_dict(wire.job_of(name, body, assets or CloudResolver(cloud, workspace)))
    except SpecError as error:
        said = "; ".join(problem.message for problem in error.problems if not problem.warning)
        message = f"The job '{name}' of Azure ML can't be read: {said}"
        raise Unsupported(message) from None


class CloudResolver:
    """Looks up the ids in the cloud's answers; see `creditml.wire.words.AssetResolver`."""

    def __init__(self, cloud: Cloud, workspace: Workspace | None = None) -> None:
        """Nothing is asked yet. With a workspace, code is brought there."""
        self.environments: dict[str, Id] = {}
        """Environments with a name that were met, by their references."""
        self._cloud, self._workspace = cloud, workspace
        self._known: dict[str, Any] = {}

    def component(self, sent: str) -> Any:  # str or dict
        """A component stands in place, since the job is to be read where the cloud can't be asked."""
        asset = parse_id(sent) or _asset(named(sent))
        return sent if asset is None else self._once(sent, lambda: self.component_spec(asset))

    def component_spec(self, asset: Id) -> dict[str, Any]:
        """A component in the terms of the spec language."""
        body = self._cloud.component_body(asset)
        spec = wire.component_of({**body, "inputs": _declared(body.get("inputs"))}, self)
        if asset.name == ANONYMOUS_COMPONENT:
            spec.pop("name", None)
            return spec
        return {**spec, "name": asset.name, "version": body["version"]}

    def environment(self, sent: str) -> Any:  # str or dict
        """An environment's reference; an anonymous one stands in place."""
        asset = parse_id(sent)
        if asset is None:
            return named(sent)
        if asset.name != ANONYMOUS_ENVIRONMENT:
            self.environments[asset.reference] = asset
            return asset.reference
        return self._once(sent, lambda: environment_spec(self._cloud.environment_body(asset)))

    def code(self, sent: str) -> str:
        """Code is named by its content's hash, once it is here; that of a registry stays there."""
        asset = parse_id(sent)
        if asset is None or self._workspace is None or asset.registry:
            return named(sent)
        digest: str = self._once(sent, lambda: bring_code(self._cloud, asset, self._workspace))
        return code_reference(digest)

    def _once(self, key: str, ask: Any) -> Any:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]


def environment_spec(body: Mapping[str, Any]) -> dict[str, Any]:
    """An environment's `properties` in the terms of the spec language, without name and version."""
    fields = snake(body)
    conda, build = fields.get("conda_file"), fields.get("build")
    system = str(fields.get("os_type") or "linux").lower()
    return some(
        image=None if build else fields.get("image"),
        conda_file=yaml.safe_load(conda) if isinstance(conda, str) else conda,
        build={"path": build["contextUri"], "dockerfile_path": build.get("dockerfilePath") or "Dockerfile"}
        if build
        else None,
        os_type=None if system == "linux" else system,
        inference_config=snake(fields["inference_config"]) if fields.get("inference_config") else None,
    )


def bring_code(cloud: Cloud, asset: Id, workspace: Workspace) -> str:
    """Keep a code asset as a snapshot of the workspace, unless it is one already; returns its hash."""
    body = cloud.code_body(asset)
    told = str((body.get("properties") or {}).get("hash_sha256") or asset.name)
    if _HASH.fullmatch(told) and workspace.content.folder(told).is_dir():
        return told
    workspace.create()
    with TemporaryDirectory(dir=workspace.root) as folder:
        cloud.download_code(body["codeUri"], Path(folder))
        return workspace.content.keep(Path(folder))


def _asset(reference: str) -> Id | None:
    """What a reference in the spec language names; None if it is none."""
    found = parse_reference(reference)
    if found is None:
        return None
    return Id("components", found.name, found.version, found.label, found.registry)


def _declared(inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Declared inputs as the spec language has them: Azure ML sends what is true as a text."""
    if not inputs:
        return None
    return {name: {**spec, **_truth(spec)} for name, spec in inputs.items()}


def _truth(spec: Mapping[str, Any]) -> dict[str, bool]:
    value = spec.get("optional")
    return {} if value is None else {"optional": str(value).lower() == _TRUE}
