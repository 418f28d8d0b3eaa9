"""`creditml environment …`: the commands of all assets, and commands that build environments on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.cli import assets, output
from creditml.cli.views import ASSET_COLUMNS, asset_view
from creditml.entry_points import LOCAL
from creditml.errors import CreditMLError, NotFound, SpecError, UsageError
from creditml.references import is_reference, reference, registry_uri
from creditml.workspace import Workspace

if TYPE_CHECKING:
    import argparse

    from creditml.config import EnvironmentSettings
    from creditml.engine.local_jobs import LocalJobs
    from creditml.environments.cache import Entry
    from creditml.environments.wanted import Wanted
    from creditml.model import Environment

_MADE = ("uv", "conda")
_WANTED_COLUMNS = ("name", "image", "python", "env")
_ENTRY_COLUMNS = ("title", "kind", "python", "size", "used_at", "folder")
_BYTES = 1000


def main(command: str, words: list[str]) -> int:
    """Run a subcommand of `creditml environment`."""
    return assets.main(command, words, _COMMANDS)


class _Asked(NamedTuple):
    """The environment that the command line names (as in a spec), the project's settings, and the workspace."""

    environment: Environment | str
    settings: EnvironmentSettings
    workspace: Workspace

    def wanted(self) -> Wanted:
        from creditml.environments.lookup import look_up

        return look_up(self.environment, self.workspace, self.settings)


def _asked(arguments: argparse.Namespace) -> _Asked:
    from creditml.config import read_config

    environment = _from_file(arguments.file) if arguments.file else _reference(arguments)
    return _Asked(environment, read_config().environments, Workspace.find())


def _reference(arguments: argparse.Namespace) -> str:
    name: str = arguments.name
    if is_reference(name):
        return name
    version, label = arguments.version, arguments.label or "latest"
    if arguments.registry_name:
        return registry_uri(arguments.registry_name, "environment", name, version, None if version else label)
    return reference(name, version, label)


def _from_file(file: str) -> Environment:
    """The environment that a file defines; the file is an environment's YAML or a conda file."""
    from pathlib import Path

    from creditml.language.environment import conda_file, environment
    from creditml.language.fields import Context
    from creditml.language.reader import open_document
    from creditml.language.yaml import Map
    from creditml.model import Environment

    document = open_document(file)
    context = Context(document, Path(file).absolute().parent, list(document.warnings))
    if not isinstance(document.root, Map):
        message = f"{file} is not an environment: it must be a mapping with 'image' or 'build', or a conda file."
        raise CreditMLError(message)
    if "dependencies" in document.root.items:
        found: Environment | None = Environment(name=file, conda_file=conda_file(context, document.root))
    else:
        found = environment(context, document.root)
    if found is None or any(not problem.warning for problem in context.problems):
        raise SpecError(context.problems)
    for problem in context.problems:
        print(problem, file=sys.stderr)
    return found if found.name else found._replace(name=file)


def _show(arguments: argparse.Namespace) -> int:
    _check_choice(arguments)
    if not arguments.file and not arguments.drift and not is_reference(arguments.name):
        missing = _show_registered(arguments)
        if missing is None:
            return 0
        try:
            wanted = _asked(arguments).wanted()
        except NotFound:
            raise missing from None
    else:
        wanted = _asked(arguments).wanted()
    output.show(_wanted_view(wanted), arguments, _WANTED_COLUMNS)
    return 0


def _show_registered(arguments: argparse.Namespace) -> NotFound | None:
    """Show a registered environment; returns the error if it isn't registered, else None."""
    try:
        registered = Workspace.existing().registry(arguments.registry_name)
        asset = registered.get("environment", arguments.name, arguments.version, arguments.label)
    except NotFound as error:
        return error
    output.show(asset_view(asset), arguments, ASSET_COLUMNS)
    return None


def _wanted_view(wanted: Wanted) -> dict[str, Any]:
    from creditml.environments.drift import compare
    from creditml.environments.installed import installed_packages

    drift = compare(wanted, installed_packages())
    view: dict[str, Any] = {"name": wanted.title}
    if wanted.image:
        view["image"] = wanted.image
    if wanted.build:
        view["build"] = wanted.build._asdict()
    view |= {"python": wanted.python, "conda": list(wanted.conda), "pip": list(wanted.pip)}
    view |= {"channels": list(wanted.channels), "variables": dict(wanted.variables)}
    if wanted.mode:
        view["env"] = wanted.mode
    view["host"] = {
        "python": drift.python,
        "python_state": "same" if drift.python_fits else "other version",
        "differs": drift.summary(),
        "packages": [package._asdict() for package in drift.packages],
    }
    return view


