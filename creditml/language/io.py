"""Reads inputs and outputs: the declarations of components, and the values and settings of jobs and nodes."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any

from creditml.errors import near_miss
from creditml.language.fields import INVALID, Choice, Context, Table, describe, flag, missing, text, version
from creditml.language.yaml import List, Map, Node, Scalar
from creditml.model import (
    ASSET_TYPES,
    INPUT_MODES,
    LITERAL_TYPES,
    ComponentInput,
    ComponentOutput,
    Data,
    JobOutput,
    Literal,
)
from creditml.references import is_arm_id, is_reference, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESERVED = ("path", "ld_library_path", "user", "logname", "home", "pwd", "shell")
MLTABLE = "MLTable"
"""The name of the file that defines a table of type mltable, in the table's folder."""
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_GROUPED = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*")
_REMOTE = re.compile(r"(https?|wasbs?|abfss?|adl|runs|s3|gs|dbfs):")
_BINDING = re.compile(r"\$\{\{\s*\S*\s*\}\}")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
# The SDK reads `name:version` and `name@label` without `azureml:` as the same reference.
_ASSET = re.compile(r"[^/:@\\]+[:@][^/\\]+")
_DATA_MODES = ("download", "ro_mount", "direct")
_PORT_MODES = (*INPUT_MODES, "mount", "rw_mount", "upload", "link")


def remote(path: str) -> bool:
    """Whether a path is a URI, a reference or a binding rather than a local path."""
    return is_reference(path) or bool(_REMOTE.match(path)) or "${{" in path


def input_path(context: Context, node: Node) -> Any:  # str or INVALID
    """The path of an input, which may also be a reference without `azureml:` (`name:version`)."""
    path = text(context, node)
    if isinstance(path, str) and is_arm_id(path):
        return named(path)
    if path is INVALID or remote(path) or os.path.isabs(path) or _WINDOWS.match(path) or path.startswith("file:"):
        return data_path(context, node)
    if _ASSET.fullmatch(path):
        return named(path)
    if ":" in path or "@" in path:
        return context.error(
            node, f"Azure ML takes {path} for a reference because of its ':' or '@'; rename the file or folder."
        )
    return data_path(context, node)


def data_path(context: Context, node: Node) -> Any:  # str or INVALID
    """A path of data: a URI or reference unchanged, or the absolute path of a local file or folder that must exist."""
    path = text(context, node)
    if path is INVALID or remote(path) or path.startswith("file://"):
        return path
    local = context.local(path)
    if not path.strip():
        message = "The path is empty; give the path of the data, or remove the input if it is optional."
    elif path.startswith("file:"):
        message = f"Azure ML does not take 'file:' in the path of data; write {path.removeprefix('file:')}."
    elif _WINDOWS.match(path):
        message = f"{path} is a Windows path, and this is not Windows; write a path with '/'."
    elif not context.exists(local):
        message = missing("path", path, local)
    elif not (os.path.isfile(local) or os.path.isdir(local)):
        message = f"{path} is neither a file nor a folder, so it can't be used as data; copy the data into a file."
    else:
        return local
    return context.error(node, message)


def place(_context: Context, node: Node) -> Any:  # str or INVALID
    """A path on the compute, which is not checked on this machine."""
    return text(_context, node)


def job_inputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`inputs` of a pipeline job or node: `Literal` or `Data` by name. Names with dots are parameter groups."""
    return _named(context, node, _GROUPED, "an input", job_input)


def command_job_inputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`inputs` of a standalone command job, whose names have no dots."""
    return _named(context, node, _NAME, "an input", job_input)


def job_outputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`outputs` of a job or node: `JobOutput` by name."""
    return _named(context, node, _NAME, "an output", job_output)


def command_job_outputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`outputs` of a standalone command job, which has no parent to bind them to."""
    outputs = job_outputs(context, node)
    for name, output in () if outputs is INVALID else outputs.items():
        if output.binding and isinstance(node, Map):
            context.error(node.items[name], f"{output.binding} can't be resolved: a command job has no parent.")
    return outputs


