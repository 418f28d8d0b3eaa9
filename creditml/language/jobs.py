"""Reads the parts that jobs of all types have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.errors import near_miss
from creditml.language.fields import text
from creditml.language.node_keys import NODE_KEYS
from creditml.language.yaml import Map, Scalar
from creditml.model import LITERAL_TYPES, Job, Node, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from creditml.language.fields import Context
    from creditml.language.types import JobFiles
    from creditml.language.yaml import Node as Tree
    from creditml.model import Component

_JOB_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
JOB_KEYS: Mapping[str, Any] = {
    "name": text,
    "experiment_name": text,
    **{key: NODE_KEYS[key] for key in ("inputs", "outputs", "display_name", "description")},
}
"""The keys that jobs of every type accept."""
_OF_COMPONENTS = ("version", "is_deterministic", "additional_includes")
"""Keys that components have and jobs have not."""
_OF_DECLARATIONS = ("optional", "default", "min", "max", "enum")
"""Keys of the inputs that components declare, which inputs of jobs have not."""


def read_tree(context: Context, tree: Tree, files: JobFiles) -> Job | None:
    """Read a document as a job. Problems are noted in `context`; None if the document is not a job of a known type."""
    if not isinstance(tree, Map):
        context.error(
            tree, "The file is not a job: a job is a mapping of keys to values, with 'type: pipeline' or a 'command'."
        )
        return None
    if _declares(tree):
        name = files.file or "component.yml"
        context.error(
            tree,
            "This file is a component, not a job. Run it by a job with these lines, and with values for its inputs: "
            f"'type: pipeline', 'jobs: {{step: {{component: ./{Path(name).name}}}}}'.",
        )
        return None
    other = _other_document(tree)
    if other:
        context.error(tree, f"This file is {other}")
        return None
    types = files.types
    kind, word = tree.items.get("type"), types.of_job(tree)
    known = [name for name, each in types.known.items() if each.standalone]
    if word in known:
        if kind is None and word != types.default:
            context.error(tree, f"A {word} job needs 'type: {word}'.")
        return types.known[word].read_job(context, tree, files)
    if kind is not None and word in (*types.later, *types.later_jobs):
        context.error(kind, f"Jobs of type '{word}' are not supported yet; this version runs {types.listed_jobs} jobs.")
    elif kind is not None:
        hint = near_miss(word.lower(), known)
        context.error(kind, f"'{word}' is not a job type; the types are: {', '.join(known)}.{hint}")
    return None


def _other_document(tree: Map) -> str:
    """What a document is that is neither a job nor a component, and what to do with it; empty for others."""
    schema = tree.items.get("$schema")
    last = str(schema.value).rpartition("/")[2].lower() if isinstance(schema, Scalar) else ""
    if last.startswith("schedule.") or {"trigger", "create_job"} <= tree.items.keys():
        return "a schedule, and schedules are not supported here; run the job of its 'create_job' instead."
    for kind in ("data", "environment", "model"):
        if last.startswith(f"{kind}."):
            return f"not a job; register it with `creditml {kind} create -f FILE`, and use it in a job."
    return ""


def _declares(tree: Map) -> bool:
    """Whether a mapping is a component, by its schema, its keys or (if it has no nodes) the inputs that it declares."""
    schema, inputs = tree.items.get("$schema"), tree.items.get("inputs")
    if isinstance(schema, Scalar) and "component" in str(schema.value).lower().rpartition("/")[2]:
        return True
    ports = inputs.items.values() if isinstance(inputs, Map) and "jobs" not in tree.items else ()
    declared = any(isinstance(port, Map) and _is_declaration(port) for port in ports)
    return any(key in tree.items for key in _OF_COMPONENTS) or declared


def _is_declaration(port: Map) -> bool:
    kind = port.items.get("type")
    literal = isinstance(kind, Scalar) and kind.value in LITERAL_TYPES
    return not any(key in port.items for key in ("path", "value")) and (
        literal or any(key in port.items for key in _OF_DECLARATIONS)
    )


def finish_job(
    context: Context, tree: Map, fields: Mapping[str, Any], component: Component | str, keys: Iterable[str]
) -> Job:
    """Make a job of the values that were read.

    Args:
        context: Notes problems.
        tree: The job's mapping.
        fields: The values of its keys.
        component: The component that it runs; for a reference, `fields["type"]` is its node type.
        keys: The keys that become fields of the root node.
    """
    name = fields.get("name")
    if name is not None and not _JOB_NAME.fullmatch(name):
        context.error(
            tree.items["name"],
            f"'{name}' is not a job name: use at most 255 letters, digits, '_', '-' and '.', "
            "and begin with a letter or digit.",
        )
    kept = {key: fields[key] for key in keys if key in fields}
    kind = fields["type"] if isinstance(component, str) else component.type
    root = Node(name="", component=component, type=kind, **kept)
    return Job(root, name, fields.get("experiment_name"), Settings(**fields.get("settings", {})))
