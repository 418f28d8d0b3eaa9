"""The keys that nodes, components and jobs of several types share, and how each value is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from creditml.documents import is_system
from creditml.language.environment import environment_value
from creditml.language.fields import (
    INVALID,
    Choice,
    Context,
    Table,
    any_map,
    describe,
    flag,
    integer,
    loose,
    loose_labels,
    loose_text_map,
    missing,
    sent,
    text,
    text_list,
    text_map,
    text_or_list,
)
from creditml.language.io import component_inputs, component_outputs, job_inputs, job_outputs
from creditml.language.yaml import List, Map, Node, Scalar
from creditml.references import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.language.files import Files

READ_ONLY = (
    "id",
    "creation_context",
    "status",
    "log_files",
    "latest_version",
    "auto_delete_setting",
    "parameters",
    "parent_job_name",
)
_SERVICE: Mapping[str, Any] = {"port": integer, "nodes": Choice("all", exact=True), "properties": any_map, "type": text}
_SERVICE_OWN: Mapping[str, Mapping[str, Any]] = {"ssh": {"ssh_public_keys": text}, "tensor_board": {"log_dir": text}}
_SERVICE_READ_ONLY = ("endpoint", "status", "error_message")
_DISTRIBUTIONS: Mapping[str, Mapping[str, Any]] = {
    "mpi": {"process_count_per_instance": integer},
    "pytorch": {"process_count_per_instance": integer},
    "tensorflow": {"parameter_server_count": integer, "worker_count": integer},
    "ray": {
        "port": integer,
        "address": text,
        "include_dashboard": flag,
        "dashboard_port": integer,
        "head_node_additional_args": text,
        "worker_node_additional_args": text,
    },
}
_IDENTITIES: Mapping[str, Mapping[str, Any]] = {
    "managed": {"client_id": text, "object_id": text, "msi_resource_id": text},
    "managed_identity": {"client_id": text, "object_id": text, "msi_resource_id": text},
    "aml_token": {},
    "user_identity": {},
}
RESOURCES = {
    "instance_count": integer,
    "instance_type": text,
    "properties": any_map,
    "locations": text_list,
    "shm_size": text,
    "max_instance_count": integer,
    "docker_args": text_or_list,
}


def _typed(what: str, tables: Mapping[str, Mapping[str, Any]], unknown: str = "error") -> Any:
    kind = Choice(*tables, camel=tables is _IDENTITIES)

    def read(context: Context, node: Node) -> Any:  # dict or INVALID
        if not isinstance(node, Map) or "type" not in node.items:
            return context.error(node, f"'{what}' must be a mapping with a 'type': {', '.join(tables)}.")
        name = kind(context, node.items["type"])
        if name is INVALID:
            return INVALID
        return Table(f"a {name} {what}", {"type": kind, **tables[name]}, unknown=unknown).read(context, node)

    return read


def _services(context: Context, node: Node) -> Any:  # dict or INVALID
    if not isinstance(node, Map):
        return context.error(node, f"A mapping of names to services is needed here, not {describe(node)}.")
    return {name: _service(child).read(context, child) for name, child in node.items.items()}


def _service(node: Node) -> Table:
    """The keys of a service, by its type. Types are not checked: an unknown one has only the common keys."""
    kind = node.items.get("type") if isinstance(node, Map) else None
    if not isinstance(kind, Scalar):
        own: Mapping[str, Any] = {key: read for keys in _SERVICE_OWN.values() for key, read in keys.items()}
        return Table("a service", {**_SERVICE, **own}, ignored=_SERVICE_READ_ONLY)
    own = _SERVICE_OWN.get(str(kind.value).lower(), {})
    return Table(f"a service of type '{kind.value}'", {**_SERVICE, **own}, ignored=_SERVICE_READ_ONLY)


def environment_variables(context: Context, node: Node) -> Any:  # dict or INVALID
    """Environment variables. Azure ML takes only strings: other scalars become strings, with a warning."""
    if not isinstance(node, Map):
        return context.error(node, f"A mapping of names to values is needed here, not {describe(node)}.")
    for name, child in node.items.items():
        if not name or "=" in name or "\0" in name + (child.text if isinstance(child, Scalar) else ""):
            context.error(
                child,
                f"{name!r} can't be set as an environment variable: a name must not be empty or contain '=', and "
                "neither name nor value may contain a zero character.",
            )
        if isinstance(child, Map | List):
            context.error(child, f"The value of an environment variable must be a string, not {describe(child)}.")
        elif not isinstance(child.value, str):
            context.warn(
                child,
                f"Azure ML takes only strings as values of environment variables; write '{child.text}' in quotes.",
            )
    return {
        key: "" if isinstance(child, Scalar) and child.value is None else sent(child)
        for key, child in node.items.items()
    }


def code_path(context: Context, node: Node) -> Any:  # str or INVALID
    """The absolute path of a code folder, or a reference to a code asset."""
    path = text(context, node)
    if path is INVALID or is_reference(path):
        return path
    if path.startswith(("http://", "https://", "git+", "git@")):
        return context.error(node, "Code from a URL is not supported; clone it and set 'code' to the local folder.")
    local = context.local(path)
    if not context.exists(local):
        return context.error(node, missing("code folder", path, local))
    return context.error(node, _not_code(path)) if is_system(local) else local


def includes(context: Context, node: Node) -> Any:  # tuple or INVALID
    """The absolute paths of additional includes."""
    paths = text_list(context, node)
    if paths is INVALID or not isinstance(node, List):
        return paths
    for path, item in zip(paths, node.items, strict=False):
        local = context.local(path)
        if not context.exists(local) and not zipped_folder(local):
            context.error(item, missing("additional include", path, context.local(path)))
        elif is_system(context.local(path)):
            context.error(item, _not_code(path))
    return tuple(context.local(path) for path in paths)


def _not_code(path: str) -> str:
    return f"{path} contains files of the operating system, and can't be part of a job's code; choose another folder."


def zipped_folder(include: str) -> str:
    """The folder that an additional include asks to zip: `x` for `x.zip` if there is no such file; else empty."""
    folder, extension = os.path.splitext(include)
    return folder if extension == ".zip" and not os.path.exists(include) and os.path.isdir(folder) else ""


def timeout(context: Context, node: Node) -> Any:  # int or INVALID
    """A timeout in seconds."""
    seconds = integer(context, node)
    if isinstance(seconds, int) and seconds <= 0:
        context.warn(node, f"A timeout of {seconds} seconds cancels the step at once.")
    return seconds


def compute(context: Context, node: Node) -> Any:  # str or INVALID
    """The name of a compute, or a reference to it."""
    name = text(context, node)
    if isinstance(name, str) and name.lower() == "local":
        context.warn(
            node,
            "Azure ML can't run this on the compute 'local'; write serverless, or azureml:<name> for a compute of the "
            "workspace.",
            refused=True,
        )
    return name


def bindable(kind: Any) -> Any:
    """A kind whose value may also be, or contain, a binding to an input of the pipeline."""

    def read(context: Context, node: Node) -> Any:  # str, or what the kind returns
        if isinstance(node, Scalar) and isinstance(node.value, str) and "${{" in node.value:
            return node.value
        return kind(context, node)

    return read


def _bound_variables(context: Context, node: Node) -> Any:  # str, dict or INVALID
    if isinstance(node, Scalar) and isinstance(node.value, str) and "${{" in node.value:
        message = "Azure ML's clients take environment variables that are bound as a whole from Python, not from a file"
        context.warn(node, f"{message}; write them as a mapping of names to values or bindings.", refused=True)
    return bindable(environment_variables)(context, node)


def _bound(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: bindable(kind) for key, kind in kinds.items()}


distribution = _typed("distribution", _DISTRIBUTIONS)
component_distribution = _typed("distribution", _DISTRIBUTIONS, unknown="warn")
_QUEUE = {
    "job_tier": Choice("spot", "basic", "standard", "premium", "null"),
    "priority": Choice("low", "medium", "high"),
}
# The keys of all nodes, whether their component is a reference or written in place.
NODE_KEYS: Mapping[str, Any] = {
    "inputs": job_inputs,
    "outputs": job_outputs,
    "display_name": text,
    "description": text,
    "tags": text_map,
    "properties": text_map,
    "comment": text,
    "compute": compute,
    "environment_variables": environment_variables,
    "limits": Table("limits", {"timeout": timeout}).nested,
    "resources": Table("resources", RESOURCES).nested,
    "distribution": distribution,
    "services": _services,
    "identity": _typed("identity", _IDENTITIES),
    "queue_settings": Table("queue settings", _QUEUE, nullable=("job_tier",)).nested,
}
# Nodes with a component may bind these to inputs of the pipeline (SDK: `support_data_binding_expression_for_fields`).
BOUND_KEYS: Mapping[str, Any] = {
    "environment_variables": _bound_variables,
    "limits": Table("limits", _bound({"timeout": timeout})).nested,
    "resources": Table("resources", _bound(RESOURCES)).nested,
    "distribution": _typed("distribution", {name: _bound(keys) for name, keys in _DISTRIBUTIONS.items()}),
    "queue_settings": Table("queue settings", _bound(_QUEUE), nullable=("job_tier",)).nested,
}
COMPONENT_KEYS: Mapping[str, Any] = {
    "name": loose,
    "version": loose,
    "display_name": text,
    "description": text,
    "tags": loose_text_map,
    "properties": loose_text_map,
    "is_deterministic": flag,
    "inputs": component_inputs,
    "outputs": component_outputs,
}
"""The keys that components of every type accept."""
# The SDK's schema of nodes with a component doesn't list these keys, so it accepts any value.
LABELS: Mapping[str, Any] = {"display_name": loose, "description": loose, "tags": loose_labels}
# A node with a component also accepts these keys at its top level (SDK: the parameters of `command()`).
SHORT_KEYS: Mapping[str, Mapping[str, Any]] = {
    "limits": _bound({"timeout": timeout}),
    "resources": {
        key: bindable(RESOURCES[key])
        for key in ("instance_count", "instance_type", "locations", "docker_args", "shm_size")
    },
    "queue_settings": {"job_tier": text, "priority": text},
}


def environment_of(context: Context, node: Map, files: Files) -> Any:  # Environment, str or None
    """The environment of a component or job, or None. Azure ML requires one; on this machine a job runs without."""
    child = node.items.get("environment")
    if child is None:
        mend = "add environment: azureml:<name>@latest for a registered one, or environment: {image: <image>}"
        context.warn(node, f"The key 'environment' is missing, and Azure ML requires it: {mend}.", refused=True)
        return None
    if isinstance(child, Scalar) and child.value is None:
        return None
    value = environment_value(context, child, files)
    return None if value is INVALID else value
