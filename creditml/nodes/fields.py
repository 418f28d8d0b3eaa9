"""The effect of fields of Azure ML's schema on this machine, for the fields that several node types share.

`creditml.parity` makes its table and its documentation page from these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.model import NOTHING
from creditml.nodes.later import LATER_COMPONENTS, LATER_JOBS, LATER_NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

EMULATED, APPROXIMATED, IGNORED, REFUSED = FATES = ("emulated", "approximated", "ignored", "refused")
"""The field has the same effect as in Azure ML, a similar effect, or no effect; or the job is refused."""


class Fate(NamedTuple):
    """The effect of a field: one of `FATES`, and an explanation."""

    word: str
    how: str = ""


class Field(NamedTuple):
    """A field of the schema.

    Attributes:
        fate: Its effect.
        values: Values, in lower case, that have a different effect.
        docker: Its effect with `--backend docker`, if that differs.
        inside: The section with the fields of its value.
        each: Whether its value is a mapping of names to values of that section.
    """

    fate: Fate
    values: Mapping[str, Fate] = NOTHING
    docker: Fate | None = None
    inside: str = ""
    each: bool = False


class Section(NamedTuple):
    """The fields of one mapping, under a title for the documentation page."""

    title: str
    fields: Mapping[str, Field]


def field_of(word: str, how: str = "") -> Field:
    """A field with one effect for all values; `how` explains it."""
    return Field(Fate(word, how))


def holds(inside: str, *, each: bool = False) -> Field:
    """A field whose value has the fields of another section; with `each`, it maps names to such values."""
    return Field(Fate(EMULATED), inside=inside, each=each)


DONE = field_of(EMULATED)
SHOWN = field_of(EMULATED, "kept, and shown where Azure ML shows it")
READ_ONLY = field_of(EMULATED, "dropped, as by Azure ML's clients: the service sets it")
LATER = Fate(REFUSED, "not supported yet")
ONE_PROCESS = Fate(APPROXIMATED, "one process on one node, with the variables of rank 0")
NO_RAY = field_of(APPROXIMATED, "no Ray cluster is started; the command runs unchanged, and can start one")
NO_SERVICE = "no service is started, since the step runs on your own machine"
PLACE = "every step runs on this machine"
LOCAL_ENVIRONMENT = Fate(
    APPROXIMATED, "compared with the Python that runs the step; with --env uv or conda, built from its packages"
)
NO_REUSE = Fate(APPROXIMATED, "every step runs: results of earlier jobs are not reused")
ALWAYS_RUNS = Fate(EMULATED, "every step runs")

READ_ONLY_FIELDS = dict.fromkeys(
    ("id", "creation_context", "status", "log_files", "parameters", "parent_job_name"), READ_ONLY
)
SCHEMA = {"$schema": field_of(EMULATED, "used by editors only, as in Azure ML")}
LABELS = dict.fromkeys(("display_name", "description", "tags", "properties"), SHOWN)
ASSET = {
    **SCHEMA,
    "name": DONE,
    "version": DONE,
    "id": READ_ONLY,
    "creation_context": READ_ONLY,
    "latest_version": READ_ONLY,
    "auto_delete_setting": field_of(IGNORED, "nothing is deleted automatically"),
    "description": SHOWN,
    "tags": SHOWN,
}
ENVIRONMENT = Field(
    LOCAL_ENVIRONMENT, docker=Fate(EMULATED, "steps run in the image, with its packages"), inside="environment"
)
RUN = {
    "command": DONE,
    "code": field_of(EMULATED, "copied to a snapshot, as by Azure ML's clients; ignore files apply"),
    "environment": ENVIRONMENT,
    "environment_variables": DONE,
    "resources": holds("resources"),
    "distribution": Field(ONE_PROCESS, inside="distribution"),
    "queue_settings": Field(Fate(IGNORED, "jobs run in the order of submission"), inside="queue_settings"),
}
NODE = {
    "inputs": holds("input", each=True),
    "outputs": holds("output", each=True),
    "comment": field_of(IGNORED, "only the studio's graph shows it"),
    "properties": SHOWN,
    "compute": field_of(IGNORED, PLACE),
    "limits": holds("limits"),
    "services": Field(Fate(IGNORED, NO_SERVICE), inside="service", each=True),
    "identity": Field(Fate(IGNORED, "steps run with your own user account and sign-in"), inside="identity"),
}
JOB = {
    **SCHEMA,
    **READ_ONLY_FIELDS,
    **LABELS,
    "name": DONE,
    "experiment_name": field_of(EMULATED, "an MLflow experiment"),
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
IN_DOCKER = Fate(EMULATED, "as with docker run")
MODE = Field(
    Fate(EMULATED),
    {
        "direct": Fate(APPROXIMATED, "the step gets a file: URI instead of the URI of Azure storage"),
        "eval_mount": Fate(APPROXIMATED, "the MLTable's folder is mounted; its file is not evaluated"),
        "eval_download": Fate(APPROXIMATED, "the MLTable's folder is copied; its file is not evaluated"),
    },
)
SETTINGS: Mapping[str, Field] = {
    "default_compute": field_of(IGNORED, PLACE),
    "default_datastore": field_of(APPROXIMATED, "each datastore is a folder of the local workspace"),
    "continue_on_step_failure": DONE,
    "force_rerun": Field(NO_REUSE, {"true": ALWAYS_RUNS}),
    "on_init": field_of(EMULATED, "the node that it names runs before all others"),
    "on_finalize": field_of(
        APPROXIMATED,
        "the node that it names runs after all others, also after failed ones if the job goes on after them",
    ),
}
