"""The table: every field of Azure ML's schema (azure-ai-ml 1.35), and what becomes of it here.

A test walks the SDK's own schemas and fails if one of their fields is missing here, and another if the page of the docs
isn't what `creditml parity --docs` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.language.pipeline import LATER_NODE_TYPES as NODE_TYPES_REFUSED
from creditml.model import NOTHING

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


def _as(word: str, how: str = "") -> Field:
    return Field(Fate(word, how))


def _holds(inside: str, *, each: bool = False, how: str = "") -> Field:
    return Field(Fate(EMULATED, how), inside=inside, each=each)


_DONE = _as(EMULATED)
_SHOWN = _as(EMULATED, "kept, and shown where Azure ML shows it")
_READ_ONLY = _as(EMULATED, "dropped, as by Azure ML's clients: the service sets it")
_LATER = Fate(REFUSED, "not supported yet")
_ONE_PROCESS = Fate(APPROXIMATED, "one process on one node, with the variables of rank 0")
_NO_RAY = _as(APPROXIMATED, "no Ray is started; the command runs as it is, and may start its own")
_NO_SERVICE = "no service is started: the step runs where you sit"
_PLACE = "steps run on this machine, whatever the name"
_LOCAL_ENVIRONMENT = Fate(
    APPROXIMATED, "compared with the Python that runs the step, or made from its packages with --env uv or conda"
)
_NO_REUSE = Fate(APPROXIMATED, "every step runs: results of earlier jobs are not reused")
_ALWAYS_RUNS = Fate(EMULATED, "every step runs")

_READ_ONLY_FIELDS = dict.fromkeys(
    ("id", "creation_context", "status", "log_files", "parameters", "parent_job_name"), _READ_ONLY
)
_SCHEMA = {"$schema": _as(EMULATED, "for editors; nothing reads it in Azure ML either")}
_LABELS = dict.fromkeys(("display_name", "description", "tags", "properties"), _SHOWN)
_ASSET = {
    **_SCHEMA,
    "name": _DONE,
    "version": _DONE,
    "id": _READ_ONLY,
    "creation_context": _READ_ONLY,
    "latest_version": _READ_ONLY,
    "auto_delete_setting": _as(IGNORED, "nothing here is deleted by itself"),
    "description": _SHOWN,
    "tags": _SHOWN,
}
_ENVIRONMENT = Field(_LOCAL_ENVIRONMENT, docker=Fate(EMULATED, "the image, with its packages"), inside="environment")
_RUN = {
    "command": _DONE,
    "code": _as(EMULATED, "a snapshot as Azure ML's clients make it, ignore files included"),
    "environment": _ENVIRONMENT,
    "environment_variables": _DONE,
    "resources": _holds("resources"),
    "distribution": Field(_ONE_PROCESS, inside="distribution"),
    "queue_settings": Field(Fate(IGNORED, "jobs run in the order of submission"), inside="queue_settings"),
}
_NODE = {
    "inputs": _holds("input", each=True),
    "outputs": _holds("output", each=True),
    "comment": _as(IGNORED, "the studio shows it in its graph; no step sees it"),
    "properties": _SHOWN,
    "compute": _as(IGNORED, _PLACE),
    "limits": _holds("limits"),
    "services": Field(Fate(IGNORED, _NO_SERVICE), inside="service", each=True),
    "identity": Field(Fate(IGNORED, "steps run as you, signed in as you are"), inside="identity"),
}
_JOB = {
    **_SCHEMA,
    **_READ_ONLY_FIELDS,
    **_LABELS,
    "name": _DONE,
    "experiment_name": _as(EMULATED, "an experiment of MLflow"),
    "compute": _NODE["compute"],
    "services": _NODE["services"],
    "identity": _NODE["identity"],
    "inputs": _NODE["inputs"],
    "outputs": _NODE["outputs"],
}
JOB_TYPES = ("command", "pipeline")
LATER_JOB_TYPES = ("sweep", "parallel", "import", "spark", "automl", "data_transfer", "finetuning", "distillation")
LATER_NODE_TYPES = (*NODE_TYPES_REFUSED, "promptflow_parallel")
_JOB_TYPE = Field(Fate(EMULATED), values=dict.fromkeys(LATER_JOB_TYPES, _LATER))
_NODE_TYPE = Field(Fate(EMULATED), values=dict.fromkeys(LATER_NODE_TYPES, _LATER))
_COMPONENT_TYPE = Field(Fate(EMULATED), values=dict.fromkeys((*LATER_NODE_TYPES, "flow"), _LATER))
_DECLARED = {
    **_ASSET,
    "display_name": _SHOWN,
    "properties": _SHOWN,
    "is_deterministic": Field(_NO_REUSE, {"false": _ALWAYS_RUNS}),
    "inputs": _holds("component_input", each=True),
    "outputs": _holds("component_output", each=True),
    "type": _COMPONENT_TYPE,
}
_IN_DOCKER = Fate(EMULATED, "as of docker run")
_MODE = Field(
    Fate(EMULATED),
    {
        "direct": Fate(APPROXIMATED, "the step gets a file: URI, not one of Azure's storage"),
        "eval_mount": Fate(APPROXIMATED, "the MLTable's folder is mounted; its file is not evaluated"),
        "eval_download": Fate(APPROXIMATED, "the MLTable's folder is copied; its file is not evaluated"),
    },
)

SECTIONS: Mapping[str, Section] = {
    "pipeline_job": Section(
        "Pipeline job",
        {
            **_JOB,
            "type": _JOB_TYPE,
            "settings": _holds("settings"),
            "jobs": _holds("node", each=True),
            "component": _holds("component"),
        },
    ),
    "settings": Section(
        "Settings of a pipeline job",
        {
            "default_compute": _as(IGNORED, _PLACE),
            "default_datastore": _as(APPROXIMATED, "a folder of the local workspace stands for each datastore"),
            "continue_on_step_failure": _DONE,
            "force_rerun": Field(_NO_REUSE, {"true": _ALWAYS_RUNS}),
            "on_init": _as(APPROXIMATED, "of a private preview; the job it names runs as any other"),
            "on_finalize": _as(APPROXIMATED, "of a private preview; the job it names runs as any other"),
        },
    ),
    "command_job": Section("Command job", {**_JOB, **_RUN, "limits": _NODE["limits"], "type": _JOB_TYPE}),
    "node": Section(
        "Node of a pipeline: command",
        {
            **_SCHEMA,
            **_READ_ONLY_FIELDS,
            **_LABELS,
            **_NODE,
            **_RUN,
            "name": _as(EMULATED, "dropped, as by Azure ML's clients: a node is named by its key"),
            "experiment_name": _as(EMULATED, "dropped, as by Azure ML's clients: the job's counts"),
            "component": _holds("component"),
            "type": _NODE_TYPE,
        },
    ),
    "pipeline_node": Section(
        "Node of a pipeline: pipeline",
        {
            **_SCHEMA,
            **_LABELS,
            "inputs": _NODE["inputs"],
            "outputs": _NODE["outputs"],
            "comment": _NODE["comment"],
            "component": _holds("component"),
            "compute": _NODE["compute"],
            "settings": _as(EMULATED, "dropped, as by Azure ML's clients: the job's settings count"),
            "type": _NODE_TYPE,
        },
    ),
    "component": Section(
        "Command component",
        {
            **_DECLARED,
            **_RUN,
            "environment_variables": _as(EMULATED, "dropped, as by Azure ML: they belong to the node"),
            "queue_settings": _as(EMULATED, "dropped, as by Azure ML: they belong to the node"),
            "additional_includes": _DONE,
        },
    ),
    "pipeline_component": Section("Pipeline component", {**_DECLARED, "jobs": _holds("node", each=True)}),
    "input": Section(
        "Input of a job or node",
        {
            "type": _DONE,
            "path": _as(EMULATED, "local, https, registered, of a job, or of a datastore, for which a folder stands"),
            "mode": _MODE,
            "path_on_compute": _as(
                APPROXIMATED, "the data lies where Azure ML puts it by default, and the command is told that place"
            ),
            "datastore": _as(IGNORED, "what is uploaded is kept in the local workspace"),
            "value": _DONE,
        },
    ),
    "output": Section(
        "Output of a job or node",
        {
            "type": _DONE,
            "path": _as(APPROXIMATED, "a folder of the local workspace stands for each datastore"),
            "mode": _MODE,
            "name": _as(EMULATED, "registered in the local workspace"),
            "version": _DONE,
        },
    ),
    "component_input": Section(
        "Input of a component",
        {
            **dict.fromkeys(("type", "default", "optional", "min", "max", "enum"), _DONE),
            "description": _SHOWN,
            "mode": _MODE,
        },
    ),
    "component_output": Section("Output of a component", {"type": _DONE, "description": _SHOWN, "mode": _MODE}),
    "environment": Section(
        "Environment",
        {
            **_ASSET,
            "image": Field(
                Fate(APPROXIMATED, "not used: the step runs on this machine; --backend docker uses it"),
                docker=Fate(EMULATED),
            ),
            "conda_file": Field(_LOCAL_ENVIRONMENT, docker=Fate(EMULATED)),
            "build": Field(
                Fate(APPROXIMATED, "not built: the step runs on this machine; --backend docker builds it"),
                docker=Fate(EMULATED),
                inside="build",
            ),
            "os_type": Field(
                Fate(EMULATED), {"windows": Fate(APPROXIMATED, "steps run on this machine's system, or on Linux")}
            ),
            "inference_config": _as(IGNORED, "for endpoints; no step sees it"),
            "datastore": _as(IGNORED, "a build context is kept in the local workspace"),
            "intellectual_property": _READ_ONLY,
        },
    ),
    "build": Section(
        "Build context of an environment",
        {
            "path": Field(Fate(APPROXIMATED, "not built without --backend docker"), docker=Fate(EMULATED)),
            "dockerfile_path": Field(Fate(APPROXIMATED, "not built without --backend docker"), docker=Fate(EMULATED)),
        },
    ),
    "resources": Section(
        "Resources",
        {
            "instance_count": Field(_ONE_PROCESS, {"1": Fate(EMULATED)}),
            "instance_type": _as(IGNORED, "the step has the processors and memory of this machine"),
            "max_instance_count": _as(IGNORED, "there is one node"),
            "locations": _as(IGNORED, _PLACE),
            "properties": _as(IGNORED, "settings of Azure's computes"),
            "shm_size": Field(
                Fate(IGNORED, "the step has this machine's /dev/shm; --backend docker sets it"), docker=_IN_DOCKER
            ),
            "docker_args": Field(
                Fate(IGNORED, "there is no container; --backend docker takes them"),
                docker=Fate(APPROXIMATED, "what opens the machine is refused unless creditml.yml allows it"),
            ),
        },
    ),
    "distribution": Section(
        "Distribution",
        {
            "type": Field(_ONE_PROCESS, {"ray": _NO_RAY.fate}),
            "process_count_per_instance": Field(_ONE_PROCESS, {"1": Fate(EMULATED)}),
            "worker_count": Field(_ONE_PROCESS, {"1": Fate(EMULATED)}),
            "parameter_server_count": Field(_ONE_PROCESS, {"0": Fate(EMULATED)}),
            **dict.fromkeys(
                (
                    "port",
                    "address",
                    "include_dashboard",
                    "dashboard_port",
                    "head_node_additional_args",
                    "worker_node_additional_args",
                ),
                _NO_RAY,
            ),
        },
    ),
    "limits": Section("Limits", {"timeout": _as(EMULATED, "the step is canceled when it is over")}),
    "identity": Section(
        "Identity",
        {
            key: _as(IGNORED, "steps run as you, signed in as you are")
            for key in ("type", "client_id", "object_id", "msi_resource_id")
        },
    ),
    "service": Section(
        "Services",
        {
            **{
                key: _as(IGNORED, _NO_SERVICE)
                for key in ("type", "port", "nodes", "properties", "ssh_public_keys", "log_dir")
            },
            **dict.fromkeys(("endpoint", "status", "error_message"), _READ_ONLY),
        },
    ),
    "queue_settings": Section(
        "Queue settings",
        {key: _as(IGNORED, "jobs run in the order of submission") for key in ("job_tier", "priority")},
    ),
}
