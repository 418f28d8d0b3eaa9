"""What the workspace in Azure lacks of the things that a job names; it is asked for each thing once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.asset_kinds import ASSET_KINDS, title_of
from creditml.environments.curated import find
from creditml.errors import AuthenticationFailed, BackendError, CreditMLError, NotFound, near_miss
from creditml.findings import Findings
from creditml.graph import walk
from creditml.model import Command, Data, asset_kind
from creditml.references import (
    bare,
    is_arm_id,
    is_reference,
    parse_datastore,
    parse_output,
    parse_reference,
    resource_name,
)
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from creditml.errors import Problem
    from creditml.graph import Visit
    from creditml.model import Job, Node
    from creditml.references import Reference
    from creditml.workspace import Workspace
    from creditml_azureml.cloud import Cloud

_SERVERLESS = ("serverless", "local")
"""Words that are not names of computes; the check has reported `local`."""
_FORBIDDEN = 403
_MISSING = 404
_READY = "Succeeded"
_STOPPED = ("stopped", "stopping")
_SHOWN = 9  # names of a hint


class _Listing(NamedTuple):
    """How to list what Azure has, for a hint if it lacks `name`."""

    name: str
    ask: Callable[[], Iterable[Any]]


class Forbidden(AuthenticationFailed):
    """The account that is signed in may not do that."""


def online_problems(job: Job, workspace: Workspace, cloud: Cloud) -> list[Problem]:
    """Problems of a job that only the workspace in Azure can tell: what it lacks of the things that the job names.

    Args:
        job: the job, its references to components resolved as far as they are known.
        workspace: the local one; its assets will be registered in Azure before the submission.
        cloud: the one in Azure.

    Raises:
        BackendUnavailable: it can't be reached.
        AuthenticationFailed: nobody is signed in.
    """
    check = OnlineCheck(job, workspace, cloud)
    check.everything()
    return check.findings.problems


class OnlineCheck:
    """Asks for the things that a job names; problems go to `findings`."""

    def __init__(self, job: Job, workspace: Workspace, cloud: Cloud) -> None:
        self.findings = Findings(job)
        self._job, self._workspace, self._cloud = job, workspace, cloud
        self._asked: dict[str, Any] = {}
        self._components: set[int] = set()

    def everything(self) -> None:
        """Ask for the workspace, and if it exists for each thing that the job names."""
        target = self._cloud.target
        workspaces = self._cloud.client.workspaces
        if self._get((), f"workspace {target}", lambda: workspaces.get(target.workspace_name)) is None:
            return
        settings = self._job.settings
        if settings.default_compute:
            self._compute(settings.default_compute, ("settings", "default_compute"))
        if settings.default_datastore:
            self._datastore(settings.default_datastore, ("settings", "default_datastore"))
        for visit in walk(self._job.root):
            self._node(visit)

    def _node(self, visit: Visit) -> None:
        node, path = visit.node, visit.path
        if node.compute:
            self._compute(node.compute, (*path, "compute"))
        for name, value in node.inputs.items():
            if isinstance(value, Data):
                at = (*path, "inputs", name, "path")
                self._data(value.path, asset_kind(value.type), at)
        for name, output in node.outputs.items():
            if output.path:
                self._data(output.path, "data", (*path, "outputs", name, "path"))
        component, here = node.component, visit.component_path
        if isinstance(component, str):
            self._asset(component, "component", here)
        elif isinstance(component, Command):
            self._instances(node, component, path)
            if visit.first and isinstance(component.environment, str):
                self._asset(component.environment, "environment", (*here, "environment"))

    # -- the kinds of things

    def _compute(self, text: str, path: tuple[str, ...]) -> None:
        name = _compute_name(text)
        if not name:
            return
        computes: Any = self._cloud.client.compute
        found = self._get(path, f"compute '{name}'", lambda: computes.get(name), _Listing(name, computes.list))
        state = _READY if found is None else _state(found)
        if state.lower() != _READY.lower():
            self.findings.warn(path, f"The compute '{name}' is not ready: it is {state}. The job waits until it is.")
        elif str(getattr(found, "state", None) or "").lower() in _STOPPED:  # compute instances alone have a `state`
            self.findings.warn(path, f"The compute instance '{name}' is stopped. The job waits until it is started.")

    def _instances(self, node: Node, component: Command, path: tuple[str, ...]) -> None:
        """Check that a step's compute has as many nodes, and the subscription as many cores, as the step asks for."""
        name = _compute_name(node.compute or self._job.root.compute or self._job.settings.default_compute or "")
        found = self._asked.get(f"compute '{name}'", (None, ""))[0]
        resources = node.resources or component.resources or {}
        wanted = resources.get("instance_count") or 1
        if found is None or not isinstance(wanted, int):
            return
        at, most = (*path, "resources", "instance_count"), getattr(found, "max_instances", None)
        if isinstance(most, int) and wanted > most:
            self.findings.error(
                at,
                f"The compute '{name}' has at most {most} instances, and {wanted} are asked for. "
                f"Set 'instance_count' to {most} or less, or raise the maximum of the compute.",
            )
        for family, limit, cores in self._quota(found):
            if wanted * cores > limit:
                self.findings.warn(
                    at,
                    f"The step needs {wanted * cores} cores of the family {family}, and the subscription's quota is "
                    f"{limit}, so the step would wait forever. Ask for more quota, or use another compute.",
                )

    def _quota(self, compute: Any) -> Iterator[tuple[str, int, int]]:
        """The family of a cluster's machines, its quota of cores, and the cores of one machine; none if unknown."""
        size = str(getattr(compute, "size", None) or "").lower()
        if not size or str(getattr(compute, "tier", "") or "").lower().startswith("low"):
            return  # machines of low priority have another quota
        computes: Any = self._cloud.client.compute
        sizes = self._known_list("sizes of machines", computes.list_sizes)
        usages = self._known_list("quota", computes.list_usage) if sizes else []
        for machine in sizes:
            for usage in usages:
                family, name = str(machine.family), getattr(usage.name, "value", None)
                if str(machine.name).lower() == size and str(name).lower() == family.lower():
                    yield family, int(usage.limit), int(machine.v_cp_us)

    def _known_list(self, title: str, ask: Callable[[], Iterable[Any]]) -> list[Any]:
        """A list that Azure has; an empty one if the account may not ask for it."""
        if title not in self._asked:
            try:
                self._asked[title] = _asked(f"asking for the {title}", lambda: list(ask())), ""
            except (BackendError, NotFound):
                self._asked[title] = [], ""
        return list(self._asked[title][0])

    def _data(self, text: str, kind: str, path: tuple[str, ...]) -> None:
        if stored := parse_datastore(text):
            if not stored.within or self._cloud.target.scope.holds(stored.within):
                self._datastore(stored.datastore, path)
        elif written := parse_output(text):
            job, within = written.job, written.within
            if (not within or self._cloud.target.scope.holds(within)) and "${{" not in job:
                self._get(path, f"job '{job}'", lambda: self._cloud.client.jobs.get(job))
        elif is_reference(text):
            self._asset(text, kind, path)

    def _datastore(self, text: str, path: tuple[str, ...]) -> None:
        name = resource_name(text)
        if "${{" not in text:
            stores = self._cloud.client.datastores
            self._get(path, f"datastore '{name}'", lambda: stores.get(name), _Listing(name, stores.list))

    def _asset(self, text: str, kind: str, path: tuple[str, ...]) -> None:
        reference = parse_reference(text)
        if reference is None or self._is_here(text, kind):
            return  # a local asset: it will be registered in Azure
        if reference.registry:
            self._in_registry(reference, kind, path)
            return
        if is_arm_id(bare(text)) and self._cloud.target.id.lower() not in text.lower():
            return  # an asset of another workspace
        asked, given, name = _operations(self._cloud.client, kind), _version(reference), reference.name
        said = bare(text)
        known = _Listing(said, lambda: _versions(asked, name))
        curated = kind == "environment" and find(name) is not None  # Azure ML may have removed it since
        title = f"{title_of(kind)} {said}"
        found = self._get(path, title, lambda: asked.get(name, **given), known, warning=curated)
        if found is not None and kind == "environment":
            state = _state(found)
            if state.lower() == "failed":
                self.findings.warn(path, f"The environment {said} failed to build in Azure. Look at its build log.")

    def _in_registry(self, reference: Reference, kind: str, path: tuple[str, ...]) -> None:
        """Check that a registry has an asset; without a finding if the registry can't be asked, since Azure ML may."""
        name, registry = reference.name, reference.registry
        title = f"{title_of(kind)} {name}:{reference.version or reference.label} in the registry '{registry}'"

        def ask() -> bool:
            try:
                asked = _operations(self._client_of(registry), kind)
                _asked(f"asking for the {title}", lambda: asked.get(name, **_version(reference)))
            except NotFound:
                return False
            except BackendError:
                pass
            return True

        if title not in self._asked:
            self._asked[title] = ask(), ""
        if not self._asked[title][0]:
            known = _Listing(name, lambda: _operations(self._client_of(registry), kind).list())
            curated = kind == "environment" and find(name) is not None
            self.findings.error(path, f"There is no {title}.{_hint(known)}", warning=curated)

    def _client_of(self, registry: str) -> Any:
        with mapped(f"asking for the registry '{registry}'"):
            return self._cloud.registry(registry)

    def _is_here(self, text: str, kind: str) -> bool:
        if not self._workspace.exists:
            return False
        try:
            self._workspace.assets.resolve(kind, text)
        except CreditMLError:
            return False
        return True

    # -- requests

    def _get(
        self,
        path: tuple[str, ...],
        title: str,
        ask: Callable[[], Any],
        known: _Listing | None = None,
        *,
        warning: bool = False,
    ) -> Any:
        """The SDK's object of a title; None, with a finding, if it doesn't exist or the account may not read it."""
        if title not in self._asked:
            self._asked[title] = self._answer(title, ask, known)
        found, message = self._asked[title]
        if message:
            self.findings.error(path, message, warning=warning)
        return found

    def _answer(self, title: str, ask: Callable[[], Any], known: _Listing | None) -> tuple[Any, str]:
        target = self._cloud.target
        where = f"the workspace {target} in Azure"
        try:
            return _asked(f"asking for the {title}", ask), ""
        except Forbidden:
            return None, (
                f"Your account may not read the {title} (Azure answers 403). Ask for a role in {where} that may, for "
                "example 'AzureML Data Scientist', or sign in with another account by `az login`."
            )
        except NotFound:
            pass
        if title.startswith("workspace"):
            return None, f"There is no {title} in the subscription {target.subscription_id}. Name another one."
        return None, f"There is no {title} in {where}.{_hint(known) if known else ''}"


