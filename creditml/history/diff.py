"""Compares two recorded jobs: their graphs, and the steps that both have.

Values that differ are `{"a": …, "b": …}`, with None for a value that one job lacks. Times are listed but don't make
jobs different, since no two runs take the same time.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import NotFound, UsageError, near_miss
from creditml.history.diff_code import compare_code
from creditml.history.recorded import recorded_plan
from creditml.language.writer import environment_value, settings_dict
from creditml.model import Data, Literal
from creditml.nodes.table import DEFAULT
from creditml.plan import Given, Plan
from creditml.references import parse_output, parse_upload
from creditml.statuses import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.model import Node
    from creditml.plan import Bound, PlannedStep
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

_USUAL = {"instance_count": 1, "shm_size": "2g"}
_NODE_FIELDS = ("compute", "environment_variables", "limits", "distribution")


class Side(NamedTuple):
    """One of the two jobs: its record, its plan, and the records of its steps by path."""

    record: JobRecord
    plan: Plan
    records: Mapping[str, JobRecord]

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> Side:
        """A job of the workspace, or a step (`JOB/STEP`), which is compared like a command job.

        Raises:
            NotFound: There is no such job or step.
        """
        job, _, path = name.partition("/")
        record = workspace.jobs.get(job)
        if record.parent and not path:
            path = record.path
        record = workspace.jobs.get(record.root)
        steps = {step.path: step for step in workspace.jobs.steps(record.name)}
        planned = recorded_plan(record)
        if not path:
            return cls(record, planned, steps if planned.steps.keys() != {""} else {"": record})
        if path not in planned.steps:
            message = f"The job '{record.name}' has no step '{path}'.{near_miss(path, planned.steps)}"
            raise NotFound(message)
        return cls(
            record._replace(name=f"{record.name}/{path}", type=DEFAULT),
            planned._replace(steps={"": planned.steps[path]}, outputs={}),
            {"": steps[path]} if path in steps else {},
        )

    @property
    def single(self) -> bool:
        """Whether it is a command job or a step."""
        return self.plan.steps.keys() == {""}


class Comparison(NamedTuple):
    """The differences as plain values, and whether the jobs are equal except for times."""

    found: dict[str, Any]
    equal: bool


def compare_jobs(workspace: Workspace, one: str, other: str, *, patch: bool = False) -> Comparison:
    """Find the differences between two jobs of the workspace.

    Args:
        workspace: The workspace that holds both jobs.
        one: The name of a job or of a child run, or `JOB/STEP`.
        other: The same for the other job. Steps can be compared with steps and command jobs.
        patch: Whether to include the lines of code that differ.

    Raises:
        NotFound: There is no such job or step.
        UsageError: One is a step or command job, and the other is a pipeline.
    """
    a, b = Side.of(workspace, one), Side.of(workspace, other)
    if a.single != b.single:
        message = (
            f"'{one}' and '{other}' can't be compared: one of them is a pipeline, and the other a single step. "
            "Name a step of the pipeline as JOB/STEP."
        )
        raise UsageError(message)
    both = [path for path in a.plan.steps if path in b.plan.steps]
    job = _job(workspace, a, b)
    graph = _graph(a, b)
    steps = {path: _step(workspace, a, b, path, patch=patch) for path in both}
    steps = {path: found for path, found in steps.items() if found}
    times = _times(a, b, both)
    found = {
        "a": a.record.name,
        "b": b.record.name,
        "backends": {"a": a.record.backend, "b": b.record.backend},
        "equal": not (job or graph or steps),
        **_some(job=job, graph=graph, steps=steps, times=times),
    }
    return Comparison(found, equal=found["equal"])


def _job(workspace: Workspace, a: Side, b: Side) -> dict[str, Any]:
    """The differences of the jobs themselves, without their steps."""
    root_a, root_b = a.plan.job.root, b.plan.job.root
    pairs = {
        "type": (a.record.type, b.record.type),
        "status": (a.record.status, b.record.status),
        "error": _errors(a.record, b.record),
        "experiment_name": (a.record.experiment_name, b.record.experiment_name),
        "compute": (root_a.compute, root_b.compute),
    }
    if a.single:  # these are listed with the only step
        del pairs["status"], pairs["error"], pairs["compute"]
        return _pairs(pairs)
    return _pairs(pairs) | _some(
        settings=_values(settings_dict(a.plan.job.settings), settings_dict(b.plan.job.settings)),
        inputs=_without_uploads(workspace, _values(_root_inputs(root_a), _root_inputs(root_b))),
        metrics=_metrics(a.record, b.record),
    )


def _root_inputs(root: Node) -> dict[str, Any]:
    declared: dict[str, Any] = {}
    if not isinstance(root.component, str) and root.component.jobs is not None:
        declared = {name: spec.default for name, spec in root.component.inputs.items() if spec.default is not None}
    return declared | {name: _given(value) for name, value in root.inputs.items()}


def _graph(a: Side, b: Side) -> dict[str, Any]:
    """Steps that only one job has, and inputs and outputs that are bound to different steps."""
    if a.single:  # the sources of its data are listed with its inputs
        return {}
    rewired = {}
    for path, step in a.plan.steps.items():
        if path in b.plan.steps:
            changed = _values(_edges(step), _edges(b.plan.steps[path]))
            if changed:
                rewired[path] = changed
    return _some(
        added=[path for path in b.plan.steps if path not in a.plan.steps],
        removed=[path for path in a.plan.steps if path not in b.plan.steps],
        rewired=rewired,
        outputs=_values(_promoted(a.plan), _promoted(b.plan)),
    )


def _edges(step: PlannedStep) -> dict[str, str]:
    return {name: _bound(value) for name, value in step.inputs.items() if not isinstance(value, Given)}


def _promoted(planned: Plan) -> dict[str, str]:
    return {name: _bound(value) for name, value in planned.outputs.items()}


def _step(workspace: Workspace, a: Side, b: Side, path: str, *, patch: bool) -> dict[str, Any]:
    one, other = a.plan.steps[path], b.plan.steps[path]
    run_a, run_b = a.records.get(path), b.records.get(path)
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (_status(run_a), _status(run_b)),
        "exit_code": _exit_codes(run_a, run_b),
        "error": _errors(run_a, run_b),
        "component": _components(one, other),
        "command": (one.component.command, other.component.command),
        **{field: (getattr(one.node, field) or None, getattr(other.node, field) or None) for field in _NODE_FIELDS},
        "resources": (_resources(one), _resources(other)),
    }
    if a.single:
        del pairs["compute"]  # a step may have its job's compute
    return _pairs(pairs) | _some(
        code=_code(workspace, one.component.code, other.component.code, patch=patch),
        environment=_environment(*(environment_value(step.component.environment) for step in (one, other))),
        inputs=_without_uploads(workspace, _sources(workspace, a, b) if a.single else _inputs(one, other)),
        outputs=_values(_outputs(one), _outputs(other)),
        metrics=_metrics(run_a, run_b),
    )


def _components(one: PlannedStep, other: PlannedStep) -> tuple[str | None, str | None]:
    """The names of both components, if both have one: Azure ML drops the name of a component from a file."""
    names = _component(one), _component(other)
    return (None, None) if None in names else names


def _resources(step: PlannedStep) -> dict[str, Any] | None:
    """A step's resources without default values, which Azure ML adds to its answers."""
    return {name: value for name, value in step.resources.items() if _USUAL.get(name) != value} or None


