"""`creditml step run JOB/STEP`: runs a step of a recorded job again on this machine, with the inputs that it had."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.cli.job_flags import add_backend_arguments, executor_of
from creditml.cli.run import run
from creditml.errors import NotFound, SpecError, UsageError
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from creditml.seams.executor import Jobs

_EXAMPLES = """examples:
  creditml step run brave_lamp_x1/train
  creditml step run brave_lamp_x1/train --code ./src       with a corrected code folder
  creditml step run brave_lamp_x1/train --backend docker
  creditml pull JOB/train --inputs && creditml step run JOB/train      a step of a job in Azure ML

The step gets the recorded literals and the data that earlier steps wrote in the recorded job, which is not changed.
Instead of JOB/STEP you can give the name of the child job. The exit codes are those of `creditml run`."""


def main(command: str, words: list[str]) -> int:
    """Run a subcommand of `creditml step`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Steps of recorded jobs.",
        epilog="example:\n  creditml step run JOB/train",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    about = "run a step of a recorded job again on this machine, with its recorded inputs"
    sub = commands.add_parser(
        "run",
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.add_argument("step", metavar="JOB/STEP", help="a job and the path of a step in it; only JOB for a command job")
    sub.add_argument("-n", "--name", help="name of the new job")
    sub.add_argument("--code", metavar="FOLDER", help="use this code folder instead of the recorded code")
    add_backend_arguments(sub)
    return _run(parser.parse_args(words))


def _run(arguments: argparse.Namespace) -> int:
    from creditml.history.again import step_job

    workspace = Workspace.existing()
    job, path = find_step(workspace, arguments.step)
    code = Path(arguments.code) if arguments.code else None
    if code is not None and not code.is_dir():
        message = f"--code {arguments.code}: there is no such folder."
        raise UsageError(message)
    made = step_job(workspace, job, path, code)._replace(name=arguments.name)
    executor: Jobs = executor_of(arguments, workspace)
    if executor.place:
        message = "A step can only be run again on this machine; add --backend local or --backend docker."
        raise UsageError(message)
    executor.get_ready()
    try:
        prepared = executor.prepare(made)
        for problem in SpecError(prepared.warnings).problems:
            print(problem, file=sys.stderr)
        return run(executor, prepared)
    finally:
        executor.close()
        workspace.close()


def find_step(workspace: Workspace, text: str) -> tuple[str, str]:
    """The name of a job and the path of its step, from `JOB/STEP` or the name of a child job.

    Raises:
        NotFound: There is no such job in the workspace.
        UsageError: A pipeline job is named without a step.
    """
    from creditml.nodes.table import node_type

    job, slash, path = text.partition("/")
    try:
        record = workspace.jobs.get(job)
    except NotFound as error:
        message = f"{error}\nTo copy a job from Azure ML: creditml pull {text} --inputs"
        raise NotFound(message) from None
    if record.parent and not slash:
        job, path = record.root, record.path
        record = workspace.jobs.get(job)
    if node_type(record.type).graph and not path:
        steps = [step.path for step in workspace.jobs.steps(record.root) if not node_type(step.type).graph]
        message = f"'{job}' is a pipeline job; name one of its steps: " + ", ".join(f"{job}/{step}" for step in steps)
        raise UsageError(message)
    return record.root, path
