"""The table of every field of Azure ML's schema (azure-ai-ml 1.35), with its effect on this machine.

Each node type defines the fields of its jobs, nodes and components (`creditml.nodes`). This module adds the fields of
the values in them, such as inputs and environments. A test walks the SDK's schemas and fails if the table lacks one of
their fields; another test fails if `docs/parity.md` differs from the output of `creditml parity --docs`.
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
                EMULATED,
                "a local path, an https URL, a registered asset, a job's output, or a path in a datastore, "
                "which is a folder of the local workspace",
            ),
            "mode": MODE,
            "path_on_compute": field_of(
                APPROXIMATED,
                "the data is at Azure ML's default path, which the command gets instead; a warning says so",
            ),
            "datastore": field_of(IGNORED, "uploaded data is kept in the local workspace"),
            "value": DONE,
        },
    ),
    "output": Section(
        "Output of a job or node",
        {
            "type": DONE,
            "path": field_of(APPROXIMATED, "each datastore is a folder of the local workspace"),
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
                Fate(EMULATED),
                {"windows": Fate(APPROXIMATED, "steps run on this machine's operating system, or in Linux containers")},
            ),
            "inference_config": field_of(IGNORED, "used by endpoints only"),
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
            "max_instance_count": field_of(IGNORED, "a step always runs on one node"),
            "locations": field_of(IGNORED, PLACE),
            "properties": field_of(IGNORED, "they configure Azure's computes"),
            "shm_size": Field(
                Fate(IGNORED, "the step has this machine's /dev/shm; --backend docker sets it"), docker=IN_DOCKER
            ),
            "docker_args": Field(
                Fate(IGNORED, "there is no container; --backend docker applies them"),
                docker=Fate(
                    APPROXIMATED,
                    "arguments that give access to this machine are refused unless creditml.yml allows them",
                ),
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
    "limits": Section("Limits", {"timeout": field_of(EMULATED, "the step is canceled when the time is over")}),
    "identity": Section(
        "Identity",
        {
            key: field_of(IGNORED, "steps run with your own user account and sign-in")
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
    """All sections by name: those of each node type, and those that several types share."""
    own = {name: section for kind in node_types().values() for name, section in kind.sections().items()}
    return {**own, **_SHARED}
