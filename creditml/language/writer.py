"""Writes a `Job` or a component in the spec language.

`job_dict` returns plain values in which every component stands in place. `job_files` and `write_job` make YAML files
that Azure ML accepts: components, such as nested pipelines, get files of their own.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import yaml

from creditml.model import (
    NOTHING,
    Component,
    ComponentInput,
    ComponentOutput,
    Data,
    Environment,
    Job,
    JobInput,
    JobOutput,
    Node,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from creditml.language.types import Types

_NODE_FIELDS = (
    "display_name",
    "description",
    "comment",
    "compute",
    "limits",
    "resources",
    "distribution",
    "services",
    "identity",
    "queue_settings",
)
_COMPONENT_FIELDS = ("name", "version", "display_name", "description")
_MAPPINGS = ("tags", "properties", "environment_variables")


def job_dict(types: Types, job: Job, component: Callable[[Component], Any] | None = None) -> dict[str, Any]:
    """A job as plain values, with Azure ML's keys.

    Args:
        types: The table of node types.
        job: The job.
        component: Returns the value to write for a component of a node; by default it is written in place.
    """
    root = job.root
    head = some({"type": root.type, "name": job.name, "experiment_name": job.experiment_name})
    write = component or (lambda value: component_dict(types, value))
    return head | _node_fields(root) | types.known[root.type].write_job(job, write)


def component_dict(
    types: Types, component: Component, nested: Callable[[Component], Any] | None = None
) -> dict[str, Any]:
    """A component as plain values. `nested` writes the components in it; by default they are written in place."""
    values: dict[str, Any] = {
        "type": component.type,
        **some({name: getattr(component, name) for name in _COMPONENT_FIELDS}),
    }
    values |= {name: dict(getattr(component, name)) for name in ("tags", "properties") if getattr(component, name)}
    if not component.is_deterministic:
        values["is_deterministic"] = False
    if component.inputs:
        values["inputs"] = {name: _declared_input(spec) for name, spec in component.inputs.items()}
    if component.outputs:
        values["outputs"] = {name: some(spec._asdict()) for name, spec in component.outputs.items()}
    write = nested or (lambda value: component_dict(types, value))
    return values | types.known[component.type].write_component(component, write)


def write_job(types: Types, job: Job, folder: Path, name: str = "pipeline.yml") -> Path:
    """Write a job as YAML, and its components as files beside it.

    Returns:
        The path of the job's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in job_files(types, job, name).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder / name


def job_files(types: Types, job: Job, name: str, components: str = "") -> dict[str, str]:
    """The YAML files of a job.

    Args:
        types: The table of node types.
        job: The job. If the components get a folder, their own relative paths are relative to it.
        name: The name of the job's file.
        components: A folder for the components' files, relative to the job's; by default they are beside it.

    Returns:
        The texts of the files by their paths, which are relative to the job's folder; the job's file is the first.
    """
    names: dict[int, str] = {}
    texts: dict[str, str] = {}
    place = f"{components}/" if components else ""

    def component(value: Component) -> str:
        if id(value) not in names:
            names[id(value)] = file = _file_name(value, {*names.values()} if components else {*names.values(), name})
            texts[f"{place}{file}"] = _text(component_dict(types, value, component))
        return f"./{names[id(value)]}"

    of_job = _text(job_dict(types, job, lambda value: f"./{place}{component(value)[2:]}"))
    return {name: of_job, **texts}


def _text(value: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return text


def _file_name(component: Component, taken: set[str]) -> str:
    """A file name for a component that is not taken."""
    stem = re.sub(r"[^A-Za-z0-9_]", "_", component.name or component.type)[:60]
    suffix = next(suffix for suffix in itertools.count() if f"{stem}{suffix or ''}.yml" not in taken)
    return f"{stem}{suffix or ''}.yml"


def settings_dict(settings: Settings) -> dict[str, Any]:
    """A pipeline job's settings as plain values."""
    values = some({name: value for name, value in settings._asdict().items() if name != "others"})
    return values | dict(settings.others)


def environment_value(environment: Environment | str | None) -> Any:  # dict, str or None
    """An environment as plain values; a reference is returned unchanged."""
    if environment is None or isinstance(environment, str):
        return environment
    values = some({**environment._asdict(), "tags": dict(environment.tags) or None})
    if environment.build:
        values["build"] = environment.build._asdict()
    return values


def node_dict(node: Node, write: Callable[[Component], Any]) -> dict[str, Any]:
    """A node of a graph as plain values; `write` writes its component."""
    component = node.component
    values: dict[str, Any] = {"type": node.type, **_node_fields(node)}
    values["component"] = component if isinstance(component, str) else write(component)
    return values


def _node_fields(node: Node) -> dict[str, Any]:
    values = some({name: getattr(node, name) for name in _NODE_FIELDS})
    values |= {name: _plain(getattr(node, name)) for name in _MAPPINGS if getattr(node, name)}
    if node.inputs:
        declared = node.component.inputs if not isinstance(node.component, str) else {}
        kinds = {name: spec.type for name, spec in declared.items()}
        values["inputs"] = {name: input_value(value, kinds.get(name, "string")) for name, value in node.inputs.items()}
    if node.outputs:
        values["outputs"] = {name: output_value(value) for name, value in node.outputs.items()}
    return values


def _plain(value: Mapping[str, str] | str) -> dict[str, str] | str:
    return value if isinstance(value, str) else dict(value)


def input_value(value: JobInput, kind: str = "string") -> Any:  # a scalar or dict
    """An input as a value for YAML. A literal of type `kind` is written as that type if reading gives the same text."""
    if isinstance(value, Data):
        return some(value._asdict())
    if value.mode is None and value.path_on_compute is None:
        typed = _TYPED.get(kind, str)(value.value)
        return typed if str(typed) == value.value else value.value
    return some({"path": value.value, "mode": value.mode, "path_on_compute": value.path_on_compute})


def output_value(value: JobOutput) -> Any:  # str, dict or None
    """The settings of an output as a value for YAML."""
    if value == JobOutput(binding=value.binding) and value.binding:
        return value.binding
    fields = some({**value._asdict(), "path": value.binding or value.path, "binding": None})
    return fields or None


def _declared_input(spec: ComponentInput | ComponentOutput) -> dict[str, Any]:
    values = some(spec._asdict())
    if not values.get("optional"):
        values.pop("optional", None)
    if "enum" in values:
        values["enum"] = list(values["enum"])
    return values


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


_TYPED: Mapping[str, Callable[[str], Any]] = {
    "integer": lambda text: int(text) if text.lstrip("-").isdecimal() else text,
    "number": _number,
    "boolean": lambda text: {"True": True, "False": False}.get(text, text),
}


def some(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are neither None nor empty."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and value is not NOTHING and value not in ((), [])
    }