def component_inputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`inputs` of a component: `ComponentInput` by name."""
    return _named(context, node, _GROUPED, "an input", component_input)


def component_outputs(context: Context, node: Node) -> Any:  # dict or INVALID
    """`outputs` of a component: `ComponentOutput` by name."""
    return _named(context, node, _NAME, "an output", component_output)


def job_input(context: Context, node: Node) -> Any:  # Literal, Data or INVALID
    """A literal, a binding, or data."""
    if not isinstance(node, Map):
        value = literal_text(context, node)
        return value if value is INVALID else Literal(value)
    if "value" in node.items:
        return (
            job_input(context, node.items["value"])
            if len(node.items) == 1
            else context.error(node, "'value' can't be used with other keys; data has 'type' and 'path'.")
        )
    fields = _JOB_INPUT.read(context, node)
    mode = fields.get("mode")
    type_ = fields.get("type", "uri_folder")
    if mode in ("eval_mount", "eval_download") and "type" in fields and type_ != "mltable":
        return context.error(
            node.items["mode"], f"The mode {mode} is for mltable; {type_} takes: {', '.join(_DATA_MODES)}."
        )
    path = fields.get("path")
    if path is None:
        if "path" not in node.items:
            mend = "Write it, or give it when the job is started: --set inputs.<name>.path=<path>."
            context.error(node, f"An input of data needs the key 'path'. {mend}")
        return INVALID
    known = "type" in fields or "type" not in node.items
    if known and os.path.isabs(path) and not _fits(path, type_):
        _misfit(context, node.items["path"], path, type_)
    if type_ == "mltable" and os.path.isdir(path) and not os.path.exists(os.path.join(path, MLTABLE)):
        context.warn(node.items["path"], no_mltable(path), refused=True)
    if "${{" in path and not _BINDING.fullmatch(path):
        context.warn(
            node.items["path"],
            f"Azure ML takes {path} for a local path; write it directly as the input's value, without 'path:'.",
            refused=True,
        )
    if _BINDING.fullmatch(path):
        return Literal(path, mode, fields.get("path_on_compute"))
    return Data(path, type_, mode, fields.get("path_on_compute"), fields.get("datastore"))


def job_output(context: Context, node: Node) -> Any:  # JobOutput or INVALID
    """The settings of an output: empty (the defaults), a binding, or a mapping."""
    if isinstance(node, Scalar):
        if node.value is None:
            return JobOutput()
        if isinstance(node.value, str) and node.value.strip().startswith("${{"):
            return JobOutput(binding=node.value.strip())
        message = f"An output must be a mapping, or a binding like ${{{{parent.outputs.x}}}}, not {describe(node)}."
        return context.error(node, message)
    fields = _JOB_OUTPUT.read(context, node)
    name = fields.get("name")
    if isinstance(node, Map) and name is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        return context.error(
            context.document.key_place(node, "name"),
            f"'{name}' is not a name for an output's asset: use at most 255 letters, digits, '_' and '-'.",
        )
    if isinstance(node, Map) and "version" in fields and name is None:
        return context.error(
            context.document.key_place(node, "version"), "An output with a 'version' also needs a 'name' to register."
        )
    path = fields.get("path")
    promoted = path is not None and path.startswith("${{parent.outputs.")
    place, binding = (None, path) if promoted else (path, None)
    return JobOutput(fields.get("type"), place, _mode(fields), name, fields.get("version"), binding)


def component_input(context: Context, node: Node) -> Any:  # ComponentInput or INVALID
    """The declaration of an input, literal or data."""
    kind = node.items.get("type") if isinstance(node, Map) else None
    literal = isinstance(kind, Scalar) and kind.value in LITERAL_TYPES
    if (
        isinstance(kind, Scalar)
        and isinstance(kind.value, str)
        and kind.value not in (*LITERAL_TYPES, *ASSET_TYPES, "path")
    ):
        known = (*LITERAL_TYPES, *ASSET_TYPES)
        return context.error(
            kind, f"'{kind.value}' is not an input type; use one of: {', '.join(known)}.{near_miss(kind.value, known)}"
        )
    fields = (_LITERAL_INPUT if literal else _DATA_INPUT).read(context, node)
    for key in ("min", "max"):
        if key in fields and fields.get("type") not in ("integer", "number") and isinstance(node, Map):
            context.error(
                context.document.key_place(node, key),
                f"'{key}' is for numbers, and this input is of type {fields.get('type')}.",
            )
    if "type" not in fields:
        return INVALID
    for key in ("min", "max") if fields["type"] in ("integer", "number") else ():
        if key in fields and not _is_number(fields[key]) and isinstance(node, Map):
            context.error(node.items[key], f"'{key}' must be a number, not '{fields[key]}'.")
    if literal and isinstance(node, Map):
        fields |= {
            key: _sent_limit(fields[key], node.items[key], fields["type"])
            for key in ("default", "min", "max")
            if key in fields
        }
    return ComponentInput(**fields)


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _sent_limit(value: str, node: Node, kind: str) -> str:
    """A default, min or max as the SDK sends it: `3` becomes `3.0` for the types number and string."""
    plain_number = isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
    try:
        if kind == "integer":
            return str(int(float(value)))
        if kind == "number":
            return str(float(node.value if isinstance(node, Scalar) and isinstance(node.value, bool) else value))
        if kind == "string" and plain_number:
            return str(float(value))
    except (ValueError, OverflowError):
        return value
    return value.capitalize() if kind == "boolean" and value.lower() in ("true", "false") else value


def component_output(context: Context, node: Node) -> Any:  # ComponentOutput or INVALID
    """The declaration of an output."""
    kind = node.items.get("type") if isinstance(node, Map) else None
    literal = isinstance(kind, Scalar) and kind.value in LITERAL_TYPES
    # the SDK's schema of such outputs tolerates other keys (`PrimitiveOutputSchema`)
    fields = (_COMPONENT_OUTPUT._replace(unknown="warn") if literal else _COMPONENT_OUTPUT).read(context, node)
    if literal and isinstance(kind, Scalar):
        message = f"An output of type {kind.value} is for control flow in Azure ML, which is not supported here"
        context.warn(kind, f"{message}; the step gets a path to write to, as for uri_folder.")
    return ComponentOutput(**fields) if "type" in fields else INVALID


def _fits(path: str, kind: str) -> bool:
    """Whether a local path is a file or folder as its type requires (SDK: 'There is no dir on target path')."""
    return not (kind == "uri_file" and os.path.isdir(path)) and not (
        kind in ("uri_folder", "mltable") and os.path.isfile(path)
    )


def no_mltable(path: str) -> str:
    """What is wrong with a folder of type mltable in which the file that defines the table is missing."""
    return (
        f"{path} has no file named '{MLTABLE}', which defines the table; Azure ML refuses such a folder as an mltable. "
        "Add the file, or write 'type: uri_folder'."
    )


def _misfit(context: Context, node: Node, path: str, kind: str) -> None:
    """Note that a path is a file although its type is a folder, or the reverse.

    Azure ML refuses this for absolute paths and does not check relative ones. It is a warning in both cases, since
    recorded jobs have only absolute paths and must stay readable.
    """
    found, other = ("folder", "uri_folder") if kind == "uri_file" else ("file", "uri_file")
    absolute = isinstance(node, Scalar) and os.path.isabs(str(node.value)) and kind != "mltable"
    refused = " Azure ML refuses that, since the path is absolute." if absolute else ""
    message = f"The type is {kind}, but {path} is a {found}; the step gets a {found}.{refused} Write 'type: {other}'."
    context.warn(node, message, refused=absolute)


def literal_text(context: Context, node: Node) -> Any:  # str or INVALID
    """A literal as the text that Azure ML is sent."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and "\0" in value:
        return context.error(node, "A string can't hold a zero character.")
    if isinstance(value, float) and not math.isfinite(value):
        return context.error(node, "The number must be finite; infinity and nan can't be sent to Azure ML.")
    if isinstance(value, str | int | float):
        return value if isinstance(value, str) else str(value)
    mend = f" Write it in quotes: '{node.text}'." if isinstance(node, Scalar) and value is not None else ""
    return context.error(node, f"A string, number or boolean is needed here, not {describe(node)}.{mend}")


