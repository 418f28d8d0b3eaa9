"""`creditml step run JOB/STEP`: a step of a recorded job again, here, on the inputs that it had."""

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
  creditml pull JOB/train --inputs && creditml step run JOB/train      one that ran in Azure ML

The step gets the recorded literals, and the data that earlier steps wrote then. The recorded job doesn't change.
Instead of JOB/STEP, the name of a child works too. The exit codes are those of `creditml run`."""


def main(command: str, words: list[str]) -> int:
    """Run a subcommand."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Steps of recorded jobs.",
        epilog="example:\n  creditml step run JOB/train",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    about = "run a step of a recorded job again, here, on its recorded inputs"
    sub = commands.add_parser(
        "run",
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.add_argument("step", metavar="JOB/STEP", help="a job and the path of a step in it; a command job alone")
    sub.add_argument("-n", "--name", help="name of the new job")
    sub.add_argument("--code", metavar="FOLDER", help="take this code folder instead of the recorded code")
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
        message = "A step is run again on this machine; add --backend local or --backend docker."
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
    """The job and the path of the step that `JOB/STEP`, or a child's name, means.

    Raises:
        NotFound: there is no such job here.
        UsageError: a pipeline job is named without a step.
    """
    from creditml.nodes.table import node_type

    job, slash, path = text.partition("/")
    try:
        record = workspace.jobs.get(job)
    except NotFound as error:
        message = f"{error}\nA job of Azure ML is brought here by: creditml pull {text} --inputs"
        raise NotFound(message) from None
    if record.parent and not slash:
        job, path = record.root, record.path
        record = workspace.jobs.get(job)
    if node_type(record.type).graph and not path:
        steps = [step.path for step in workspace.jobs.steps(record.root) if not node_type(step.type).graph]
        message = f"'{job}' is a pipeline; name a step of it: " + ", ".join(f"{job}/{step}" for step in steps)
        raise UsageError(message)
    return record.root, path