def _component(step: PlannedStep) -> str | None:
    component = step.component
    return f"{component.name}:{component.version}" if component.name and component.version else component.name


def _inputs(one: PlannedStep, other: PlannedStep) -> dict[str, Any]:
    """The literals and data of two steps that differ, except those that both take from the same input of the job."""

    def values(step: PlannedStep) -> dict[str, Any]:
        return {name: _bound(bound) for name, bound in step.inputs.items() if isinstance(bound, Given)}

    changed = _values(values(one), values(other))
    return {
        name: pair for name, pair in changed.items() if not _inherited(one.inputs.get(name), other.inputs.get(name))
    }


def _sources(workspace: Workspace, a: Side, b: Side) -> dict[str, Any]:
    """The inputs of two single steps that differ; the output of another step is shown as `step.output`."""

    def values(side: Side) -> dict[str, Any]:
        step = side.plan.steps[""]
        return {name: _source(workspace, bound) for name, bound in step.inputs.items()}

    return _values(values(a), values(b))


def _source(workspace: Workspace, bound: Bound) -> Any:  # a text or dict
    if isinstance(bound, Given) and isinstance(bound.value, Data):
        written = parse_output(bound.value.path)
        if written:
            with suppress(NotFound):
                run = workspace.jobs.get(written.job)
                rest = f"/{written.path}" if written.path else ""
                return f"{run.path or run.name}.{written.output}{rest}"
    return _bound(bound)


def _inherited(one: Bound | None, other: Bound | None) -> bool:
    if not isinstance(one, Given) or not isinstance(other, Given):
        return one is not None and other is not None  # the graph lists an input that is bound to a step in one job
    return one.origin == other.origin and one.origin[:1] == ("inputs",) and bool(one.origin)


def _without_uploads(workspace: Workspace, pairs: dict[str, Any]) -> dict[str, Any]:
    """The differences, except pairs of a local path and the same data after its upload to Azure ML."""
    return {
        name: pair
        for name, pair in pairs.items()
        if not _is_upload(workspace, pair["a"], pair["b"]) and not _is_upload(workspace, pair["b"], pair["a"])
    }