def literal_type(node: Node | None) -> str:
    """The type of a literal by its YAML value, which the input of an anonymous component gets."""
    value = node.value if isinstance(node, Scalar) else None
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
        if isinstance(value, kind):
            return name
    return "string"


def _mode(fields: Mapping[str, Any]) -> str | None:
    mode = fields.get("mode")
    return "rw_mount" if mode == "mount" else mode


def _words(context: Context, node: Node) -> Any:  # tuple or INVALID
    if not isinstance(node, List):
        return context.error(node, f"A list of allowed values is needed here, not {describe(node)}.")
    return tuple(value for value in (text(context, item) for item in node.items) if value is not INVALID)


def _named(
    context: Context, node: Node, names: re.Pattern[str], what: str, kind: Callable[[Context, Node], Any]
) -> Any:
    if not isinstance(node, Map):
        return context.error(node, f"A mapping of names to values is needed here, not {describe(node)}.")
    values: dict[str, Any] = {}
    cases: dict[str, str] = {}
    for key, child in node.items.items():
        if cases.setdefault(key.lower(), key) != key:
            context.error(
                context.document.key_place(node, key),
                f"'{key}' and '{cases[key.lower()]}' differ only in case, which Azure ML refuses.",
            )
        if not names.fullmatch(key):
            at = context.document.key_place(node, key)
            context.error(at, f"'{key}' can't name {what}: use letters, digits and '_', and don't begin with a digit.")
        elif key.lower() in RESERVED:
            context.error(context.document.key_place(node, key), f"'{key}' is reserved and can't name {what}.")
        else:
            value = kind(context, child)
            if value is not INVALID:
                values[key] = value
    return values


