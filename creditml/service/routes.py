"""Which handler answers a request, by its method and path. The query's api-version is ignored: it varies by SDK."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from creditml.references import REGISTRY_PATTERN, WORKSPACE_PATTERN, WORKSPACES_PATTERN, Scope
from creditml.service import codes, computes, datastores, jobs, runs, versions, workspaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from creditml.service.messages import Answer

    Handler = Callable[..., Answer]

# The discovery of a registry leads to paths with a prefix of their own.
_REGISTRY = rf"(?:/mferp/managementfrontend)?{REGISTRY_PATTERN}"
_PLACE = ("subscription", "group", "workspace")
_DATA_PLANE = r"/(?:history|data|modelregistry)/v[\d.]+"


class Route(NamedTuple):
    """A method, a pattern of paths, and their handler."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Found(NamedTuple):
    """The handler of a request, with the scope and the names in its path."""

    handler: Handler
    scope: Scope
    names: dict[str, str]


def find(method: str, path: str) -> Found | None:
    """The handler of a request; None if there is none."""
    for route in _ROUTES:
        match = route.pattern.fullmatch(path) if route.method == method else None
        if match:
            names = match.groupdict()
            subscription, group, workspace = (names.pop(part, None) or "local" for part in _PLACE)
            return Found(route.handler, Scope(subscription, group, workspace, names.pop("registry", "")), names)
    return None


def _routes() -> Iterator[Route]:
    for method, path, handler in _paths():
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        yield Route(method, re.compile(pattern.rstrip("/") + "/?", re.IGNORECASE), handler)


def _paths() -> Iterator[tuple[str, str, Handler]]:
    yield "GET", "/discovery", workspaces.discovery
    yield "GET", r"/registrymanagement/v[\d.]+/registries/{registry}/discovery", workspaces.discover_registry
    yield "GET", WORKSPACES_PATTERN, workspaces.list_workspaces
    yield "GET", WORKSPACE_PATTERN, workspaces.get_workspace
    yield from _assets(WORKSPACE_PATTERN)
    compute = f"{WORKSPACE_PATTERN}/computes"
    yield "GET", compute, computes.list_computes
    yield "GET", f"{compute}/{{name}}", computes.get_compute
    yield "PUT", f"{compute}/{{name}}", computes.put_compute
    yield "DELETE", f"{compute}/{{name}}", computes.delete_compute
    store = f"{WORKSPACE_PATTERN}/datastores"
    yield "GET", store, datastores.list_datastores
    yield "GET", f"{store}/{{name}}", datastores.get_datastore
    yield "PUT", f"{store}/{{name}}", datastores.put_datastore
    yield "POST", f"{store}/{{name}}/listSecrets", datastores.list_secrets
    job = f"{WORKSPACE_PATTERN}/jobs"
    yield "GET", job, jobs.list_jobs
    yield "GET", f"{job}/{{name}}", jobs.get_job
    yield "PUT", f"{job}/{{name}}", jobs.put_job
    yield "DELETE", f"{job}/{{name}}", jobs.delete_job
    yield "POST", f"{job}/{{name}}/cancel", jobs.cancel_job
    yield "GET", f"{job}/{{name}}/cancelOperation", jobs.cancel_operation
    plane = _DATA_PLANE + WORKSPACE_PATTERN
    yield "GET", f"{plane}/runs/{{run}}", runs.get_run
    yield "GET", f"{plane}/runs/{{run}}/details", runs.get_details
    yield "GET", f"{plane}/runs/{{run}}/children", runs.get_children
    yield "GET", f"{plane}/runs/{{run}}/serviceinstances/{{node}}", runs.get_services
    yield "POST", f"{plane}/rundata", runs.get_run_data
    yield "PATCH", f"{plane}/experiments/{{experiment}}/runs/{{run}}", runs.change_run
    yield "POST", f"{plane}/dataversion/batchGetResolvedUris", runs.resolve_data
    yield from _assets(_REGISTRY)
    upload = f"{_REGISTRY}/tempdatarefs/{{name}}/versions/{{version}}"
    yield "PUT", upload, partial(codes.start_upload, plural="tempdatarefs")
    yield "POST", f"{_REGISTRY}/datarefs/{{name}}/versions/{{version}}", codes.grant_download
    yield "POST", f"{_REGISTRY}/import", versions.share


def _assets(base: str) -> Iterator[tuple[str, str, Handler]]:
    """Routes of assets, which a workspace and a registry have in common."""
    for plural in versions.KINDS:
        container = f"{base}/{plural}/{{name}}"
        version = f"{container}/versions/{{version}}"
        yield "GET", f"{base}/{plural}", partial(versions.list_containers, plural=plural)
        yield "GET", container, partial(versions.get_container, plural=plural)
        yield "PUT", container, partial(versions.put_container, plural=plural)
        yield "GET", f"{container}/versions", partial(versions.list_versions, plural=plural)
        yield "GET", version, partial(versions.get_version, plural=plural)
        yield "PUT", version, partial(versions.put_version, plural=plural)
        yield "POST", f"{version}/startPendingUpload", partial(codes.start_upload, plural=plural)
    code = f"{base}/codes/{{name}}/versions"
    yield "GET", code, codes.list_codes
    yield "GET", f"{code}/{{version}}", codes.get_code
    yield "PUT", f"{code}/{{version}}", codes.put_code
    yield "POST", f"{code}/{{version}}/startPendingUpload", partial(codes.start_upload, plural="codes")


_ROUTES = tuple(_routes())
