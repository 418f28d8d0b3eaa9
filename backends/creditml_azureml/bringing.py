"""What an ended job of Azure ML has left (logs, metrics, outputs), brought into the local workspace.

A job that was watched to its end and one that is pulled later get the same files at the same places, and the same
results in their records: those of a job that ran here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml_azureml.download import fetch_artifacts, fetch_output
from creditml_azureml.metrics import metrics_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord
    from creditml_azureml.cloud import Cloud


class Bringing:
    """Brings what runs have left. A failure raises; what was brought before stays."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._cloud, self._workspace = cloud, workspace

    def artifacts(self, run: str, record: JobRecord) -> None:
        """Logs and other artifacts of a run, into the folder of its record, which need not be recorded yet.

        Raises:
            NotFound: the run has none, since it never began.
        """
        fetch_artifacts(self._cloud, run, self._workspace.jobs.artifacts(record))

    def metrics(self, runs: Iterable[str]) -> None:
        """The last value of each metric, into the records of these runs."""
        for run, metrics in metrics_of(self._cloud, runs).items():
            self._record(run, "metrics", metrics)

    def output(self, record: JobRecord, output: str, kind: str | None) -> None:
        """An output of a recorded run, unless it was brought before; `kind` is its type.

        Raises:
            NotFound: the run has no such output.
        """
        folder = self._workspace.jobs.outputs(record) / output
        if not folder.exists():
            fetch_output(self._cloud, record.name, output, folder)
        outputs = self._workspace.jobs.get(record.name).results.get("outputs") or {}
        self._record(record.name, "outputs", {**outputs, output: str(_content(folder, kind))})

    def _record(self, run: str, key: str, values: Any) -> None:
        results = {**self._workspace.jobs.get(run).results, key: dict(values)}
        self._workspace.jobs.transit(run, results=results)


def _content(folder: Path, kind: str | None) -> Path:
    """What an output is recorded as: the file in its folder if it is one file, else the folder."""
    files = list(folder.iterdir()) if kind == "uri_file" else []
    return files[0] if len(files) == 1 else folder
