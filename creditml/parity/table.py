"""The table: every field of Azure ML's schema (azure-ai-ml 1.35), and what becomes of it here.

The fields of jobs, nodes and components stand with their type (`creditml.nodes`); here are those of what is in them. A
test walks the SDK's own schemas and fails if one of their fields is missing, and another if the page of the docs isn't
what `creditml parity --docs` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.fields import (
    APPROXIMATED,
    ASSET,
    DONE,
    EMULATED,
    IGNORED,
    IN_DOCKER,
    LOCAL_ENVIRONMENT,
    MODE,
    NO_RAY,
    NO_SERVICE,
    ONE_PROCESS,
    PLACE,
    READ_ONLY,
    SHOWN,
    Fate,
    Field,
    Section,
    field_of,
)
from creditml.nodes.table import node_types

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED: Mapping[str, Section] = {
    "input": Section(
        "Input of a job or node",
        {
            "type": DONE,
            "path": field_of(
                EMULATED, "local, https, registered, of a job, or of a datastore, for which a folder stands"
            ),
            "mode": MODE,
            "path_on_compute": field_of(
                APPROXIMATED, "the data lies where Azure ML puts it by default, and the command is told that place"
            ),
            "datastore": field_of(IGNORED, "what is uploaded is kept in the local workspace"),
            "value": DONE,
        },
    ),
    "output": Section(
        "Output of a job or node",
        {
            "type": DONE,
            "path": field_of(APPROXIMATED, "a folder of the local workspace stands for each datastore"),
            "mode": MODE,
            "name": field_of(EMULATED, "registered in the local workspace"),
            "version": DONE,
        },
    ),
    "component_input": Section(
        "Input of a component",
        {
            **dict.fromkeys(("type", "default", "optional", "min", "max", "enum"), DONE),
            "description": SHOWN,
            "mode": MODE,
        },
    ),
    "component_output": Section("Output of a component", {"type": DONE, "description": SHOWN, "mode": MODE}),
    "environment": Section(
        "Environment",
        {
            **ASSET,
            "image": Field(
                Fate(APPROXIMATED, "not used: the step runs on this machine; --backend docker uses it"),
                docker=Fate(EMULATED),
            ),
            "conda_file": Field(LOCAL_ENVIRONMENT, docker=Fate(EMULATED)),
            "build": Field(
                Fate(APPROXIMATED, "not built: the step runs on this machine; --backend docker builds it"),
                docker=Fate(EMULATED),
                inside="build",
            ),
            "os_type": Field(
                Fate(EMULATED), {"windows": Fate(APPROXIMATED, "steps run on this machine's system, or on Linux")}
            ),
            "inference_config": field_of(IGNORED, "for endpoints; no step sees it"),
            "datastore": field_of(IGNORED, "a build context is kept in the local workspace"),
            "intellectual_property": READ_ONLY,
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
            "instance_count": Field(ONE_PROCESS, {"1": Fate(EMULATED)}),
            "instance_type": field_of(IGNORED, "the step has the processors and memory of this machine"),
            "max_instance_count": field_of(IGNORED, "there is one node"),
            "locations": field_of(IGNORED, PLACE),
            "properties": field_of(IGNORED, "settings of Azure's computes"),
            "shm_size": Field(
                Fate(IGNORED, "the step has this machine's /dev/shm; --backend docker sets it"), docker=IN_DOCKER
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
            "type": Field(ONE_PROCESS, {"ray": NO_RAY.fate}),
            "process_count_per_instance": Field(ONE_PROCESS, {"1": Fate(EMULATED)}),
            "worker_count": Field(ONE_PROCESS, {"1": Fate(EMULATED)}),
            "parameter_server_count": Field(ONE_PROCESS, {"0": Fate(EMULATED)}),
            **dict.fromkeys(
                (
                    "port",
                    "address",
                    "include_dashboard",
                    "dashboard_port",
                    "head_node_additional_args",
                    "worker_node_additional_args",
                ),
                NO_RAY,
            ),
        },
    ),
    "limits": Section("Limits", {"timeout": field_of(EMULATED, "the step is canceled when it is over")}),
    "identity": Section(
        "Identity",
        {
            key: field_of(IGNORED, "steps run as you, signed in as you are")
            for key in ("type", "client_id", "object_id", "msi_resource_id")
        },
    ),
    "service": Section(
        "Services",
        {
            **{
                key: field_of(IGNORED, NO_SERVICE)
                for key in ("type", "port", "nodes", "properties", "ssh_public_keys", "log_dir")
            },
            **dict.fromkeys(("endpoint", "status", "error_message"), READ_ONLY),
        },
    ),
    "queue_settings": Section(
        "Queue settings",
        {key: field_of(IGNORED, "jobs run in the order of submission") for key in ("job_tier", "priority")},
    ),
}


def sections() -> Mapping[str, Section]:
    """Every section by its name: those of each type, and what is in several of them."""
    own = {name: section for kind in node_types().values() for name, section in kind.sections().items()}
    return {**own, **_SHARED}
