"""`creditml pull JOB[/STEP]`: copies a job from Azure ML into the local workspace."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from creditml.cli import output
from creditml.cli.job_flags import add_target_arguments, azure_of
from creditml.cli.views import JOB_COLUMNS, job_view
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from creditml.workspace.records import JobRecord

_EXAMPLES = """examples:
  creditml pull brave_lamp_x1                      copy graph, code, statuses and logs
  creditml pull brave_lamp_x1/train --inputs       copy a step's logs, and its input data
  creditml pull brave_lamp_x1/train --inputs && creditml step run brave_lamp_x1/train

Afterwards `creditml job show`, `job list -p`, `diff` and `step run` work without a connection. A second pull updates
the copy."""


def main(command: str, words: list[str]) -> int:
    """Run `creditml pull`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Copy a job from Azure ML into the local workspace.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="JOB[/STEP]", help="a job in Azure ML, optionally with the path of a step")
    parser.add_argument("--inputs", action="store_true", help="also copy the input data of the step, or of all steps")
    add_target_arguments(parser)
    output.add_arguments(parser)
    parser.set_defaults(output="none")
    arguments = parser.parse_args(words)
    job, _, step = arguments.job.partition("/")
    workspace = Workspace.find()
    record = bring(workspace, arguments, job, step, inputs=arguments.inputs)
    _tell(f"{record.name}: {record.status}. It is in {workspace.root} now: creditml job show -n {record.name}")
    output.show(job_view(workspace, record), arguments, (*JOB_COLUMNS[:-1], "start_time", "end_time"))
    return 0


def bring(
    workspace: Workspace, arguments: argparse.Namespace, job: str, step: str = "", *, inputs: bool = False
) -> JobRecord:
    """Copy a job from the workspace in Azure that flags and settings name, and return its record.

    Args:
        workspace: The local workspace.
        arguments: The parsed flags, which may name the workspace in Azure.
        job: The name of the job.
        step: The path of a step, if only its logs and data are to be copied.
        inputs: Whether the input data of the step, or of all steps, is copied too.
    """
    return azure_of(arguments, workspace).pull(job, step, inputs=inputs, tell=_tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
