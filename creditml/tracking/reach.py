"""What requests that were let in may reach: artifacts in their places, and for a step the runs of its own job.

Artifacts are read and written only below the artifact folders of runs, logged models and traces: never a job's working
folders or outputs, which lie beside them. An experiment's artifacts are always in the workspace.

A step may read all runs, artifacts and models, and use the model registry. It may change the runs of its job and those
that scripts of the job made, with their artifacts, and nothing of other jobs.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.tracking import store
from creditml.tracking.gate import GRANT, OPEN_PATHS, Refusal
from creditml.tracking.outbox import CONTEXT_TAG, OWNED_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from creditml.tracking.access import Grant

    Json: TypeAlias = Any

_MLFLOW = ".mlflow"
"""The folder in `jobs/` for runs that no job's engine made, for logged models and for traces."""
_SCHEME = "mlflow-artifacts:/"
_API = re.compile(r"/(?:ajax-)?api/[0-9.]+/mlflow/(?P<kind>[a-z-]+)(?:/(?P<rest>.*))?")
_ARTIFACTS = re.compile(
    r"/(?:ajax-)?api/2\.0/mlflow-artifacts/(?P<kind>artifacts|mpu/[a-z]+|presigned)(?:/(?P<path>.*))?"
)
_LARGEST = 256 << 20
"""Bytes that a request with JSON may have."""
_TOO_LARGE = f"A request may have at most {_LARGEST} bytes."
_RUN_FIELDS = ("run_id", "runId", "run_uuid", "runUuid", "source_run_id", "sourceRunId")
_FREE = ("registered-models", "model-versions", "metrics", "traces", "datasets", "scorers", "assessments", "issues")
"""What a step may use as a whole: the registry, and what belongs to no job."""
_READING = ("search", "get", "get-by-name", "list")
_PARTLY: Mapping[str, Sequence[str]] = {
    "artifacts": (),
    "experiments": ("create", "set-experiment-tag"),
    "logged-models": ("",),
    "runs": (),
    "server-info": (),
}
"""What a step may use in part: it may read all of it, and do these things."""
_NOT_YOURS = (
    "A step may change the runs of its own job, and those that scripts of that job made: {} is not one of them."
)
_NOT_FOR_STEPS = "Steps have no access to {} of MLflow's server."
_NO_PLACE = (
    "{} is not in the artifacts of a run or model. MLflow's server reads and writes nothing else of a workspace, "
    "such as the working folders and outputs of jobs."
)
_NO_LOCATION = (
    "An experiment of a local workspace keeps its artifacts in the workspace: leave artifact_location out (it is {!r})."
)


class Denied(Exception):
    """A request is refused."""

    def __init__(self, message: str, status: int = 403, code: str = "PERMISSION_DENIED") -> None:
        super().__init__(message)
        self.refusal = Refusal(status, code, message)


class Place(NamedTuple):
    """A folder for artifacts."""

    kind: str
    """`run`, `model` or `trace`"""
    id: str
    path: str
    """Relative to `jobs/`."""


