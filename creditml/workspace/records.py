"""What the workspace keeps, as frozen records."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.model import NOTHING
from creditml.references import reference, registry_uri
from creditml.statuses import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "creditml.studio"
"""The property of a job that ran elsewhere: its page in Azure ML's studio."""

TARGET = "creditml.workspace"
"""The property of a job that ran elsewhere: the id of its workspace in Azure."""


class Asset(NamedTuple):
    """One version of an asset; `spec` holds its YAML fields (snake_case), times are milliseconds since 1970."""

    kind: str
    name: str
    version: str
    spec: Mapping[str, Any]
    created_at: int
    modified_at: int
    archived: bool = False
    registry: str = ""  # none: the workspace's own

    @property
    def id(self) -> str:
        """`azureml:name:version`, or the URI of an asset of a registry."""
        if self.registry:
            return registry_uri(self.registry, self.kind, self.name, self.version)
        return reference(self.name, self.version)


class JobRecord(NamedTuple):
    """A job or one of its children, as far as it is known.

    `root` is the name of the job that was submitted (its own for that one), `path` the node names below it joined by
    dots. `results` holds metrics, outputs and registered models once there are some. Times are milliseconds since 1970.
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
    backend: str = "local"
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
        """Whether the status is a final one."""
        return self.status in TERMINAL

    @property
    def elsewhere(self) -> bool:
        """Whether this job, which was submitted by itself, ran in a workspace in Azure."""
        return TARGET in self.properties


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
