"""Reads a YAML file into a `Job` or a component, and reports all problems at once, each with its position."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.documents import DEEPEST, read_bytes
from creditml.errors import Place, Problem, SpecError, UsageError
from creditml.language.components import document_component
from creditml.language.fields import text_map
from creditml.language.files import shown
from creditml.language.jobs import read_tree
from creditml.language.types import JobFiles
from creditml.language.yaml import Document, Map, Scalar, from_plain, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from creditml.language.types import Types
    from creditml.model import Component, Job

_COMPONENT_NAME = re.compile(r"[a-z][a-z\d_]*")


class Reading(NamedTuple):
    """The result of reading a file: the job, or None if it can't be read, and all problems."""

    job: Job | None
    problems: tuple[Problem, ...]


def read_job(types: Types, path: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a YAML file.

    Args:
        types: The table of node types.
        path: The file.
        overrides: `a.b=c`, values to set in the file before it is read, as `az ml job create --set` does.

    Raises:
        SpecError: The file can't be read or is not YAML.
        UsageError: An override is not of the form `a.b=c`, or can't be set.
    """
    with _no_collector():
        document = open_document(path, overrides)
        return read_job_document(types, document, Path(path).absolute().parent, overrides)


def read_job_document(types: Types, document: Document, folder: Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a parsed document in which `overrides` are set; its relative paths start from `folder`."""
    files = JobFiles(types, tuple(overrides))
    context = files.adopt(document, folder)
    job = read_tree(context, document.root, files)
    return Reading(job._replace(source=files) if job else None, tuple(files.problems))


def read_job_dict(types: Types, value: Mapping[str, Any], file: str = "") -> Job:
    """Read a job from plain values, as `job_dict` makes them.

    Raises:
        SpecError: The values are not a valid job.
    """
    reading = read_job_document(types, Document(file, from_plain(dict(value)), []), Path.cwd())
    if reading.job is None or any(not p.warning for p in reading.problems):
        raise SpecError(reading.problems)
    return reading.job._replace(source=None)


class ComponentReading(NamedTuple):
    """The result of reading a component's file: the component or None, all problems, and the positions of key paths."""

    component: Component | None
    problems: tuple[Problem, ...]
    source: JobFiles


def read_component_document(types: Types, document: Document, folder: Path) -> ComponentReading:
    """Read a component from a parsed document; its relative paths start from `folder`."""
    files = JobFiles(types)
    context = files.adopt(document, folder)
    root = document.root
    name = root.items.get("name") if isinstance(root, Map) else None
    if isinstance(name, Scalar) and not (isinstance(name.value, str) and _COMPONENT_NAME.fullmatch(name.value)):
        context.error(
            name,
            f"'{name.text}' is not a component name: use lower-case letters, digits and '_', and begin with a letter.",
        )
    tags = root.items.get("tags") if isinstance(root, Map) else None
    if isinstance(tags, Map):  # the SDK checks them when the component itself is loaded, not in a job that uses it
        text_map(context, tags)
    component = document_component(context, root, files)
    return ComponentReading(component, tuple(files.problems), files)


def open_document(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read and parse a YAML file, and set the overrides in it.

    Raises:
        SpecError: The file does not exist, is not a regular file of UTF-8 text, or not YAML.
        UsageError: An override is not of the form `a.b=c`, or can't be set.
    """
    name = shown(str(path))
    content = b""
    try:
        content = read_bytes(path, handed=True)
        text_of_file = content.decode("utf-8-sig")
    except IsADirectoryError:
        raise SpecError([Problem(f"{name} is a folder; give the YAML file in it.")]) from None
    except OSError as error:
        raise SpecError([Problem(f"{name} can't be read: {error.strerror}.")]) from None
    except UnicodeDecodeError as error:
        before = content[: error.start].rsplit(b"\n", 1)[-1]
        place = Place(name, content.count(b"\n", 0, error.start) + 1, len(before) + 1)
        raise SpecError([Problem("This is not UTF-8 text; save the file as UTF-8.", "", place)]) from None
    document = parse(text_of_file, name)
    for override in overrides:
        set_value(document, override)
    return document


def set_value(document: Document, override: str) -> None:
    """Set `a.b=c` in a document. Problems with the value are reported for `--set a.b=c` instead of a line.

    Raises:
        UsageError: The override is not of that form, or a key in it is not a mapping.
    """
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        message = f"--set {override}: write --set key.path=value, for example --set inputs.learning_rate=0.1."
        raise UsageError(message)
    if len(keys) > DEEPEST:
        message = f"--set {override[:80]}…: a key path has at most {DEEPEST} keys."
        raise UsageError(message)
    node, place = document.root, document.outside(f"--set {override}")
    for index, key in enumerate(keys):
        if isinstance(node, Scalar) and node.value is None and node is document.root:
            document.root = node = Map(1, 1)
        if not isinstance(node, Map):
            message = (
                f"--set {override}: {'.'.join(keys[:index]) or 'the file'} is not a mapping, so a key in it can't be "
                "set; set the whole value, or edit the file that it refers to."
            )
            raise UsageError(message)
        if index == len(keys) - 1:
            # a text, as in `az`; the field converts it
            node.put(key, place, Scalar(value, value, *place))
        else:
            if key not in node.items or (isinstance(node.items[key], Scalar) and node.items[key].value is None):  # type: ignore[union-attr]
                node.put(key, place, Map(*place))
            node = node.items[key]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Turn off the cyclic garbage collector: a tree of a million objects is then built three times as fast."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
