"""`creditml job …`: the commands of `az ml job`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.cli import output
from creditml.cli.job_flags import (
    add_backend_arguments,
    add_spec_arguments,
    add_target_arguments,
    executor_of,
    overrides_of,
    prepared_job,
    refuse_foreign_flags,
)
from creditml.cli.streaming import print_end, print_log, refuse_both
from creditml.cli.views import JOB_COLUMNS, job_row, job_view
from creditml.entry_points import AZURE, DEFAULT
from creditml.errors import CreditMLError
from creditml.logs import ARTIFACTS, DOWNLOADED_OUTPUTS
from creditml.references import output_uri
from creditml.statuses import TERMINAL
from creditml.workspace import Workspace, tracking_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.workspace.records import JobRecord

_STREAM_EXAMPLES = """examples:
  creditml job create -f pipeline.yml --stream
  name=$(creditml job create -f pipeline.yml --query name -o tsv)
  creditml job stream -n $name
  creditml job show -n $name --query status -o tsv
  creditml job list -p $name -o table          the steps of a pipeline
  creditml job download -n $name --all -p out
  creditml job list --backend azureml -r 10 -o table"""


def main(command: str, words: list[str]) -> int:
    """Run a subcommand of `creditml job`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Jobs of the local workspace, or of Azure ML with --backend azureml.",
        epilog=_STREAM_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (function, about, fill, example) in _COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=f"example:\n  creditml job {name} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        fill(sub)
        sub.set_defaults(function=function)
    arguments = parser.parse_args(words)
    result: int = _function(arguments)(arguments)
    return result


def _function(arguments: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """The function for a subcommand; jobs of Azure ML (--backend azureml) have functions of their own."""
    function: Callable[[argparse.Namespace], int] = arguments.function
    if function in _REMOTE:
        if arguments.backend == AZURE:
            from creditml.cli import cloud_jobs

            return cloud_jobs.COMMANDS[_REMOTE[function]]
        refuse_foreign_flags(arguments, DEFAULT)
    return function


def add_archived_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for archived entries of a list."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--archived-only", action="store_true", help="show only archived entries")
    group.add_argument("--include-archived", action="store_true", help="show archived entries too")


# -- commands


def _create(arguments: argparse.Namespace) -> int:
    workspace = Workspace.find()
    executor = executor_of(arguments, workspace)
    prepared = prepared_job(arguments.file, overrides_of(arguments), executor)
    record = executor.detach(prepared)
    if not arguments.stream:
        output.show(job_view(workspace, record), arguments, JOB_COLUMNS)
        return 0
    if executor.place:
        from creditml.cli.cloud_jobs import stream_remote

        return stream_remote(executor, record.name, record.type, tracking_page(workspace.root, record))
    return stream(workspace, record)


def _validate(arguments: argparse.Namespace) -> int:
    from creditml.cli.check import validate

    return validate(arguments)


def _list(arguments: argparse.Namespace) -> int:
    workspace = Workspace.find()
    if not workspace.exists:
        if arguments.parent_job_name:
            workspace = Workspace.existing()
        output.show([], arguments)
        return 0
    archived = True if arguments.include_archived else None if arguments.archived_only else False
    limit = None if arguments.all_results else arguments.max_results
    parent = arguments.parent_job_name
    if parent:
        _settled(workspace, parent)
    records = workspace.jobs.entries(parent, archived=archived, limit=limit)
    records = [record if record.ended else _settled(workspace, record.name) for record in records]
    columns = ("node", *JOB_COLUMNS) if parent else JOB_COLUMNS
    output.show([job_row(record) for record in records], arguments, columns)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    workspace = Workspace.existing()
    record = _settled(workspace, arguments.name)
    if record.backend == AZURE and not record.ended:
        print(
            f"The job runs in Azure ML, and this is its last known state; add --backend {AZURE} for the current one.",
            file=sys.stderr,
        )
    output.show(job_view(workspace, record), arguments, (*JOB_COLUMNS[:-1], "start_time", "end_time"))
    return 0


def _stream(arguments: argparse.Namespace) -> int:
    from creditml.nodes.table import node_type

    workspace = Workspace.existing()
    record = _of_here(workspace, arguments.name)
    if record.parent and node_type(workspace.jobs.get(record.root).type).graph:
        message = (
            f"'{record.name}' is a child of the pipeline job '{record.root}', and Azure ML doesn't stream the logs of "
            f"child jobs. Stream the parent, or download the log: creditml job download -n {record.name}"
        )
        raise CreditMLError(message)
    return stream(workspace, record)


def stream(workspace: Workspace, record: JobRecord) -> int:
    """Print a job's log until the job ends, in the words of Azure ML's clients; returns 0 if it is Completed or 1."""
    from creditml.history.life import follow
    from creditml.nodes.table import node_type

    log = node_type(record.type).log
    print_log(record.name, tracking_page(workspace.root, record), log, follow(workspace, record, log))
    ended = workspace.jobs.get(record.name)
    return print_end(ended.status, ended.error)


