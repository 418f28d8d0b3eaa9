"""`creditml check FILE`: reports all problems of a job's file for a backend. `creditml job validate` does the same."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from creditml.cli import output
from creditml.cli.job_flags import add_file_arguments, executor_of, overrides_of

if TYPE_CHECKING:
    from creditml.errors import Problem
    from creditml.seams.executor import Examined, Jobs

_EXAMPLES = """examples:
  creditml check pipeline.yml
  creditml check pipeline.yml --backend docker
  creditml check pipeline.yml --backend azureml       check whether Azure ML will accept it
  creditml check pipeline.yml --set settings.default_compute=azureml:cluster -o yaml

With --backend azureml the files are checked first. Then, if a workspace in Azure is named and you are signed in,
creditml looks up the job's assets and computes in that workspace.
Exit codes: 0 no errors, 1 errors, 2 invalid arguments."""


def main(command: str, words: list[str]) -> int:
    """Run `creditml check`."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description="Report all problems of a job's file, and run nothing.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_arguments(parser)
    output.add_arguments(parser)
    parser.set_defaults(output=None)
    return validate(parser.parse_args(words))


def validate(arguments: argparse.Namespace) -> int:
    """Check a job's file, and print the problems; returns the exit code, 0 if there are no errors.

    Raises:
        SpecError: There are errors, and neither --output nor --query is given.
    """
    from creditml.workspace import Workspace

    examined = _examined(arguments.file, overrides_of(arguments), executor_of(arguments, Workspace.reading()))
    valid = all(problem.warning for problem in examined.problems)
    if arguments.output is None and arguments.query is None:
        _print(arguments.file, examined, valid=valid)
        return 0
    arguments.output = arguments.output or "json"
    shown = {"result": "Succeeded" if valid else "Failed", "problems": [_shown(each) for each in examined.problems]}
    if examined.unasked:
        shown["unasked"] = examined.unasked
    output.show(shown, arguments)
    return 0 if valid else 1


def _examined(file: str, overrides: list[str], executor: Jobs) -> Examined:
    from creditml.errors import SpecError
    from creditml.nodes.specs import read_job
    from creditml.seams.executor import Examined

    try:
        reading = read_job(file, overrides)
        if reading.job is None:
            return Examined(SpecError(reading.problems).problems)
        problems, unasked = executor.examine(reading.job, reading.problems)
        return Examined(SpecError(problems).problems, unasked)
    except SpecError as error:
        return Examined(error.problems)


def _print(file: str, examined: Examined, *, valid: bool) -> None:
    from creditml.errors import SpecError

    if examined.unasked:
        print(
            f"Only the files were checked; the workspace in Azure was not asked: {examined.unasked}",
            file=sys.stderr,
        )
    if not valid:
        raise SpecError(examined.problems)
    for problem in examined.problems:
        print(problem, file=sys.stderr)
    print(f"{file}: valid")


def _shown(problem: Problem) -> dict[str, str | None]:
    from creditml.secrets import redacted  # 1 ms, and most checks print lines, which are guarded

    return {
        "severity": "warning" if problem.warning else "error",
        "message": redacted(problem.message),
        "path": problem.path,
        "location": str(problem.place) if problem.place else None,
    }