def _is_upload(workspace: Workspace, one: Any, other: Any) -> bool:
    """Whether `one` is a local path and `other` the upload of the same data, by its hash."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    local = Path(str(one.get("path", "")))
    upload = parse_upload(str(other.get("path", "")))
    if upload is None or upload.name != local.name or not local.is_absolute() or not local.exists():
        return False
    same = {**one, "path": ""} == {**other, "path": ""}
    return same and workspace.content.upload_hash(local) == upload.digest


def _outputs(step: PlannedStep) -> dict[str, Any]:
    return {name: _some(**output._asdict()) for name, output in step.outputs.items()}


def _code(workspace: Workspace, one: str | None, other: str | None, *, patch: bool) -> Any:  # dict or list
    if one == other:
        return None
    if one is None or other is None:
        return {"a": one, "b": other}
    folders = [workspace.content.code_folder(code) for code in (one, other)]
    if not all(folder.is_dir() for folder in folders):
        return {"a": one, "b": other}
    return compare_code(*folders, patch=patch)


def _environment(one: Any, other: Any) -> Any:  # dict, str or None
    """The keys that differ; for conda files, the packages that only one of them lists."""
    if one == other:
        return None
    if not isinstance(one, dict) or not isinstance(other, dict):
        return {"a": one, "b": other}
    found = _values(one, other)
    if one.get("conda_file") and other.get("conda_file") and "conda_file" in found:
        before, after = _packages(one["conda_file"]), _packages(other["conda_file"])
        packages = _some(
            removed=[name for name in before if name not in after], added=[name for name in after if name not in before]
        )
        if packages:
            found["conda_file"] = packages
    return found


def _packages(conda: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for entry in conda.get("dependencies") or ():
        found += map(str, entry.get("pip") or ()) if isinstance(entry, dict) else [str(entry)]
    return found


def _metrics(one: JobRecord | None, other: JobRecord | None) -> dict[str, Any]:
    changed = _values(*(dict(run.results.get("metrics") or {}) if run else {} for run in (one, other)))
    for pair in changed.values():
        if isinstance(pair["a"], int | float) and isinstance(pair["b"], int | float):
            difference = pair["b"] - pair["a"]
            if math.isfinite(difference):
                pair["difference"] = difference
    return changed


def _times(a: Side, b: Side, both: list[str]) -> dict[str, Any]:
    """The times of the job (under the empty path) and of each step, in seconds."""
    pairs = {} if a.single else {"": (_seconds(a.record), _seconds(b.record))}
    pairs |= {path: (_seconds(a.records.get(path)), _seconds(b.records.get(path))) for path in both}
    found: dict[str, Any] = {}
    for path, (one, other) in pairs.items():
        if one != other:
            found[path] = {"a": one, "b": other}
            if one is not None and other is not None:
                found[path]["difference"] = round(other - one, 3)
    return found


def _seconds(run: JobRecord | None) -> float | None:
    if run is None or run.started_at is None or run.ended_at is None:
        return None
    return (run.ended_at - run.started_at) / 1000


def _exit_codes(one: JobRecord | None, other: JobRecord | None) -> tuple[int | None, int | None]:
    """Both exit codes, or None for both if one is unknown: Azure ML doesn't report exit codes."""
    codes = [run.exit_code if run else None for run in (one, other)]
    return (None, None) if None in codes else (codes[0], codes[1])


def _status(run: JobRecord | None) -> str:
    return run.status if run else NOT_STARTED


def _errors(one: JobRecord | None, other: JobRecord | None) -> tuple[str | None, str | None]:
    """The error messages, unless both have the same status and exit code: messages contain run ids, which differ."""
    codes = _exit_codes(one, other)
    if _status(one) == _status(other) and codes[0] == codes[1]:
        return None, None
    return (one.error or {}).get("message") if one else None, (other.error or {}).get("message") if other else None


def _bound(value: Bound) -> Any:  # a text or dict
    return _given(value.value) if isinstance(value, Given) else f"{value.step}.{value.output}{value.suffix}"


def _given(value: Literal | Data) -> Any:  # a text or dict
    if isinstance(value, Literal):
        return value.value if value.mode is None else {"value": value.value, "mode": value.mode}
    return _some(**value._asdict())


def _values(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return _pairs({name: (one.get(name), other.get(name)) for name in dict.fromkeys((*one, *other))})


def _pairs(pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: {"a": one, "b": other} for name, (one, other) in pairs.items() if not _alike(one, other)}


def _alike(one: Any, other: Any) -> bool:
    nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return bool(one == other) or nan


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value not in ({}, [], ())}