def _download(arguments: argparse.Namespace) -> int:
    from creditml.workspace.content import copy_tree

    refuse_both(arguments)
    workspace = Workspace.existing()
    record = _of_here(workspace, arguments.name)
    if record.status not in TERMINAL:
        message = f"This job is in state {record.status}. Download is allowed only in states {list(TERMINAL)}"
        message += f". `creditml job stream -n {record.root}` waits until it ends."
        raise CreditMLError(message)
    target = Path(arguments.download_path)
    outputs = record.results.get("outputs", {})
    wanted = [arguments.output_name] if arguments.output_name else sorted(outputs) if arguments.all else []
    if not arguments.output_name:
        _put(workspace.jobs.artifacts(record), target / ARTIFACTS, copy_tree)
    for name in wanted:
        place = workspace.data.locate(output_uri(record.name, name))
        folder = target / DOWNLOADED_OUTPUTS / name
        _put(place, folder / place.name if place.is_file() else folder, copy_tree)
    print(f"Downloaded to {target.absolute()}", file=sys.stderr)
    return 0


def _put(source: Path, target: Path, copy: Callable[[Path, Path], None]) -> None:
    if target.is_dir() and source.is_dir():
        copy(source, target)
        return
    if target.exists():
        target.unlink() if target.is_file() else shutil.rmtree(target)
    if source.exists():
        copy(source, target)


def _cancel(arguments: argparse.Namespace) -> int:
    workspace = Workspace.existing()
    _of_here(workspace, arguments.name)
    record = workspace.jobs.request_cancel(arguments.name)
    if record.ended:
        print(f"The job '{record.name}' has ended already: {record.status}.", file=sys.stderr)
    return 0


def _archive(arguments: argparse.Namespace) -> int:
    workspace = Workspace.existing()
    _settled(workspace, arguments.name)
    workspace.jobs.archive(arguments.name, archived=arguments.archived)
    return 0


def _of_here(workspace: Workspace, name: str) -> JobRecord:
    """The record of a job.

    Raises:
        CreditMLError: The job is running in Azure ML; only --backend azureml can stream, download or cancel it.
    """
    record = _settled(workspace, name)
    if record.backend == AZURE and not record.ended:
        message = f"'{name}' is running in Azure ML and can't be handled locally: add --backend {AZURE}."
        raise CreditMLError(message)
    return record


def _settled(workspace: Workspace, name: str) -> JobRecord:
    from creditml.history.life import settle

    return settle(workspace, workspace.jobs.get(name))


# -- flags


def _fill_create(parser: argparse.ArgumentParser) -> None:
    add_spec_arguments(parser)
    add_backend_arguments(parser)
    parser.add_argument("-s", "--stream", action="store_true", help="print the log until the job has ended")
    output.add_arguments(parser)


def _fill_validate(parser: argparse.ArgumentParser) -> None:
    add_spec_arguments(parser)
    add_backend_arguments(parser)
    output.add_arguments(parser)
    parser.set_defaults(output=None)


def _fill_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r", "--max-results", type=output.count, metavar="N", default=50, help="show at most N (default: 50)"
    )
    parser.add_argument("-p", "--parent-job-name", help="list the children of this job")
    parser.add_argument("--all-results", action="store_true", help="show all jobs")
    add_archived_arguments(parser)
    output.add_arguments(parser)
    _add_cloud_arguments(parser)


def _fill_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--name", required=True, help="name of the job")


def _fill_watched(parser: argparse.ArgumentParser) -> None:
    _fill_name(parser)
    _add_cloud_arguments(parser)


def _fill_show(parser: argparse.ArgumentParser) -> None:
    _fill_watched(parser)
    output.add_arguments(parser)


def _fill_download(parser: argparse.ArgumentParser) -> None:
    _fill_watched(parser)
    parser.add_argument("--all", action="store_true", help="copy the logs and all named outputs")
    parser.add_argument("--output-name", help="copy only this named output")
    parser.add_argument("-p", "--download-path", default=".", help="folder to download to (default: the current one)")


def _fill_archive(parser: argparse.ArgumentParser) -> None:
    _fill_name(parser)
    parser.set_defaults(archived=True)


def _fill_restore(parser: argparse.ArgumentParser) -> None:
    _fill_name(parser)
    parser.set_defaults(archived=False)


def _add_cloud_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", help="azureml for jobs in Azure ML (default: jobs of the local workspace)")
    add_target_arguments(parser)


_REMOTE: dict[object, str] = {_list: "list", _show: "show", _stream: "stream", _download: "download", _cancel: "cancel"}
_COMMANDS = {
    "create": (
        _create,
        "submit a job, which runs in the background, and print it at once",
        _fill_create,
        "-f pipeline.yml --set inputs.learning_rate=0.1 --stream",
    ),
    "validate": (_validate, "report all problems of a job's file, and run nothing", _fill_validate, "-f pipeline.yml"),
    "list": (_list, "list jobs, newest first", _fill_list, "-p JOB -o table"),
    "show": (_show, "show one job", _fill_show, "-n JOB --query status -o tsv"),
    "stream": (
        _stream,
        "print a job's log until the job ends; Ctrl-C stops only the printing, and the job goes on",
        _fill_watched,
        "-n JOB",
    ),
    "download": (_download, "copy the logs and outputs of an ended job", _fill_download, "-n JOB --all -p out"),
    "cancel": (_cancel, "cancel a job", _fill_watched, "-n JOB"),
    "archive": (_archive, "hide an ended job from lists", _fill_archive, "-n JOB"),
    "restore": (_archive, "show an archived job in lists again", _fill_restore, "-n JOB"),
}
