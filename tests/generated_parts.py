"""Random parts of jobs: texts, settings, environments, declarations and command components.

Local paths are in this folder, so that they exist wherever the tests run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from creditml.model import (
    ASSET_TYPES,
    LITERAL_TYPES,
    Build,
    Command,
    ComponentInput,
    ComponentOutput,
    Environment,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = str(Path(__file__).parent)
FILE = str(Path(__file__))

# PyYAML can't read what it writes for NEL; surrogates and zeros are not valid text.
CHARACTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\x85")
TRICKY = [
    "",
    "yes",
    "010",
    "1e-5",
    "1.0",
    "null",
    "<<",
    "=",
    "a: b",
    "- a",
    " x ",
    "'",
    '"',
    "a\nb\n",
    "# c",
    "${x}",
    "é🚀",
]
TEXT = st.one_of(st.sampled_from(TRICKY), st.text(CHARACTERS, max_size=8)).filter(lambda text: "${{" not in text)
KEY = TEXT.filter(lambda text: text != "$schema")
MAYBE = st.one_of(st.none(), TEXT)
INTEGERS = st.integers(-1000, 1000)
NUMBERS = st.floats(-1000, 1000, allow_nan=False).map(lambda number: number + 0.0)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEY, inner, max_size=2)),
    max_leaves=4,
)
MAPS = st.dictionaries(KEY, PLAIN, max_size=2)
TAGS = st.one_of(st.just({}), st.dictionaries(KEY, TEXT, max_size=3))
VARIABLES = st.dictionaries(
    KEY.filter(lambda key: key and "=" not in key and "\0" not in key),
    TEXT.filter(lambda text: "\0" not in text),
    max_size=3,
)
LITERAL_TEXTS: Mapping[str, st.SearchStrategy[str]] = {
    "string": TEXT,
    "integer": INTEGERS.map(str),
    "number": NUMBERS.map(str),
    "boolean": st.booleans().map(str),
}
# Texts that are also a value of another type in YAML, and must stay texts.
OTHER_TEXTS = {
    "string": ("5", "True"),
    "integer": ("007", "+5", "3.0"),
    "number": ("5", "1e-5", "0.10", ".5"),
    "boolean": ("true", "FALSE"),
}
INPUT_NAMES = ("data", "epochs", "rate", "Label", "_x", "group.size", "name")
OUTPUT_NAMES = ("model", "data", "report", "Out_1")
NODE_NAMES = ("prep", "train", "score", "a", "b1", "_c", "class", "jobs", "parent")


def some(strategy: st.SearchStrategy[Any], often: int = 1) -> st.SearchStrategy[Any]:
    """A value of the strategy or None; the larger `often`, the more likely is None."""
    return st.one_of(*[st.none()] * often, strategy)


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


@st.composite
def environments(draw: st.DrawFn) -> Environment | str | None:
    kind = draw(st.sampled_from(["none", "reference", "image", "conda", "build"]))
    if kind == "none":
        return None
    if kind == "reference":
        return draw(
            st.sampled_from(["azureml:env:1", "azureml:env@latest", "azureml://registries/r/environments/e/versions/1"])
        )
    fields: dict[str, Any] = {"build": Build(FOLDER, draw(TEXT))} if kind == "build" else {"image": draw(TEXT)}
    if kind == "conda":
        fields["conda_file"] = draw(MAPS)
    fields |= present(
        name=draw(some(TEXT)),
        version=draw(some(TEXT)),
        description=draw(some(TEXT)),
        os_type=draw(some(st.sampled_from(["linux", "windows"]))),
        inference_config=draw(some(MAPS, 3)),
    )
    return Environment(**fields, tags=draw(TAGS))


RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "instance_count": st.integers(1, 9),
        "instance_type": TEXT,
        "shm_size": TEXT,
        "docker_args": st.one_of(TEXT, st.lists(TEXT, max_size=2)),
        "properties": MAPS,
    },
)
DISTRIBUTIONS = st.one_of(
    st.fixed_dictionaries({"type": st.just("mpi")}, optional={"process_count_per_instance": st.integers(1, 8)}),
    st.fixed_dictionaries({"type": st.just("pytorch")}, optional={"process_count_per_instance": st.integers(1, 8)}),
    st.fixed_dictionaries({"type": st.just("tensorflow")}, optional={"worker_count": st.integers(1, 8)}),
    st.fixed_dictionaries(
        {"type": st.just("ray")}, optional={"port": st.integers(1, 9), "include_dashboard": st.booleans()}
    ),
)
SERVICES = st.dictionaries(
    KEY,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["ssh", "jupyter_lab", "other"])},
        optional={"port": st.integers(1, 9), "nodes": st.just("all"), "properties": MAPS},
    ),
    max_size=2,
)
IDENTITIES = st.one_of(
    st.just({"type": "user_identity"}),
    st.just({"type": "aml_token"}),
    st.fixed_dictionaries({"type": st.just("managed")}, optional={"client_id": TEXT}),
)
QUEUES = st.fixed_dictionaries(
    {}, optional={"job_tier": st.sampled_from(["spot", "premium"]), "priority": st.sampled_from(["low", "high"])}
)


@st.composite
def run_settings(draw: st.DrawFn) -> dict[str, Any]:
    """The settings that a command node or a command job can have."""
    return {
        **present(
            compute=draw(some(st.sampled_from(["azureml:cpu", "cpu", "serverless"]))),
            limits=draw(some(st.one_of(st.just({}), st.fixed_dictionaries({"timeout": st.integers(1, 10**6)})), 2)),
            resources=draw(some(RESOURCES, 2)),
            distribution=draw(some(DISTRIBUTIONS, 3)),
            services=draw(some(SERVICES, 3)),
            identity=draw(some(IDENTITIES, 3)),
            queue_settings=draw(some(QUEUES, 3)),
        ),
        "environment_variables": draw(VARIABLES),
    }


@st.composite
def labels(draw: st.DrawFn) -> dict[str, Any]:
    """The descriptive fields of a job, node or component."""
    return present(display_name=draw(MAYBE), description=draw(MAYBE)) | {"tags": draw(TAGS), "properties": draw(TAGS)}


@st.composite
def declared_inputs(draw: st.DrawFn) -> ComponentInput:
    kind = draw(st.sampled_from([*LITERAL_TYPES, *LITERAL_TYPES, *ASSET_TYPES]))
    description, optional = draw(some(TEXT, 2)), draw(st.booleans())
    if kind in ASSET_TYPES:
        modes = ["ro_mount", "download", "direct", *(["eval_mount"] if kind == "mltable" else [])]
        return ComponentInput(kind, description, optional=optional, mode=draw(some(st.sampled_from(modes))))
    texts = LITERAL_TEXTS[kind]
    numeric = kind in ("integer", "number")
    edge = {"integer": "10000", "number": "10000.0"}.get(kind, "")
    return ComponentInput(
        kind,
        description,
        draw(some(texts)),
        optional,
        f"-{edge}" if numeric and draw(st.booleans()) else None,
        edge if numeric and draw(st.booleans()) else None,
        tuple(draw(st.lists(TEXT, max_size=2))) if kind == "string" else (),
    )


DECLARED_INPUTS = st.dictionaries(st.sampled_from(INPUT_NAMES), declared_inputs(), max_size=4)
DECLARED_OUTPUTS = st.dictionaries(
    st.sampled_from(OUTPUT_NAMES),
    st.builds(
        ComponentOutput, st.sampled_from(ASSET_TYPES), MAYBE, some(st.sampled_from(["upload", "rw_mount", "direct"]))
    ),
    max_size=3,
)
COMPONENT_NAMES = st.sampled_from(
    [None, None, "train_model", "prep", "pipeline", "command", "prep_1", "Any name / at: all", "../up"]
)


@st.composite
def commands(draw: st.DrawFn, inputs: Mapping[str, ComponentInput], outputs: Mapping[str, ComponentOutput]) -> str:
    """A command that uses the declared inputs and outputs."""
    pieces = draw(st.lists(st.one_of(TEXT, st.sampled_from(["echo", "&&", "\n", "$HOME"])), max_size=3))
    for name, spec in inputs.items():
        reference = f"${{{{inputs.{name}}}}}"
        if draw(st.booleans()):
            pieces.append(f"$[[--{name} {reference}]]" if spec.optional else reference)
    pieces += [f"${{{{outputs.{name}}}}}" for name in outputs if draw(st.booleans())]
    return " ".join(pieces)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """The fields that inline nodes and component files have in common."""
    return present(environment=draw(environments()), code=draw(some(st.sampled_from([FOLDER, "azureml:code:1"]))))


@st.composite
def command_components(draw: st.DrawFn, name: str | None) -> Command:
    inputs, outputs = draw(DECLARED_INPUTS), draw(DECLARED_OUTPUTS)
    return Command(
        draw(commands(inputs, outputs)),
        name=name,
        version=draw(MAYBE),
        is_deterministic=draw(st.booleans()),
        inputs=inputs,
        outputs=outputs,
        distribution=draw(some(DISTRIBUTIONS, 3)),
        resources=draw(some(RESOURCES, 3)),
        additional_includes=draw(st.sampled_from([(), (FILE,), (FOLDER, FILE)])),
        **draw(labels()),
        **draw(bodies()),
    )