# The tables stand below the functions that they use.
_JOB_INPUT = Table(
    "an input",
    {
        "type": Choice(*ASSET_TYPES),
        "path": input_path,
        "mode": Choice(*INPUT_MODES),
        "path_on_compute": place,
        "datastore": text,
        "value": lambda _context, node: node,
    },
)
_JOB_OUTPUT = Table(
    "an output",
    {
        "type": Choice(*ASSET_TYPES),
        "path": text,
        "mode": Choice("mount", "rw_mount", "upload", "direct"),
        "name": text,
        "version": version,
    },
)
_LITERAL_INPUT = Table(
    "a literal input",
    {
        "type": Choice(*LITERAL_TYPES, exact=True),
        "description": text,
        "default": literal_text,
        "optional": flag,
        "min": literal_text,
        "max": literal_text,
        "enum": _words,
    },
    required=("type",),
)
_DATA_INPUT = Table(
    "a data input",
    {
        "type": Choice(*ASSET_TYPES, "path", exact=True),
        "description": text,
        "default": lambda context, node: context.error(
            node, "An input of data can't have a default; make it optional, or give the data in the job."
        ),
        "optional": flag,
        "mode": Choice(*_PORT_MODES, exact=True),
    },
    required=("type",),
)
_COMPONENT_OUTPUT = Table(
    "an output",
    {
        "type": Choice(*ASSET_TYPES, *LITERAL_TYPES, "path", exact=True),
        "description": text,
        "mode": Choice(*_PORT_MODES, exact=True),
    },
    required=("type",),
)
