"""From a YAML file to a `Job` or a component: everything that is wrong with it at once, each with its place."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import Place, Problem, SpecError, UsageError
from creditml.language.components import document_component
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
    """What came of a file: a job (None if nothing could be made of it), all problems, and where things stand."""

    job: Job | None
    problems: tuple[Problem, ...]


def read_job(types: Types, path: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a YAML file.

    Args:
        types: the table of node types.
        path: the file.
        overrides: `a.b=c`, each set in the file before it is read, as `az ml job create --set` does.

    Raises:
        SpecError: the file can't be read at all.
        UsageError: an override that is none.
    """
    with _no_collector():
        document = open_document(path, overrides)
        return read_job_document(types, document, Path(path).absolute().parent, overrides)


def read_job_document(types: Types, document: Document, folder: Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a parsed document whose relative paths start at `folder`, and in which `overrides` are set."""
    files = JobFiles(types, tuple(overrides))
    context = files.adopt(document, folder)
    job = read_tree(context, document.root, files)
    return Reading(job._replace(source=files) if job else None, tuple(files.problems))


def read_job_dict(types: Types, value: Mapping[str, Any], file: str = "") -> Job:
    """A job from plain values, as `write_job` made them.

    Raises:
        SpecError: they are no job.
    """
    reading = read_job_document(types, Document(file, from_plain(dict(value)), []), Path.cwd())
    if reading.job is None or any(not p.warning for p in reading.problems):
        raise SpecError(reading.problems)
    return reading.job._replace(source=None)


class ComponentReading(NamedTuple):
    """What came of a component's file, as `Reading`; `source` tells where things stand."""

    component: Component | None
    problems: tuple[Problem, ...]
    source: JobFiles


def read_component_document(types: Types, document: Document, folder: Path) -> ComponentReading:
    """A component from a parsed document whose relative paths start at `folder`, with all problems."""
    files = JobFiles(types)
    context = files.adopt(document, folder)
    root = document.root
    name = root.items.get("name") if isinstance(root, Map) else None
    if isinstance(name, Scalar) and not (isinstance(name.value, str) and _COMPONENT_NAME.fullmatch(name.value)):
        context.error(
            name,
            f"'{name.text}' is not a component name: lower-case letters, digits and '_', starting with a letter.",
        )
    component = document_component(context, root, files)
    return ComponentReading(component, tuple(files.problems), files)


def open_document(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read and parse a YAML file, and set in it what is to be set besides.

    Raises:
        SpecError: it does not exist, is no UTF-8 text or no YAML.
        UsageError: an override that is none.
    """
    name = shown(str(path))
    content = b""
    try:
        content = Path(path).read_bytes()
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
    """Apply `a.b=c` to a document; what is wrong with it is reported at the `--set` that gave it."""
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        message = f"--set {override}: write --set key.path=value, for example --set inputs.learning_rate=0.1."
        raise UsageError(message)
    node, place = document.root, document.outside(f"--set {override}")
    for index, key in enumerate(keys):
        if isinstance(node, Scalar) and node.value is None and node is document.root:
            document.root = node = Map(1, 1)
        if not isinstance(node, Map):
            message = (
                f"--set {override}: {'.'.join(keys[:index])} is a reference string, "
                "and properties behind one can't be set."
            )
            raise UsageError(message)
        if index == len(keys) - 1:
            # a text, as `az` has it: the fields make of it what they need
            node.put(key, place, Scalar(value, value, *place))
        else:
            if key not in node.items or (isinstance(node.items[key], Scalar) and node.items[key].value is None):  # type: ignore[union-attr]
                node.put(key, place, Map(*place))
            node = node.items[key]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the cyclic garbage collector a tree of a million objects is built three times as fast."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
