"""From a YAML file to a `Job` or a component: everything that is wrong with it at once, each with its place."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import MEANT_BY, Place, Problem, SpecError, UsageError, near_miss
from creditml.language.command import INLINE_KEYS, NODE_KEYS, READ_ONLY, environment_of
from creditml.language.fields import INVALID, Choice, Context, Table, anything, flag, text, text_map
from creditml.language.files import Files, shown
from creditml.language.implied import inferred_inputs, inferred_outputs
from creditml.language.io import command_job_inputs, command_job_outputs
from creditml.language.pipeline import LATER_NODE_TYPES, component_type, component_value, nodes
from creditml.language.yaml import Document, Map, Scalar, from_plain, parse
from creditml.language.yaml import Node as Tree
from creditml.model import NOTHING, Command, Component, ComponentOutput, Job, Node, Pipeline, Settings
from creditml.references import is_arm_id, is_reference, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COMPONENT_NAME = re.compile(r"[a-z][a-z\d_]*")
_JOB_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")


def _default_compute(context: Context, node: Tree) -> Any:  # str or INVALID
    value = text(context, node)
    if value is INVALID or value.lower() == "serverless" or is_reference(value) or is_arm_id(value):
        return value
    return context.error(
        node, f"'{value}' is no default compute; write serverless, or {named(value)} for a compute of the workspace."
    )


def _default_datastore(context: Context, node: Tree) -> Any:  # str or INVALID
    value = text(context, node)
    if value is INVALID or is_reference(value) or is_arm_id(value):
        return value
    return context.error(node, f"'{value}' is no default datastore; write {named(value)}.")


_SETTINGS = Table(
    "settings",
    {
        "default_compute": _default_compute,
        "default_datastore": _default_datastore,
        "continue_on_step_failure": flag,
        "force_rerun": flag,
    },
    unknown="keep",
)
_COMMON = {
    "name": text,
    "experiment_name": text,
    **{key: NODE_KEYS[key] for key in ("inputs", "outputs", "display_name", "description")},
}
_PIPELINE_JOB = Table(
    "a pipeline job",
    {
        **_COMMON,
        "tags": text_map,
        "properties": text_map,
        "compute": NODE_KEYS["compute"],
        "services": NODE_KEYS["services"],
        "identity": NODE_KEYS["identity"],
        "type": Choice("pipeline", exact=True),
        "settings": _SETTINGS.nested,
        "jobs": anything,
        "component": anything,
    },
    ignored=READ_ONLY,
)
_COMMAND_JOB = Table(
    "a command job",
    {**INLINE_KEYS, "inputs": command_job_inputs, "outputs": command_job_outputs},
    required=("command",),
    ignored=READ_ONLY,
)
_ROOT_FIELDS = (
    "inputs",
    "outputs",
    "display_name",
    "description",
    "tags",
    "properties",
    "compute",
    "services",
    "identity",
)


class Reading(NamedTuple):
    """What came of a file: a job (None if nothing could be made of it), all problems, and where things stand."""

    job: Job | None
    problems: tuple[Problem, ...]


def read_job(path: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a YAML file.

    Args:
        path: the file.
        overrides: `a.b=c`, each set in the file before it is read, as `az ml job create --set` does.

    Raises:
        SpecError: the file can't be read at all.
        UsageError: an override that is none.
    """
    with _no_collector():
        document = open_document(path, overrides)
        return read_job_document(document, Path(path).absolute().parent, overrides)