def _hint(known: _Listing) -> str:
    try:
        names = _asked("listing what there is", lambda: [_name_of(item) for item in known.ask()])
    except (BackendError, NotFound):
        return ""
    few = names[:_SHOWN]
    return near_miss(known.name, names) or (f" There are: {', '.join(few)}." if names else "")


def _asked(doing: str, ask: Callable[[], Any]) -> Any:
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import HttpResponseError

    with mapped(doing):
        try:
            return ask()
        except HttpResponseError as error:
            if error.status_code == _MISSING:
                raise NotFound(doing) from None
            if error.status_code == _FORBIDDEN:
                raise Forbidden(doing) from None
            raise
        except MlException as error:  # the SDK's error if no version has the label
            if "does not exist" in str(error) or "not found" in str(error).lower():
                raise NotFound(doing) from None
            raise


def _versions(asked: Any, name: str) -> list[Any]:
    """The versions of an asset, for a hint; if it has none, all assets of its kind."""
    try:
        found = list(asked.list(name=name))
    except Exception:  # noqa: BLE001  whatever it is, the list of all names may still work
        found = []
    return [f"{name}:{item.version}" for item in found] or list(asked.list())


def _compute_name(text: str) -> str:
    """The name of a compute of the workspace; empty if the text names none."""
    name = resource_name(text)
    return "" if name.lower() in _SERVERLESS or "${{" in text else name


def _operations(client: Any, kind: str) -> Any:
    """The operations of an SDK's client for assets of a kind."""
    return getattr(client, ASSET_KINDS[kind].plural)


def _version(reference: Reference) -> dict[str, str]:
    """The SDK's arguments for a version or a label; without either, for the latest version."""
    return {"version": reference.version} if reference.version else {"label": reference.label or "latest"}


def _state(found: Any) -> str:
    """The provisioning state of an SDK's object: a word, or a member of an enumeration."""
    state = getattr(found, "provisioning_state", None) or _READY
    return str(getattr(state, "value", state))


def _name_of(item: Any) -> str:
    return item if isinstance(item, str) else str(item.name)
