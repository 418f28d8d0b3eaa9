"""Jobs and components of Azure ML, read as creditml's own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from creditml.errors import NotFound, SpecError, Unsupported
from creditml.language.yaml import Document, from_plain, parse, plain
from creditml.nodes.specs import read_component_document, read_job_dict
from creditml.references import Id, code_reference, is_digest, named, parse_id, parse_reference
from creditml.wire import reading as wire
from creditml.wire.resources import ANONYMOUS_COMPONENT, ANONYMOUS_ENVIRONMENT
from creditml.wire.words import snake, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.model import Component, Job
    from creditml.workspace import Workspace
    from creditml_azureml.cloud import Cloud

_TRUE = "true"
_LATEST = "latest"


class CloudComponents:
    """Components that are registered in Azure ML; see `creditml.submission.resolving.Elsewhere`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def component(self, reference: str) -> Component | None:
        """A registered component, whose code stays a reference into Azure ML; None if this isn't a reference.

        Raises:
            NotFound: Azure ML has no such component.
            Unsupported: creditml can't read components of its type.
        """
        asset = _component_named(reference)
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


def read_cloud_job(
    cloud: Cloud, name: str, workspace: Workspace | None = None, assets: CloudResolver | None = None
) -> Job:
    """Read a job of Azure ML, with the definitions of all its components.

    Args:
        cloud: where the job is.
        name: its name there.
        workspace: gets snapshots of its code; without one, code stays a reference into Azure ML.
        assets: looks up its ids, and can be asked afterwards what it met.

    Raises:
        NotFound: there is no such job.
        Unsupported: creditml can't read jobs of its type.
    """
    body = cloud.jobs.body(name)
    try:
        return read_job_dict(wire.job_of(name, body, assets or CloudResolver(cloud, workspace)))
    except SpecError as error:
        said = "; ".join(problem.message for problem in error.problems if not problem.warning)
        message = f"The job '{name}' of Azure ML can't be read: {said}"
        raise Unsupported(message) from None


class CloudResolver:
    """Looks up the ids in the cloud's answers; see `creditml.wire.words.AssetResolver`."""

    def __init__(self, cloud: Cloud, workspace: Workspace | None = None) -> None:
        """Take a workspace that gets snapshots of code, or none: code stays a reference into Azure ML then."""
        self.environments: dict[str, Id] = {}
        """The named environments that were looked up, by their references."""
        self._cloud, self._workspace = cloud, workspace
        self._known: dict[str, Any] = {}

    def component(self, sent: str) -> Any:  # str or dict
        """The definition of a component, so that the job can be read later without a connection."""
        asset = parse_id(sent) or _component_named(named(sent))
        return sent if asset is None else self._once(sent, lambda: self.component_spec(asset))

    def component_spec(self, asset: Id) -> dict[str, Any]:
        """The definition of a component in the terms of the spec language."""
        body = self._cloud.assets.component_body(asset)
        spec = wire.component_of({**body, "inputs": _declared(body.get("inputs"))}, self)
        if asset.name == ANONYMOUS_COMPONENT:
            spec.pop("name", None)
            return spec
        return {**spec, "name": asset.name, "version": body["version"]}

    def environment(self, sent: str) -> Any:  # str or dict
        """The reference of an environment; the definition of an anonymous one."""
        asset = parse_id(sent)
        if asset is None:
            return named(sent)
        if asset.name != ANONYMOUS_ENVIRONMENT:
            self.environments[asset.reference] = asset
            return asset.reference
        return self._once(sent, lambda: environment_spec(self._cloud.assets.environment_body(asset)))

    def code(self, sent: str) -> str:
        """The reference of a snapshot in the workspace, to which code is brought; code of a registry stays there."""
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
    """The definition of an environment in the terms of the spec language, from its `properties`, without its name."""
    fields = snake(body)
    conda, build = fields.get("conda_file"), fields.get("build")
    system = str(fields.get("os_type") or "linux").lower()
    return some(
        image=None if build else fields.get("image"),
        conda_file=plain(parse(conda, "conda file").root) if isinstance(conda, str) else conda,
        build={"path": build["contextUri"], "dockerfile_path": build.get("dockerfilePath") or "Dockerfile"}
        if build
        else None,
        os_type=None if system == "linux" else system,
        inference_config=snake(fields["inference_config"]) if fields.get("inference_config") else None,
    )


def bring_code(cloud: Cloud, asset: Id, workspace: Workspace) -> str:
    """Make a snapshot of a code asset in the workspace, unless it has one already; returns its hash."""
    body = cloud.assets.code_body(asset)
    digest = str((body.get("properties") or {}).get("hash_sha256") or asset.name)
    if is_digest(digest) and workspace.content.folder(digest).is_dir():
        return digest
    workspace.create()
    with TemporaryDirectory(dir=workspace.root) as folder:
        cloud.data.copy_code(body["codeUri"], Path(folder))
        return workspace.content.keep(Path(folder))


def _component_named(reference: str) -> Id | None:
    """The component that a reference of the spec language names; None if it is not a reference."""
    found = parse_reference(reference)
    if found is None:
        return None
    return Id("components", found.name, found.version, found.label, found.registry)


def _declared(inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Declared inputs as the spec language has them: Azure ML sends `optional` as a text."""
    if not inputs:
        return None
    return {name: {**spec, **_truth(spec)} for name, spec in inputs.items()}


def _truth(spec: Mapping[str, Any]) -> dict[str, bool]:
    value = spec.get("optional")
    return {} if value is None else {"optional": str(value).lower() == _TRUE}
