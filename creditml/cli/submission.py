"""What every command that takes a job's file has in common: its flags, the check, and the backend."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from creditml.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from creditml.engine.executor import LocalJobs
    from creditml.engine.submit import Prepared
    from creditml.workspace import Workspace


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    """What names a job's file and changes it."""
    parser.add_argument("-f", "--file", required=True, help="the job's YAML file")
    parser.add_argument("-n", "--name", help="name of the job, instead of the file's")
    parser.add_argument("-e", "--experiment-name", help="name of the experiment, instead of the file's")
    add_set_argument(parser)


def add_set_argument(parser: argparse.ArgumentParser) -> None:
    """`--set`."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="set a key of the file, as inputs.lr=0.1",
    )


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """Where and how a job runs."""
    parser.add_argument("--backend", help="where it runs (default: $CREDITML_BACKEND, creditml.yml, else local)")
    parser.add_argument(
        "--max-parallel",
        type=int,
        metavar="N",
        help="how many steps run side by side (default: the number of processors)",
    )
    parser.add_argument(
        "--pass-env",
        action="append",
        default=[],
        metavar="VARIABLE",
        help="hand this variable of the shell on to the steps; may be repeated",
    )


def overrides_of(arguments: argparse.Namespace) -> list[str]:
    """All that is set besides the file."""
    extra = [
        f"{key}={value}"
        for key, value in (("name", arguments.name), ("experiment_name", arguments.experiment_name))
        if value is not None
    ]
    return [*arguments.overrides, *extra]


def executor_of(arguments: argparse.Namespace, workspace: Workspace) -> LocalJobs:
    """The backend's executor (so far all of them run jobs with the engine)."""
    from creditml.backends import load  # noqa: PLC0415  only when a job runs
    from creditml.config import read_config  # noqa: PLC0415  as above
    from creditml.engine.runner import Options  # noqa: PLC0415  as above

    config = read_config()
    parallel = config.max_parallel if arguments.max_parallel is None else arguments.max_parallel
    if parallel is not None and parallel < 1:
        message = f"--max-parallel {parallel}: at least one step has to run."
        raise UsageError(message)
    made: LocalJobs = load(arguments.backend or config.backend)(
        workspace, Options(parallel, (*config.pass_env, *arguments.pass_env), config.max_jobs)
    )
    return made


def prepared_job(
    file: str, overrides: list[str], workspace: Workspace, say: Callable[[object], None] | None = None
) -> Prepared:
    """Read and check a job's file; warnings go to stderr.

    Raises:
        SpecError: it has errors.
    """
    from creditml.engine.submit import prepare  # noqa: PLC0415  other commands read no specs
    from creditml.spec.reader import read_job  # noqa: PLC0415  as above

    reading = read_job(file, overrides)
    if reading.job is None:
        raise SpecError(reading.problems)
    prepared = prepare(reading.job, workspace, reading.problems)
    for problem in SpecError(prepared.warnings).problems:
        (say or _warn)(problem)
    return prepared


def _warn(problem: object) -> None:
    print(problem, file=sys.stderr)
