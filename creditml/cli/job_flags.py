"""The flags of all commands that take a job's file, the check of that file, and the choice of the backend."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from creditml.config import AZURE_WORKSPACE, MODES
from creditml.entry_points import AZURE, DEFAULT, DOCKER
from creditml.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from creditml.config import EnvironmentSettings
    from creditml.seams.executor import Jobs, Prepared, RemoteJobs
    from creditml.workspace import Workspace


# flags, whether a backend accepts them, and the end of the message for a backend that doesn't
_OWN_FLAGS: tuple[tuple[tuple[str, ...], Callable[[str], bool], str], ...] = (
    (
        ("pull", "keep-failed"),
        lambda backend: backend not in (DEFAULT, AZURE),
        "only for containers; add --backend docker.",
    ),
    (
        ("subscription", "resource-group", "workspace-name"),
        lambda backend: backend not in (DEFAULT, DOCKER),
        "only for a workspace in Azure; add --backend azureml.",
    ),
    (
        ("env-relax", "strict", "max-parallel", "pass-env"),
        lambda backend: backend != AZURE,
        "only for jobs on this machine, not for --backend azureml.",
    ),
)


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a job's file and change values in it."""
    parser.add_argument("-f", "--file", required=True, help="the job's YAML file")
    add_name_arguments(parser)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument for a job's file, the flags that change values in it, and those for where and how it runs."""
    parser.add_argument("file", metavar="FILE", help="the job's YAML file")
    add_name_arguments(parser)
    add_backend_arguments(parser)


def add_name_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that change values in a job's file."""
    parser.add_argument("-n", "--name", help="name of the job (default: the name in the file)")
    parser.add_argument("-e", "--experiment-name", help="name of the experiment (default: the name in the file)")
    add_set_argument(parser)


def add_set_argument(parser: argparse.ArgumentParser) -> None:
    """Add the flag `--set`."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="set a key of the file, for example inputs.lr=0.1",
    )


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for where and how a job runs."""
    parser.add_argument(
        "--backend",
        help="where it runs: local, docker or azureml (default: $CREDITML_BACKEND, creditml.yml, else local)",
    )
    parser.add_argument(
        "--max-parallel",
        type=int,
        metavar="N",
        help="run at most N steps at the same time (default: the number of processors)",
    )
    add_environment_arguments(parser)
    parser.add_argument(
        "--pull",
        choices=("always", "missing", "never"),
        help="with --backend docker: when images are pulled (default: missing)",
    )
    parser.add_argument(
        "--keep-failed", action="store_true", help="with --backend docker: keep the container of a step that fails"
    )
    parser.add_argument(
        "--pass-env",
        action="append",
        default=[],
        metavar="VARIABLE",
        help="pass this environment variable to the steps; may be repeated",
    )
    add_target_arguments(parser)


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a workspace in Azure."""
    group = parser.add_argument_group(
        "the workspace in Azure (default: creditml.yml, environment variables, config.json)"
    )
    group.add_argument("--subscription", metavar="ID", help="id of its subscription")
    group.add_argument("-g", "--resource-group", metavar="NAME", help="its resource group")
    group.add_argument("-w", "--workspace-name", metavar="NAME", help="its name")


def target_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The workspace in Azure that flags name: the given values, by the keys in `creditml.config.AZURE_WORKSPACE`."""
    given = (arguments.subscription, arguments.resource_group, arguments.workspace_name)
    return {name: value for name, value in zip(AZURE_WORKSPACE, given, strict=True) if value}


def add_environment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for how steps get their environments."""
    parser.add_argument(
        "--env",
        choices=MODES,
        help="where steps find their packages: on this machine (host), or in virtual (uv) or conda environments that "
        "are built once from their specs (default: creditml.yml, else host)",
    )
    parser.add_argument(
        "--env-relax", action="store_true", help="loosen pinned versions that can't be installed, and say which"
    )
    parser.add_argument(
        "--strict", action="store_true", help="treat differences between packages and an environment as errors"
    )


def overrides_of(arguments: argparse.Namespace) -> list[str]:
    """All values to set in the file, as `key=value`: those of `--set`, and those of `--name` and so on."""
    extra = [
        f"{key}={value}"
        for key, value in (("name", arguments.name), ("experiment_name", arguments.experiment_name))
        if value is not None
    ]
    return [*arguments.overrides, *extra]


def executor_of(arguments: argparse.Namespace, workspace: Workspace) -> Jobs:
    """The executor of the chosen backend, with the options of flags and settings.

    Raises:
        UsageError: A flag has an invalid value, or is not for this backend.
        BackendUnavailable: There is no such backend.
    """
    from creditml.config import read_config
    from creditml.entry_points import load
    from creditml.submission.options import Options

    config = read_config()
    backend = arguments.backend or config.backend
    refuse_foreign_flags(arguments, backend)
    executor: Callable[..., Jobs] = load(backend)
    options = Options.of(config, backend)
    parallel = options.max_parallel if arguments.max_parallel is None else arguments.max_parallel
    if parallel is not None and parallel < 1:
        message = f"--max-parallel {parallel}: the number must be at least 1."
        raise UsageError(message)
    return executor(
        workspace,
        options._replace(
            max_parallel=parallel,
            pass_env=(*options.pass_env, *arguments.pass_env),
            environments=environments_of(arguments, options.environments, backend),
            backend={**options.backend, **_of_containers(arguments), **target_of(arguments)},
        ),
    )


def azure_of(arguments: argparse.Namespace, workspace: Workspace) -> RemoteJobs:
    """The executor for the workspace in Azure that flags and settings name."""
    from creditml.config import read_config
    from creditml.entry_points import load
    from creditml.submission.options import Options

    options = Options.of(read_config(), AZURE)
    executor: Callable[..., RemoteJobs] = load(AZURE)
    return executor(workspace, options._replace(backend={**options.backend, **target_of(arguments)}))


def environments_of(
    arguments: argparse.Namespace, settings: EnvironmentSettings, backend: str = DEFAULT
) -> EnvironmentSettings:
    """The settings of environments, changed by the flags."""
    if arguments.env and backend != DEFAULT:
        message = (
            f"--env {arguments.env} works only with --backend {DEFAULT}; "
            f"--backend {backend} builds environments itself."
        )
        raise UsageError(message)
    return settings._replace(
        mode=arguments.env or settings.mode,
        relax=arguments.env_relax or settings.relax,
        strict=arguments.strict or settings.strict,
    )


def _of_containers(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {"pull": arguments.pull, "keep_failed": arguments.keep_failed}
    return {name: value for name, value in given.items() if value}


def refuse_foreign_flags(arguments: argparse.Namespace, backend: str) -> None:
    """Refuse flags that the backend would ignore.

    Raises:
        UsageError: There is such a flag.
    """
    for flags, taken, mend in _OWN_FLAGS:
        found = [f"--{flag}" for flag in flags if getattr(arguments, flag.replace("-", "_"), None)]
        if found and not taken(backend):
            message = f"{' and '.join(found)} {'is' if len(found) == 1 else 'are'} {mend}"
            raise UsageError(message)


def prepared_job(file: str, overrides: list[str], executor: Jobs) -> Prepared:
    """Read and check a job's file, and print warnings on stderr.

    Raises:
        SpecError: The file has errors.
    """
    from creditml.nodes.specs import read_job

    reading = read_job(file, overrides)
    if reading.job is None:
        raise SpecError(reading.problems)
    prepared = executor.prepare(reading.job, reading.problems)
    for problem in SpecError(prepared.warnings).problems:
        print(problem, file=sys.stderr)
    return prepared