def _build(arguments: argparse.Namespace) -> int:
    _check_choice(arguments)
    asked = _asked(arguments)
    wanted = asked.wanted()
    if arguments.env and arguments.backend not in (None, LOCAL):
        message = (
            f"--env {arguments.env} works only with --backend {LOCAL}; "
            f"--backend {arguments.backend} builds environments itself."
        )
        raise UsageError(message)
    if arguments.env:
        wanted = wanted._replace(mode=arguments.env)
    mode = wanted.mode or asked.settings.mode
    executor = _executor(arguments, asked.workspace, asked.settings._replace(mode=mode))
    if executor.isolated:
        mode = executor.name
    elif mode not in _MADE:
        flags = "--env uv or --env conda (or `env: uv` in creditml.yml), or --backend docker"
        message = f"choose how to build the environment: {flags}."
        raise UsageError(message)
    provided = executor.provider().provide(wanted, _say, lambda: False)
    view = {
        "name": wanted.title,
        "env": mode,
        **({"image": provided.image} if provided.image else {"folder": provided.folder}),
        "variables": dict(provided.variables),
    }
    output.show(view, arguments, ("name", "env", "image" if provided.image else "folder"))
    return 0


def _executor(arguments: argparse.Namespace, workspace: Workspace, settings: EnvironmentSettings) -> LocalJobs:
    """The executor of the backend that environments are built for."""
    from creditml.config import read_config
    from creditml.entry_points import load
    from creditml.submission.options import Options

    config = read_config()
    backend = arguments.backend or (LOCAL if getattr(arguments, "env", None) else config.backend)
    relax = settings.relax or getattr(arguments, "env_relax", False)
    options = Options.of(config, backend)._replace(environments=settings._replace(relax=relax))
    executor: LocalJobs = load(backend)(workspace, options)
    return executor


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _prune(arguments: argparse.Namespace) -> int:
    from creditml.config import EnvironmentSettings

    if arguments.all == (arguments.older_than is not None):
        message = "choose the environments to remove: --older-than DAYS (since their last use), or --all."
        raise UsageError(message)
    executor = _executor(arguments, Workspace.find(), EnvironmentSettings())
    removed = executor.prune_environments(arguments.older_than, dry_run=arguments.dry_run)
    output.show([_entry_view(entry) for entry in removed], arguments, _ENTRY_COLUMNS)
    some = f"{len(removed)} environment{'' if len(removed) == 1 else 's'}, {_size(sum(e.size for e in removed))}"
    _say(f"{'Would remove' if arguments.dry_run else 'Removed'} {some}.")
    return 0


def _entry_view(entry: Entry) -> dict[str, Any]:
    times = {name: output.timestamp(getattr(entry, name)) for name in ("made_at", "used_at")}
    return {**entry._asdict(), **times}


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < _BYTES:
            return f"{count:.0f} {unit}"
        count /= _BYTES
    return f"{count:.1f} GB"


def _check_choice(arguments: argparse.Namespace) -> None:
    if bool(arguments.file) == bool(arguments.name):
        message = "give the file of an environment (-f FILE) or its name (-n NAME)."
        raise UsageError(message)
    if arguments.file and (arguments.version or arguments.label or arguments.registry_name):
        message = "-f FILE can't be used together with --version, --label or --registry-name."
        raise UsageError(message)
    assets.refuse_both(arguments)


def _which_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--file", help="the environment's YAML file, or a conda file")
    parser.add_argument("-n", "--name", help="name of the environment: registered, in creditml.yml, or curated")
    parser.add_argument("-v", "--version", help="version (default: the latest)")
    parser.add_argument("-l", "--label", help="label, such as latest")


def _show_flags(parser: argparse.ArgumentParser) -> None:
    _which_flags(parser)
    parser.add_argument(
        "--drift",
        action="store_true",
        help="compare a registered environment with this Python (other environments are always compared)",
    )
    output.add_arguments(parser)


def _build_flags(parser: argparse.ArgumentParser) -> None:
    _which_flags(parser)
    parser.add_argument("--env", choices=_MADE, help="how to build it (default: `env` in creditml.yml)")
    parser.add_argument(
        "--env-relax", action="store_true", help="loosen pinned versions that can't be installed, and say which"
    )
    parser.add_argument("--backend", help="backend to build it for; docker builds an image (default: as for jobs)")
    output.add_arguments(parser)


def _prune_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than", type=_days, metavar="DAYS", help="environments that no job has used for DAYS days"
    )
    parser.add_argument("--all", action="store_true", help="all environments that no job is using now")
    parser.add_argument("--dry-run", action="store_true", help="only show them")
    parser.add_argument("--backend", help="backend that they were built for; docker: images (default: as for jobs)")
    output.add_arguments(parser)


def _days(text: str) -> float:
    """A number of days, for argparse."""
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < float("inf"):
        import argparse

        message = f"'{text}' is not a number of days"
        raise argparse.ArgumentTypeError(message)
    return days


_COMMANDS = {
    "show": assets.Own(
        _show,
        "show a version, or the packages of a file or curated environment, compared with this Python",
        _show_flags,
        (
            "-n sklearn -l latest",
            "-n sklearn --drift --query host.differs -o tsv",
            "-f environment.yml --query host.packages -o table",
            "--registry-name azureml -n sklearn-1.5",
        ),
    ),
    "build": assets.Own(
        _build,
        "build an environment on this machine before a job needs it",
        _build_flags,
        ("-f environment.yml --env uv", "-n sklearn -l latest --env conda", "-f environment.yml --backend docker"),
    ),
    "prune": assets.Own(
        _prune,
        "remove environments that were built on this machine",
        _prune_flags,
        ("--older-than 30", "--all --dry-run -o table", "--all --backend docker"),
        registry=False,
    ),
}