def read_job_document(document: Document, folder: Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a parsed document whose relative paths start at `folder`, and in which `overrides` are set."""
    files = Files([], tuple(overrides))
    context = files.adopt(document, folder)
    job = _job(context, document.root, files)
    return Reading(job._replace(source=files) if job else None, tuple(files.problems))


def read_job_dict(value: Mapping[str, Any], file: str = "") -> Job:
    """A job from plain values, as `write_job` made them.

    Raises:
        SpecError: they are no job.
    """
    reading = read_job_document(Document(file, from_plain(dict(value)), []), Path.cwd())
    if reading.job is None or any(not p.warning for p in reading.problems):
        raise SpecError(reading.problems)
    return reading.job._replace(source=None)


class ComponentReading(NamedTuple):
    """What came of a component's file, as `Reading`; `source` tells where things stand."""

    component: Component | None
    problems: tuple[Problem, ...]
    source: Files


def read_component(path: str | Path, overrides: Sequence[str] = ()) -> ComponentReading:
    """A command or pipeline component from its own file, with all problems."""
    document = open_document(path, overrides)
    return read_component_document(document, Path(path).absolute().parent)


def read_component_document(document: Document, folder: Path) -> ComponentReading:
    """As `read_component`, from a parsed document."""
    files = Files([])
    context = files.adopt(document, folder)
    kind = component_type(document.root)
    if kind not in ("command", "pipeline"):
        message = (
            f"Components of type '{kind}' are not supported yet; this version runs command and pipeline components."
        )
        context.error(document.root, message)
        return ComponentReading(None, tuple(files.problems), files)
    if not isinstance(document.root, Map):
        context.error(document.root, "A component is a mapping of keys to values.")
        return ComponentReading(None, tuple(files.problems), files)
    name = document.root.items.get("name")
    if isinstance(name, Scalar) and not (isinstance(name.value, str) and _COMPONENT_NAME.fullmatch(name.value)):
        context.error(
            name,
            f"'{name.text}' is no name for a component: lower-case letters, digits and '_', starting with a letter.",
        )
    component = component_value(context, document.root, files, kind)
    return ComponentReading(None if component is INVALID else component, tuple(files.problems), files)


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


def _job(context: Context, tree: Tree, files: Files) -> Job | None:
    if not isinstance(tree, Map):
        context.error(
            tree, "The file holds no job: a job is a mapping of keys to values, with 'type: pipeline' or a 'command'."
        )
        return None
    kind = tree.items.get("type")
    word = str(kind.value) if isinstance(kind, Scalar) else "command"
    if word == "command" and kind is None and ("jobs" in tree.items or "component" in tree.items):
        context.error(tree, "A pipeline job needs 'type: pipeline'.")
        word = "pipeline"
    if word == "pipeline":
        return _pipeline_job(context, tree, files)
    if word == "command":
        return _command_job(context, tree, files)
    known = ("pipeline", "command")
    if kind is not None and word in LATER_NODE_TYPES:
        context.error(
            kind, f"Jobs of type '{word}' are not supported yet; this version runs pipeline and command jobs."
        )
    elif kind is not None:
        context.error(
            kind, f"'{word}' is no type of a job; there are: {', '.join(known)}.{near_miss(word.lower(), known)}"
        )
    return None


def _pipeline_job(context: Context, tree: Map, files: Files) -> Job | None:
    fields = _PIPELINE_JOB.read(context, tree)
    inputs, outputs = fields.get("inputs", NOTHING), fields.get("outputs", NOTHING)
    for name, output in outputs.items():
        if output.binding:
            message = (
                f"A pipeline's output is no binding; bind a node's output to ${{{{parent.outputs.{name}}}}} instead."
            )
            context.error(files.place(("outputs", name)) or tree, message)
    if "component" in tree.items:
        if "jobs" in tree.items:
            context.error(
                context.document.key_place(tree, "component"),
                "'jobs' and 'component' are mutually exclusive fields in a pipeline job.",
            )
        component = component_value(context, tree.items["component"], files, "pipeline")
        if component is INVALID:
            return None
    else:
        if "jobs" not in tree.items:
            context.error(tree, f"A pipeline job needs 'jobs'.{near_miss('jobs', tree.items, ask=MEANT_BY)}")
        declared = inferred_inputs(inputs, tree.items.get("inputs"))
        results = inferred_outputs(outputs)
        kinds = {name: spec.type for name, spec in declared.items()}
        jobs = nodes(context, tree.items.get("jobs"), files, kinds, results)
        component = Pipeline(
            jobs,
            inputs=declared,
            outputs={name: ComponentOutput(kind) for name, kind in results.items()},
        )
    return _finish(context, tree, fields, component, "pipeline")


def _command_job(context: Context, tree: Map, files: Files) -> Job | None:
    fields = _COMMAND_JOB.read(context, tree)
    environment = environment_of(context, tree, files)
    if "command" not in fields:
        return None
    component = Command(
        fields["command"],
        environment,
        fields.get("code"),
        inputs=inferred_inputs(fields.get("inputs", NOTHING), tree.items.get("inputs")),
        outputs={
            name: ComponentOutput(kind) for name, kind in inferred_outputs(fields.get("outputs", NOTHING)).items()
        },
    )
    return _finish(context, tree, fields, component, "command")


def _finish(context: Context, tree: Map, fields: Mapping[str, Any], component: Component | str, kind: str) -> Job:
    name = fields.get("name")
    if name is not None and not _JOB_NAME.fullmatch(name):
        context.error(
            tree.items["name"], f"'{name}' is no name for a job: letters, digits, '_', '-' and '.', at most 255."
        )
    if name is not None and kind == "command" and name != name.lower():
        context.warn(tree.items["name"], f"Azure ML changes the name to lower case: {name.lower()}.")
        name = name.lower()
    keys = _ROOT_FIELDS if kind == "pipeline" else NODE_KEYS
    kept = {key: fields[key] for key in keys if key in fields and key != "type"}
    root = Node(name="", component=component, type=kind, **kept)
    return Job(root, name, fields.get("experiment_name"), Settings(**fields.get("settings", {})))


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