class Reach:
    """Passes requests on to `app` that reach nothing but what they may."""

    def __init__(self, app: ASGIApp, root: Path) -> None:
        """Stand before MLflow's application of the workspace folder `root`."""
        self._app, self._root = app, root
        self._jobs = root / "jobs"
        self._places: dict[str, str] = {}  # the run of each artifact folder of a job that has been asked for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive) if self._needs_body(scope) else None
            if body is None:
                await asyncio.to_thread(self._check, scope)
            else:
                body = await asyncio.to_thread(self._checked, scope, body)
                scope, receive = _with_body(scope, receive, body)
        except Denied as denied:
            await denied.refusal.send(send)
            return
        await self._app(scope, receive, send)

    # -- requests whose body is of no interest

    def _check(self, scope: Scope) -> None:
        grant: Grant | None = scope[GRANT]
        path, method = scope["path"], scope["method"]
        if asked := _ARTIFACTS.fullmatch(path):
            below = asked["path"] or _query(scope, "path")
            self._check_artifacts(grant, below, writes=method != "GET")
            return
        if grant is None:
            return
        api = _API.fullmatch(path)
        if api is None:
            if path != "/v1/traces":
                raise Denied(_NOT_FOR_STEPS.format(path))
            return
        self._check_api(grant, method, api["kind"], api["rest"] or "")

    def _check_api(self, grant: Grant, method: str, kind: str, rest: str) -> None:
        """Whether a step may ask this, as far as its body doesn't matter."""
        reads = (method == "GET" and not rest.endswith("artifacts/files")) or rest in _READING
        if kind == "logged-models" and not reads and rest:
            run = store.run_of_model(self._root, rest.partition("/")[0])
            self._check_run(grant, run or "the model")
            return
        if kind in _FREE:
            allowed = rest != "delete-traces"
        elif kind in _PARTLY:  # which run is to be changed stands in the request's body
            allowed = reads or rest in _PARTLY[kind] or kind == "runs"
        else:
            allowed = False
        if not allowed:
            raise Denied(_NOT_FOR_STEPS.format(f"{kind}/{rest}".rstrip("/")))

    # -- requests with JSON

    @staticmethod
    def _needs_body(scope: Scope) -> bool:
        if scope["method"] not in ("POST", "PATCH", "DELETE") or _ARTIFACTS.fullmatch(scope["path"]):
            return False
        api = _API.fullmatch(scope["path"])
        if api is None:
            return False
        if scope[GRANT] is None:
            return (api["kind"], api["rest"]) == ("experiments", "create")
        return api["kind"] in ("runs", "experiments", "logged-models", "model-versions") or api["rest"] == "link-to-run"

    def _checked(self, scope: Scope, body: bytes) -> bytes:
        """The body with which a request is passed on."""
        self._check(scope)
        given = _parsed(body)
        if given is None:  # MLflow will say what is wrong with it
            return body
        api = _API.fullmatch(scope["path"])
        assert api is not None  # noqa: S101  only such requests come here
        grant: Grant | None = scope[GRANT]
        action = api["kind"], api["rest"] or ""
        if action == ("experiments", "create"):
            _check_location(given)
        if grant is None:
            return body
        if action == ("model-versions", "create"):
            self._check_source(given)
        elif api["kind"] != "model-versions" and api["rest"] not in _READING:
            for run in _values(given, _RUN_FIELDS):
                self._check_run(grant, run)
        if action in (("runs", "create"), ("logged-models", "")):
            return json.dumps({**given, "tags": _signed(given.get("tags"), grant)}).encode()
        return body

    def _check_source(self, given: Mapping[str, Json]) -> None:
        """What a step registers as a model, if it is in this workspace, is in the artifacts of a run or model."""
        for source in _values(given, ("source",)):
            if source.startswith("mlflow-artifacts:"):
                rest = source.partition(":")[2]
                below = rest[2:].partition("/")[2] if rest.startswith("//") else rest
                self._place(below)

    def _check_run(self, grant: Grant, run_id: str) -> None:
        if run_id not in grant and store.root_of(self._root, run_id) != grant.root:
            raise Denied(_NOT_YOURS.format(run_id))

    # -- artifacts

    def _check_artifacts(self, grant: Grant | None, path: str, *, writes: bool) -> None:
        place = self._place(path)
        if writes or grant:
            self._check_links(place, path)
        if writes and grant:
            owners: Mapping[str, Callable[[Path, str], str | None]] = {
                "model": store.run_of_model,
                "trace": store.run_of_trace,
            }
            run = owners[place.kind](self._root, place.id) if place.kind in owners else place.id
            if run or place.kind != "trace":  # a trace may belong to no run
                self._check_run(grant, run or place.path)

    def _place(self, path: str) -> Place:
        """The artifact folder in which a path lies."""
        parts = _parts(path)
        if parts[:1] == [_MLFLOW]:
            for kind, folder in (("model", "models"), ("trace", "traces")):
                if parts[2:3] == [folder] and parts[4:5] == ["artifacts"]:
                    return Place(kind, parts[3], "/".join(parts[:5]))
            if parts[3:4] == ["artifacts"]:
                return Place("run", parts[2], "/".join(parts[:4]))
            raise Denied(_NO_PLACE.format(path))
        for number, part in enumerate(parts):
            if part == "artifacts":
                folder = "/".join(parts[: number + 1])
                run = self._places.get(folder) or store.run_with_artifacts(self._root, _SCHEME + folder)
                if run:
                    self._places[folder] = run
                    return Place("run", run, folder)
        raise Denied(_NO_PLACE.format(path))

    def _check_links(self, place: Place, path: str) -> None:
        """No link leads out of the artifacts: a step may have made one."""
        folder = os.path.realpath(self._jobs / place.path)
        target = os.path.realpath(self._jobs / "/".join(_parts(path)))
        if target != folder and not target.startswith(f"{folder}{os.sep}"):
            raise Denied(_NO_PLACE.format(path))


def _parts(path: str) -> list[str]:
    """The parts of a path as MLflow understands it."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.uri import validate_path_is_safe

    try:
        safe = validate_path_is_safe(path.lstrip("/"))  # type: ignore[no-untyped-call]
    except MlflowException as error:
        raise Denied(str(error.message), 400, "INVALID_PARAMETER_VALUE") from error
    parts = [part for part in safe.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Denied(_NO_PLACE.format(path))
    return parts


def _check_location(given: Mapping[str, Json]) -> None:
    """An experiment lies in the workspace, below the folder that MLflow would choose itself."""
    for location in _values(given, ("artifact_location", "artifactLocation")):
        prefix = f"{_SCHEME}{_MLFLOW}/"
        if not location.startswith(prefix) or not re.fullmatch(r"[\w.-]+", location[len(prefix) :]):
            raise Denied(_NO_LOCATION.format(location), 400, "INVALID_PARAMETER_VALUE")


def _signed(tags: Json, grant: Grant) -> list[Json]:
    """Tags of a run or model that a step makes, with the one that says which step it was."""
    own = (CONTEXT_TAG, OWNED_TAG)
    kept = (
        [tag for tag in tags if not (isinstance(tag, dict) and tag.get("key") in own)] if isinstance(tags, list) else []
    )
    return [*kept, {"key": CONTEXT_TAG, "value": grant.run_id}]


def _values(given: Mapping[str, Json], names: Iterable[str]) -> list[str]:
    return [str(given[name]) for name in names if given.get(name)]


def _query(scope: Scope, name: str) -> str:
    from urllib.parse import parse_qs

    values = parse_qs(scope["query_string"].decode("latin-1")).get(name, [])
    return values[0] if values else ""


def _parsed(body: bytes) -> Mapping[str, Json] | None:
    """A JSON object; old clients send one as a text in JSON. None if it is something else."""
    try:
        given = json.loads(body)
        given = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return None
    except RecursionError:
        raise Denied("The request is nested too deeply.", 400, "INVALID_PARAMETER_VALUE") from None
    return given if isinstance(given, dict) else None


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST:
            raise Denied(_TOO_LARGE, 413, "INVALID_PARAMETER_VALUE")
        if not message.get("more_body"):
            return b"".join(parts)


def _with_body(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    """A request with a body that has been read."""
    length = str(len(body)).encode()
    kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return {**scope, "headers": [*kept, (b"content-length", length)]}, again
