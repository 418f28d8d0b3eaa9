"""Jobs of a workspace in Azure: what the run history and the SDK say of them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from creditml_azureml.errors import mapped
from creditml_azureml.runs import CloudRun, child_run, error_message, job_row, job_view, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml_azureml.connection import Connection

_TIMEOUT = 30.0  # seconds for a log
_NOT_THERE, _REFUSED = 404, 400  # statuses
ARTIFACTS = "default"
"""What the SDK calls the output that holds logs and other artifacts."""


class CloudJobs:
    """Asks for jobs. Methods raise `NotFound` if there is no such job, `BackendError` if Azure ML can't be asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_run(self, name: str) -> CloudRun:
        """How a job or a step stands, and which logs there are."""
        with mapped(f"asking for the job '{name}'"):
            found: Any = self._history.get_run_details(name)
            return CloudRun(
                name,
                found.status,
                started_at=milliseconds(found.start_time_utc),
                ended_at=milliseconds(found.end_time_utc),
                error=error_message(found.error),
                logs=dict(found.log_files or {}),
                properties=dict(found.properties or {}),
            )

    def children(self, name: str) -> list[CloudRun]:
        """The children of a job that were made so far, oldest first."""
        with mapped(f"asking for the steps of the job '{name}'"):
            history: Any = self._history
            found = history._operation.get_child(*_scope(history), name)  # noqa: SLF001  see `connection`
            return sorted(map(child_run, found), key=lambda run: run.started_at or 0)

    def entries(self, limit: int | None, *, archived: bool | None) -> Iterator[dict[str, Any]]:
        """Submitted jobs, newest first, as `az ml job list` prints them; `archived` as for the local workspace."""
        from azure.ai.ml.constants import ListViewType

        view = {True: ListViewType.ALL, False: ListViewType.ACTIVE_ONLY, None: ListViewType.ARCHIVED_ONLY}[archived]
        with mapped("listing jobs"):
            found = self._connection.client.jobs.list(list_view_type=view)  # it ignores `max_results` (SDK 1.35)
            for job in islice((job for job in found if job is not None), limit):
                yield job_row(job)

    def view(self, name: str) -> dict[str, Any]:
        """A job as `az ml job show` prints it."""
        with mapped(f"asking for the job '{name}'"):
            return job_view(self._connection.client.jobs.get(name))

    def page(self, name: str) -> str:
        """The address of a job's page in the studio; empty if there is none."""
        with mapped(f"asking for the job '{name}'"):
            return str(self._connection.client.jobs.get(name).studio_url or "")

    def body(self, name: str) -> dict[str, Any]:
        """The `properties` of a job, as the service sends them."""
        with mapped(f"asking for the job '{name}'"):
            found: Any = self._connection.client.jobs._get_job_2401(name)  # noqa: SLF001  see `connection`
            return dict(found.as_dict()["properties"])

    def cancel(self, name: str) -> None:
        """Ask Azure ML to end a job; returns before it has ended."""
        with mapped(f"canceling the job '{name}'"):
            self._connection.client.jobs.begin_cancel(name)

    def log_text(self, url: str) -> str:
        """What a log holds so far, by its address in `CloudRun.logs`; nothing if it isn't there yet."""
        from azure.ai.ml._utils.utils import create_requests_pipeline_with_retry
        from azure.core.exceptions import HttpResponseError

        with mapped("reading a log"):
            requests = self._connection.client.jobs._requests_pipeline  # noqa: SLF001  see `connection`
            pipeline: Any = create_requests_pipeline_with_retry(requests_pipeline=requests)
            answer = pipeline.get(url, read_timeout=_TIMEOUT, connection_timeout=_TIMEOUT)
            if answer.status_code == _NOT_THERE:
                return ""
            if answer.status_code >= _REFUSED:  # the SDK would take the text of the error for the log
                raise HttpResponseError(response=answer)
            return str(answer.text())

    def output_uri(self, job: str, output: str) -> str | None:
        """The azureml: URI of an output of a job (`ARTIFACTS`: logs and artifacts); None if it has no such output."""
        with mapped(f"asking for the output '{output}' of the job '{job}'"):
            jobs: Any = self._connection.client.jobs
            found: Mapping[str, str] = jobs._get_named_output_uri(job, output)  # noqa: SLF001  see `connection`
            return found.get(output)

    def output_names(self, job: str) -> list[str]:
        """The names of the outputs that a job or step has written."""
        with mapped(f"asking for the outputs of the job '{job}'"):
            jobs: Any = self._connection.client.jobs
            found: Mapping[str, str] = jobs._get_named_output_uri(job)  # noqa: SLF001  see `connection`
            return [name for name in found if name != ARTIFACTS]

    @property
    def _history(self) -> Any:
        return self._connection.client.jobs._runs_operations  # noqa: SLF001  see `connection`


def _scope(history: Any) -> tuple[str, str, str]:
    """Subscription, resource group and workspace, as the run history's calls take them."""
    scope = history._operation_scope  # noqa: SLF001  see `connection`
    return scope.subscription_id, scope.resource_group_name, history._workspace_name  # noqa: SLF001  see `connection`
