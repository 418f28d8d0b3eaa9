"""`creditml job … --backend azureml`: the commands for jobs in Azure ML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.cli import output
from creditml.cli.job_flags import azure_of
from creditml.cli.output import timestamp
from creditml.cli.streaming import print_end, print_log, refuse_both
from creditml.cli.views import JOB_COLUMNS
from creditml.entry_points import AZURE
from creditml.errors import CreditMLError
from creditml.logs import ARTIFACTS, DOWNLOADED_OUTPUTS
from creditml.statuses import TERMINAL
from creditml.workspace import Workspace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from creditml.seams.executor import Jobs, RemoteJobs, StepState

_AGAIN = f" --backend {AZURE}"


def stream_remote(executor: Jobs, name: str, kind: str, page: str) -> int:
    """Print the log of a job in Azure ML until the job ends; returns the exit code, 0 if the job is Completed.

    Args:
        executor: The executor of the backend.
        name: The name of the job.
        kind: The type of the job.
        page: The URL of the job in the studio.
    """
    from creditml.nodes.table import node_type

    print_log(name, page, node_type(kind).log, executor.logs(name), again=_AGAIN)
    ended = executor.poll(name)
    return print_end(ended.status, {"code": "AzureML", "message": ended.error})


def _executor(arguments: argparse.Namespace) -> RemoteJobs:
    return azure_of(arguments, Workspace.find())


def _list(arguments: argparse.Namespace) -> int:
    executor = _executor(arguments)
    if arguments.parent_job_name:
        steps = [step for step in executor.steps(arguments.parent_job_name) if "." not in step.path]
        rows = [_step_row(step, arguments.parent_job_name) for step in steps]
        output.show(rows, arguments, ("node", *JOB_COLUMNS[:4]))
        return 0
    archived = True if arguments.include_archived else None if arguments.archived_only else False
    limit = None if arguments.all_results else arguments.max_results
    output.show(list(executor.entries(limit, archived=archived)), arguments, JOB_COLUMNS)
    return 0


def _step_row(step: StepState, parent: str) -> Mapping[str, str | None]:
    return {
        "name": step.run_id,
        "node": step.path,
        "display_name": step.display_name,
        "status": step.status,
        "start_time": timestamp(step.started_at),
        "end_time": timestamp(step.ended_at),
        "parent_job_name": parent,
    }


def _show(arguments: argparse.Namespace) -> int:
    executor = _executor(arguments)
    job, state = executor.view(arguments.name), executor.state(arguments.name)
    times = {"start_time": timestamp(state.started_at), "end_time": timestamp(state.ended_at)}
    error = {"error": {"message": state.error}} if state.error else {}
    output.show({**job, "status": state.status, **times, **error}, arguments, (*JOB_COLUMNS[:-1], *times))
    return 0


def _stream(arguments: argparse.Namespace) -> int:
    executor = _executor(arguments)
    job = executor.view(arguments.name)
    return stream_remote(executor, arguments.name, str(job["type"]), job["services"]["Studio"]["endpoint"])


def _download(arguments: argparse.Namespace) -> int:
    refuse_both(arguments)
    executor, target = _executor(arguments), Path(arguments.download_path)
    status = executor.state(arguments.name).status
    if status not in TERMINAL:
        message = f"This job is in state {status}. Download is allowed only in states {list(TERMINAL)}"
        message += f". `creditml job stream -n {arguments.name}{_AGAIN}` waits until it ends."
        raise CreditMLError(message)
    if arguments.output_name:
        wanted = [arguments.output_name]
    else:
        wanted = executor.outputs(arguments.name) if arguments.all else []
        executor.fetch_artifacts(arguments.name, target / ARTIFACTS)
    for name in wanted:
        executor.fetch(arguments.name, None, name, target / DOWNLOADED_OUTPUTS / name)
    print(f"Downloaded to {target.absolute()}", file=sys.stderr)
    return 0


def _cancel(arguments: argparse.Namespace) -> int:
    executor = _executor(arguments)
    status = executor.state(arguments.name).status
    if status in TERMINAL:
        print(f"The job '{arguments.name}' has ended already: {status}.", file=sys.stderr)
    executor.cancel(arguments.name)
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "stream": _stream,
    "download": _download,
    "cancel": _cancel,
}
