"""A workspace in Azure, through the genuine SDK: its client, and what the run history says of jobs.

This is the one module that reaches into what the SDK keeps private: the run history's answers (times, errors, logs of a
job and of its children) are not to be had otherwise. A test looks whether it is still there.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml_azureml.errors import mapped
from creditml_azureml.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from azure.ai.ml import MLClient

_TIMEOUT = 30.0  # seconds for a log


class Run(NamedTuple):
    """A job, or a child of one, as the run history has it; times are milliseconds since 1970.

    `logs` are the files that can be read now, by their names among the run's artifacts: addresses with a signature,
    which must not be shown or kept. Of children they aren't told.
    """

    name: str
    status: str
    display_name: str = ""
    kind: str = ""
    component: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""
    logs: Mapping[str, str] = {}
    properties: Mapping[str, str] = {}


class Cloud:
    """A workspace in Azure."""

    def __init__(self, target: Target, client: MLClient | None = None) -> None:
        """Nothing is asked yet. A client may be given; else one is made with DefaultAzureCredential."""
        self.target, self._given = target, client

    @classmethod
    def find(cls, given: Mapping[str, Any]) -> Cloud:
        """The workspace that is meant in the current folder; see `find_target`."""
        return cls(find_target(given))

    @cached_property
    def client(self) -> MLClient:
        """The genuine client."""
        if self._given is not None:
            return self._given
        from azure.ai.ml import MLClient  # noqa: PLC0415  it takes seconds
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415  slow, only when somebody connects

        for name in ("azure", "msrest", "msal"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are told by us, without secrets
        return MLClient(DefaultAzureCredential(), *self.target, enable_telemetry=False, show_progress=False)

    def registry(self, name: str) -> MLClient:
        """The genuine client of a registry, for who is signed in here."""
        from azure.ai.ml import MLClient  # noqa: PLC0415  it takes seconds

        credential = self.client._credential  # noqa: SLF001  see above
        return MLClient(credential, registry_name=name, enable_telemetry=False, show_progress=False)

    def run(self, name: str) -> Run:
        """How a job stands, and which logs there are.

        Raises:
            NotFound: there is no such job.
        """
        with mapped(f"asking for the job '{name}'"):
            found: Any = self._history.get_run_details(name)
            return Run(
                name,
                found.status,
                started_at=_milliseconds(found.start_time_utc),
                ended_at=_milliseconds(found.end_time_utc),
                error=_message(found.error),
                logs=dict(found.log_files or {}),
                properties=dict(found.properties or {}),
            )

    def children(self, name: str) -> list[Run]:
        """The children of a job that have been made so far, oldest first."""
        with mapped(f"asking for the steps of the job '{name}'"):
            history: Any = self._history
            found = history._operation.get_child(*history_scope(history), name)  # noqa: SLF001  see above
            return sorted(map(_child, found), key=lambda run: run.started_at or 0)

    def text(self, url: str) -> str:
        """What a log says so far."""
        from azure.ai.ml._utils.utils import (  # noqa: PLC0415  heavy
            create_requests_pipeline_with_retry,
            download_text_from_url,
        )

        with mapped("reading a log"):
            pipeline = create_requests_pipeline_with_retry(requests_pipeline=self.client.jobs._requests_pipeline)  # noqa: SLF001  see above
            return str(download_text_from_url(url, pipeline, timeout=_TIMEOUT))

    @property
    def _history(self) -> Any:  # noqa: ANN401  the SDK's RunOperations
        return self.client.jobs._runs_operations  # noqa: SLF001  see above


def history_scope(history: Any) -> tuple[str, str, str]:  # noqa: ANN401  the SDK's RunOperations
    """Subscription, resource group and workspace, as its calls take them."""
    scope = history._operation_scope  # noqa: SLF001  see above
    return scope.subscription_id, scope.resource_group_name, history._workspace_name  # noqa: SLF001  see above


def _child(found: Any) -> Run:  # noqa: ANN401  the SDK's
    properties = dict(found.properties or {})
    return Run(
        found.run_id,
        found.status,
        found.display_name or found.name or "",
        found.run_type or "",
        properties.get("azureml.moduleName", ""),
        _milliseconds(found.start_time_utc),
        _milliseconds(found.end_time_utc),
        _message(found.error),
        properties=properties,
    )


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _message(error: Any) -> str:  # noqa: ANN401  the SDK's
    inner = getattr(error, "error", None)
    return str(getattr(inner, "message", None) or "")
