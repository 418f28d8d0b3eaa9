"""Reads environments: a reference, a file, or a definition in place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.errors import SpecError
from creditml.language.fields import (
    INVALID,
    Choice,
    Context,
    Table,
    any_map,
    anything,
    describe,
    flag,
    loose_text_map,
    missing,
    text,
    version,
)
from creditml.language.files import read_file
from creditml.language.requirements import with_requirements
from creditml.language.yaml import Map, Node, Scalar, parse
from creditml.model import Build, Environment
from creditml.references import bare, is_arm_id, is_reference, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.language.files import Files

READ_ONLY = ("id", "creation_context", "latest_version", "auto_delete_setting", "intellectual_property", "datastore")


def _context_folder(context: Context, node: Node) -> Any:  # str or INVALID
    path = text(context, node)
    if path is INVALID or path.startswith(("http://", "https://", "git+")):
        return path
    local = context.local(path)
    return local if context.exists(local) else context.error(node, missing("build context", path, local))


def conda_file(context: Context, node: Node) -> Any:  # dict or INVALID
    """The content of a conda file, which is given in place or by its path."""
    if isinstance(node, Map):
        return with_requirements(context, node, anything(context, node), context.folder)
    path = text(context, node)
    if path is INVALID:
        return path
    local = Path(context.local(path))
    read = read_file(context, node, "conda file", path, str(local))
    if read is None:
        return INVALID
    try:
        content = anything(context, parse(read, str(local)).root)
    except SpecError as error:
        context.problems += error.problems
        return INVALID
    if not isinstance(content, dict):
        return context.error(node, f"The conda file {path} must contain a mapping with 'dependencies'.")
    return with_requirements(context, node, content, local.parent)


_BUILD = Table("a build context", {"path": _context_folder, "dockerfile_path": text}, required=("path",))
ENVIRONMENT = Table(
    "an environment",
    {
        "name": text,
        "version": version,
        "description": text,
        "tags": loose_text_map,
        "image": text,
        "conda_file": conda_file,
        "build": _BUILD.nested,
        "os_type": Choice("linux", "windows"),
        "inference_config": any_map,
        "is_anonymous": flag,
    },
    ignored=READ_ONLY,
)


def versioned(context: Context, node: Node, reference: str) -> Any:  # str or INVALID
    """A reference to an asset; one without a version or label is an error."""
    name = bare(reference)
    if "/" in name or ":" in name or "@" in name:
        return reference
    return context.error(node, f"{reference} has no version; write {reference}@latest or {reference}:<version>.")


def environment(context: Context, node: Map) -> Environment | None:
    """Read the definition of an environment; None if it has errors."""
    before = len(context.problems)
    fields: Mapping[str, Any] = ENVIRONMENT.read(context, node)
    if "build" in fields and ("image" in fields or "conda_file" in fields):
        other = "image" if "image" in fields else "conda_file"
        context.error(context.document.key_place(node, other), f"'build' and '{other}' can't be used together.")
    elif "conda_file" in fields and "image" not in fields:
        context.error(context.document.key_place(node, "conda_file"), "A conda file needs an 'image' to build on.")
    elif "build" not in node.items and "image" not in node.items:
        context.error(node, "An environment needs an 'image' or a 'build' context.")
    if any(not p.warning for p in context.problems[before:]):
        return None
    build = fields.get("build")
    named = {key: value for key, value in fields.items() if key not in ("build", "is_anonymous")}
    return Environment(**named, build=Build(**build) if build else None)


def environment_value(context: Context, node: Node, files: Files) -> Any:  # Environment, str or INVALID
    """Read the `environment` of a component or job: `azureml:…`, `file:…`, or a definition."""
    if isinstance(node, Map):
        return environment(context, node) or INVALID
    if not (isinstance(node, Scalar) and isinstance(node.value, str)):
        return context.error(node, f"An environment must be a reference or a mapping, not {describe(node)}.")
    reference = node.value
    if is_arm_id(reference):
        return named(reference)
    if is_reference(reference):
        return versioned(context, node, reference)
    if reference.startswith("file:") or reference.endswith((".yml", ".yaml")):
        loaded = files.load(context, node, reference)
        return INVALID if loaded is None else files.once(loaded, environment)
    label = "" if ":" in reference else "@latest"
    message = (
        f"'{reference}' is not an environment; write {named(reference)}{label} for a registered one, "
        f"file:<path> for a file, or 'image: {reference}'."
    )
    return context.error(node, message)
