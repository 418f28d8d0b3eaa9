"""What becomes here of a field of Azure ML's schema, and the fields that several types have.

`creditml.parity` makes its table and its page of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.model import NOTHING
from creditml.nodes.later import LATER_COMPONENTS, LATER_JOBS, LATER_NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

EMULATED, APPROXIMATED, IGNORED, REFUSED = FATES = ("emulated", "approximated", "ignored", "refused")
"""It has the effect that it has in Azure ML; a similar one; none, which seldom matters; or the job is not run."""


class Fate(NamedTuple):
    """What becomes of a field, and how or why."""

    word: str
    how: str = ""


class Field(NamedTuple):
    """A field of the schema.

    Attributes:
        fate: What becomes of it.
        values: Of some values, in lower case, something else does.
        docker: Of its fate with `--backend docker`, if that is another one.
        inside: The section of what stands in it.
        each: Whether it is a mapping of names to such things.
    """

    fate: Fate
    values: Mapping[str, Fate] = NOTHING
    docker: Fate | None = None
    inside: str = ""
    each: bool = False


class Section(NamedTuple):
    """The fields of one mapping."""

    title: str
    fields: Mapping[str, Field]


def field_of(word: str, how: str = "") -> Field:
    """A field with that fate."""
    return Field(Fate(word, how))


def holds(inside: str, *, each: bool = False) -> Field:
    """A field that holds the fields of another section, or such a thing for each name."""
    return Field(Fate(EMULATED), inside=inside, each=each)


DONE = field_of(EMULATED)
SHOWN = field_of(EMULATED, "kept, and shown where Azure ML shows it")
READ_ONLY = field_of(EMULATED, "dropped, as by Azure ML's clients: the service sets it")
LATER = Fate(REFUSED, "not supported yet")
ONE_PROCESS = Fate(APPROXIMATED, "one process on one node, with the variables of rank 0")
NO_RAY = field_of(APPROXIMATED, "no Ray is started; the command runs as it is, and may start its own")
NO_SERVICE = "no service is started: the step runs where you sit"
PLACE = "steps run on this machine, whatever the name"
LOCAL_ENVIRONMENT = Fate(
    APPROXIMATED, "compared with the Python that runs the step, or made from its packages with --env uv or conda"
)
NO_REUSE = Fate(APPROXIMATED, "every step runs: results of earlier jobs are not reused")
ALWAYS_RUNS = Fate(EMULATED, "every step runs")

READ_ONLY_FIELDS = dict.fromkeys(
    ("id", "creation_context", "status", "log_files", "parameters", "parent_job_name"), READ_ONLY
)
SCHEMA = {"$schema": field_of(EMULATED, "for editors; nothing reads it in Azure ML either")}
LABELS = dict.fromkeys(("display_name", "description", "tags", "properties"), SHOWN)
ASSET = {
    **SCHEMA,
    "name": DONE,
    "version": DONE,
    "id": READ_ONLY,
    "creation_context": READ_ONLY,
    "latest_version": READ_ONLY,
    "auto_delete_setting": field_of(IGNORED, "nothing here is deleted by itself"),
    "description": SHOWN,
    "tags": SHOWN,
}
ENVIRONMENT = Field(LOCAL_ENVIRONMENT, docker=Fate(EMULATED, "the image, with its packages"), inside="environment")
RUN = {
    "command": DONE,
    "code": field_of(EMULATED, "a snapshot as Azure ML's clients make it, ignore files included"),
    "environment": ENVIRONMENT,
    "environment_variables": DONE,
    "resources": holds("resources"),
    "distribution": Field(ONE_PROCESS, inside="distribution"),
    "queue_settings": Field(Fate(IGNORED, "jobs run in the order of submission"), inside="queue_settings"),
}
NODE = {
    "inputs": holds("input", each=True),
    "outputs": holds("output", each=True),
    "comment": field_of(IGNORED, "the studio shows it in its graph; no step sees it"),
    "properties": SHOWN,
    "compute": field_of(IGNORED, PLACE),
    "limits": holds("limits"),
    "services": Field(Fate(IGNORED, NO_SERVICE), inside="service", each=True),
    "identity": Field(Fate(IGNORED, "steps run as you, signed in as you are"), inside="identity"),
}
JOB = {
    **SCHEMA,
    **READ_ONLY_FIELDS,
    **LABELS,
    "name": DONE,
    "experiment_name": field_of(EMULATED, "an experiment of MLflow"),
    "compute": NODE["compute"],
    "services": NODE["services"],
    "identity": NODE["identity"],
    "inputs": NODE["inputs"],
    "outputs": NODE["outputs"],
}
JOB_TYPE = Field(Fate(EMULATED), values=dict.fromkeys(LATER_JOBS, LATER))
NODE_TYPE = Field(Fate(EMULATED), values=dict.fromkeys((*LATER_NODES, "promptflow_parallel"), LATER))
COMPONENT_TYPE = Field(Fate(EMULATED), values=dict.fromkeys(LATER_COMPONENTS, LATER))
DECLARED = {
    **ASSET,
    "display_name": SHOWN,
    "properties": SHOWN,
    "is_deterministic": Field(NO_REUSE, {"false": ALWAYS_RUNS}),
    "inputs": holds("component_input", each=True),
    "outputs": holds("component_output", each=True),
    "type": COMPONENT_TYPE,
}
IN_DOCKER = Fate(EMULATED, "as of docker run")
MODE = Field(
    Fate(EMULATED),
    {
        "direct": Fate(APPROXIMATED, "the step gets a file: URI, not one of Azure's storage"),
        "eval_mount": Fate(APPROXIMATED, "the MLTable's folder is mounted; its file is not evaluated"),
        "eval_download": Fate(APPROXIMATED, "the MLTable's folder is copied; its file is not evaluated"),
    },
)
SETTINGS: Mapping[str, Field] = {
    "default_compute": field_of(IGNORED, PLACE),
    "default_datastore": field_of(APPROXIMATED, "a folder of the local workspace stands for each datastore"),
    "continue_on_step_failure": DONE,
    "force_rerun": Field(NO_REUSE, {"true": ALWAYS_RUNS}),
    "on_init": field_of(APPROXIMATED, "of a private preview; the job it names runs as any other"),
    "on_finalize": field_of(APPROXIMATED, "of a private preview; the job it names runs as any other"),
}
