"""`creditml pull JOB[/STEP]`: a job of Azure ML, brought into the local workspace."""

from __future__ import annotations

import argparse
import sys

from creditml.cli import output
from creditml.cli.targets import add_target_arguments, target_of
from creditml.cli.views import JOB_COLUMNS, job_view
from creditml.workspace import Workspace

_EXAMPLES = """examples:
  creditml pull brave_lamp_x1                      graph, code, statuses, logs
  creditml pull brave_lamp_x1/train --inputs       and the data that the step was given
  creditml pull brave_lamp_x1/train --inputs && creditml step run brave_lamp_x1/train

Afterwards `creditml job show`, `job list -p`, `diff` and `step run` know the job, without a connection. Pulling again
brings what has changed."""


def main(command: str, words: list[str]) -> int:
    """Bring a job here."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Bring a job of Azure ML into the local workspace.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="JOB[/STEP]", help="a job of Azure ML, and perhaps the path of a step in it")
    parser.add_argument(
        "--inputs", action="store_true", help="bring the data too that the step, or each step, was given"
    )
    add_target_arguments(parser)
    output.add_arguments(parser)
    parser.set_defaults(output="none")
    arguments = parser.parse_args(words)
    job, _, step = arguments.job.partition("/")
    from creditml_azureml.cloud import Cloud  # noqa: PLC0415  only for jobs of Azure ML
    from creditml_azureml.pulling import pull  # noqa: PLC0415  likewise

    workspace = Workspace.find()
    cloud = Cloud.find(target_of(arguments))
    record = pull(cloud, workspace, job, step, inputs=arguments.inputs, tell=_tell)
    _tell(f"{record.name}: {record.status}, brought here from {cloud.target}. creditml job show -n {record.name}")
    output.show(job_view(workspace, record), arguments, (*JOB_COLUMNS[:-1], "start_time", "end_time"))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
