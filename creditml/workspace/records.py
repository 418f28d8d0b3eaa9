"""The frozen records of assets and jobs that the workspace stores."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.entry_points import DEFAULT
from creditml.model import NOTHING
from creditml.references import reference, registry_uri
from creditml.statuses import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "creditml.studio"
"""The property of a job that ran in Azure: the address of its page in Azure ML's studio."""

TARGET = "creditml.workspace"
"""The property of a job that ran in Azure: the id of its workspace there."""


class Asset(NamedTuple):
    """One version of an asset; `spec` holds its YAML fields, times are milliseconds since 1970."""

    kind: str
    name: str
    version: str
    spec: Mapping[str, Any]
    created_at: int
    modified_at: int
    archived: bool = False
    registry: str = ""  # empty for an asset of the workspace

    @property
    def id(self) -> str:
        """The asset's reference: `azureml:name:version`, or the URI of an asset in a registry."""
        if self.registry:
            return registry_uri(self.registry, self.kind, self.name, self.version)
        return reference(self.name, self.version)


class JobRecord(NamedTuple):
    """A submitted job, or one of its steps, with what is known about it so far.

    `root` is the name of the submitted job (for the submitted job itself, its own name). `path` is empty for the
    submitted job; for a step it is the names of the nodes that lead to it, joined by dots. `results` holds metrics,
    outputs and registered models once there are any. Times are milliseconds since 1970.
    """

    name: str
    type: str
    root: str
    experiment_name: str
    status: str
    created_at: int
    path: str = ""
    parent: str | None = None
    display_name: str | None = None
    spec: Mapping[str, Any] = NOTHING
    backend: str = DEFAULT
    started_at: int | None = None
    ended_at: int | None = None
    exit_code: int | None = None
    error: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = NOTHING
    properties: Mapping[str, str] = NOTHING
    results: Mapping[str, Any] = NOTHING
    archived: bool = False
    cancel_requested: bool = False

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL

    @property
    def elsewhere(self) -> bool:
        """Whether this submitted job was sent to a workspace in Azure; False for the records of its steps."""
        return TARGET in self.properties


def now() -> int:
    """The current time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
