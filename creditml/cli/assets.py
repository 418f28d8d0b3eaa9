"""`creditml data|environment|component|model …`: the commands of `az ml data`, `az ml environment` and so on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.asset_kinds import title_of
from creditml.cli import output
from creditml.cli.job import add_archived_arguments
from creditml.cli.job_flags import add_set_argument
from creditml.cli.views import ASSET_COLUMNS, asset_view
from creditml.errors import SpecError, UsageError
from creditml.model import NOTHING
from creditml.references import is_reference
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.workspace.assets import Assets
    from creditml.workspace.records import Asset

_EXAMPLES = {
    "data": "  creditml data create --name credit-card --version initial --type uri_file --path data.csv\n"
    "  creditml data create -f data.yml\n  creditml data list -n credit-card -o table",
    "environment": "  creditml environment create -f environment.yml\n"
    "  creditml environment create --name sklearn --image python:3.11 --conda-file conda.yml\n"
    "  creditml environment show -n sklearn -l latest",
    "component": "  creditml component create -f train.yml\n  creditml component show -n train --query inputs -o yaml",
    "model": "  creditml model list -o table\n"
    "  creditml model create --name credit --type mlflow_model --path ./model\n"
    "  creditml model show -n credit -v 1 --query path -o tsv",
}
_COMMON_EXAMPLES = {
    "list": ("-o table", "-n NAME --query [].version -o tsv"),
    "show": ("-n NAME", "-n NAME -v 1 -o yaml"),
    "archive": ("-n NAME -v 1", "-n NAME"),
    "restore": ("-n NAME -v 1", "-n NAME"),
}
_TITLES = {
    "data": "Data assets of the local workspace",
    "environment": "Environments of the local workspace",
    "component": "Components of the local workspace",
    "model": "Models of the local workspace, including those in MLflow's registry",
}


class Own(NamedTuple):
    """A command that only one kind of asset has, or that replaces the common command for this kind.

    Attributes:
        function: Runs the command, and returns the exit code.
        about: The help text.
        flags: Adds the command's arguments to a parser.
        examples: The words after the command, one text for each example.
        registry: Whether the command takes --registry-name.
    """

    function: Callable[[argparse.Namespace], int]
    about: str
    flags: Callable[[argparse.ArgumentParser], None]
    examples: tuple[str, ...]
    registry: bool = True


def main(command: str, words: list[str], own: Mapping[str, Own] = NOTHING) -> int:
    """Run a subcommand for one kind of asset; `own` are this kind's additional and replaced commands, by name."""
    parser = argparse.ArgumentParser(
        prog=f"creditml {command}",
        description=f"{_TITLES[command]}.",
        epilog="examples:\n" + _EXAMPLES[command],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in dict.fromkeys((*_COMMANDS, *own)):
        function, about = own[name][:2] if name in own else _COMMANDS[name]
        sub = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=_examples(command, name, own),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in own:
            own[name].flags(sub)
        else:
            _FLAGS[name](sub, command)
        if name not in own or own[name].registry:
            sub.add_argument(
                "--registry-name", default="", metavar="REGISTRY", help="use a local registry instead of the workspace"
            )
        sub.set_defaults(function=function, kind=command)
    arguments = parser.parse_args(words)
    result: int = arguments.function(arguments)
    return result


def _examples(kind: str, command: str, own_commands: Mapping[str, Own]) -> str:
    """The examples of one command, as text for its help."""
    start = f"  creditml {kind} {command} "
    if command in own_commands:
        return "\n".join(["examples:", *(start + flags for flags in own_commands[command].examples)])
    own = [line for line in _EXAMPLES[kind].splitlines() if line.startswith(start)]
    return "\n".join(["examples:", *(own or [start + flags for flags in _COMMON_EXAMPLES[command]])])


def _create(arguments: argparse.Namespace) -> int:
    kind = arguments.kind
    given = {
        key: getattr(arguments, key)
        for key in ("name", "version", "description", *_OWN_FLAGS[kind])
        if getattr(arguments, key) is not None
    }
    if arguments.file is None and "name" not in given:
        message = f"give a file (-f FILE) or --name{' and --path' if kind in ('data', 'model') else ''}."
        raise UsageError(message)
    make = _create_component if kind == "component" else _create_other
    asset = make(Workspace.find(), arguments, given)
    output.show(asset_view(asset), arguments, ASSET_COLUMNS)
    return 0


def _create_component(workspace: Workspace, arguments: argparse.Namespace, given: dict[str, Any]) -> Asset:
    from creditml.check import check_component
    from creditml.language.assets import asset_document
    from creditml.nodes.specs import component_dict, read_component_document
    from creditml.submission.freezing import freeze_component

    if arguments.file is None:
        message = "give the file of the component: -f FILE."
        raise UsageError(message)
    document, folder = asset_document(arguments.file, given, arguments.overrides)
    component, problems, source = read_component_document(document, folder)
    found = [*problems, *(check_component(component, source) if component else ())]
    if component is None or any(not problem.warning for problem in found):
        raise SpecError(found)
    if component.name is None:
        message = "a component needs a name; give --name, or the key 'name' in the file."
        raise UsageError(message)
    for problem in SpecError(found).problems:
        print(problem, file=sys.stderr)
    spec = component_dict(freeze_component(component, workspace))
    spec.pop("version", None)
    return _assets(workspace, arguments).create("component", component.name, component.version, spec)


def _create_other(workspace: Workspace, arguments: argparse.Namespace, given: dict[str, Any]) -> Asset:
    from creditml.language.assets import asset_document, read_asset

    kind = arguments.kind
    for key in ("path", "conda_file"):  # paths in flags are relative to the current folder, not to that of the file
        if isinstance(given.get(key), str) and "://" not in given[key] and not is_reference(given[key]):
            given[key] = str(Path(given[key]).absolute())
    if kind == "environment" and "build_context" in given:
        given["build"] = {"path": str(Path(given.pop("build_context")).absolute())}
    document, folder = asset_document(arguments.file, given, arguments.overrides)
    spec = read_asset(kind, document, folder)
    if kind in ("data", "model"):
        spec["path"] = workspace.data.keep(spec["path"], spec["type"])
    elif "build" in spec:
        spec["build"]["path"] = workspace.data.keep_context(spec["build"]["path"])
    version = spec.pop("version", None)
    return _assets(workspace, arguments).create(kind, spec["name"], version, spec)


def _assets(workspace: Workspace, arguments: argparse.Namespace) -> Assets:
    return workspace.registry(arguments.registry_name)


def _list(arguments: argparse.Namespace) -> int:
    workspace = Workspace.find()
    archived = True if arguments.include_archived else None if arguments.archived_only else False
    assets = _assets(workspace, arguments) if workspace.exists else None
    found = assets.entries(arguments.kind, arguments.name, archived=archived) if assets else []
    output.show([asset_view(asset) for asset in found[: arguments.max_results]], arguments, ASSET_COLUMNS)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    refuse_both(arguments)
    assets = _assets(Workspace.existing(), arguments)
    asset = assets.get(arguments.kind, arguments.name, arguments.version, arguments.label)
    output.show(asset_view(asset), arguments, ASSET_COLUMNS)
    return 0


def refuse_both(arguments: argparse.Namespace) -> None:
    """Refuse `--version` together with `--label`."""
    if arguments.version and arguments.label:
        message = "--version and --label can't be used together."
        raise UsageError(message)


def _archive(arguments: argparse.Namespace) -> int:
    refuse_both(arguments)
    assets = _assets(Workspace.existing(), arguments)
    version = arguments.version
    if arguments.label:
        version = assets.get(arguments.kind, arguments.name, None, arguments.label).version
    assets.archive(arguments.kind, arguments.name, version, archived=arguments.archived)
    return 0


def _create_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    parser.add_argument("-f", "--file", help=f"the {title_of(kind)}'s YAML file")
    parser.add_argument("-n", "--name", help="name (default: the name in the file)")
    parser.add_argument("-v", "--version", help="version (default: the version in the file, else the next number)")
    parser.add_argument("-d", "--description", help="description")
    for flag, about in _OWN_FLAGS[kind].items():
        parser.add_argument(
            *({"path": ["-p"], "type": ["-t"]}.get(flag, [])), f"--{flag.replace('_', '-')}", help=about
        )
    add_set_argument(parser)
    output.add_arguments(parser)


def _list_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    parser.add_argument("-n", "--name", help=f"list all versions of this {title_of(kind)}")
    parser.add_argument("-r", "--max-results", type=output.count, metavar="N", help="show at most N")
    add_archived_arguments(parser)
    output.add_arguments(parser)


def _show_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    _name_flags(parser, kind, "version (default: the latest)")
    output.add_arguments(parser)


def _name_flags(parser: argparse.ArgumentParser, kind: str, about_version: str) -> None:
    parser.add_argument("-n", "--name", required=True, help=f"name of the {title_of(kind)}")
    parser.add_argument("-v", "--version", help=about_version)
    parser.add_argument("-l", "--label", help="label, such as latest")


def _archive_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    _name_flags(parser, kind, "version (default: all versions)")
    parser.set_defaults(archived=True)


def _restore_flags(parser: argparse.ArgumentParser, kind: str) -> None:
    _name_flags(parser, kind, "version (default: all versions)")
    parser.set_defaults(archived=False)


_OWN_FLAGS: dict[str, dict[str, str]] = {
    "data": {"path": "file, folder or URI", "type": "uri_file, uri_folder or mltable"},
    "model": {"path": "file, folder or URI", "type": "custom_model, mlflow_model or triton_model"},
    "environment": {"image": "Docker image", "conda_file": "conda file", "build_context": "folder with a Dockerfile"},
    "component": {},
}
_COMMANDS = {
    "create": (_create, "create a version"),
    "list": (_list, "list the latest version of each asset, or all versions of one asset"),
    "show": (_show, "show a version"),
    "archive": (_archive, "hide one version or all versions of an asset from lists"),
    "restore": (_archive, "show archived versions in lists again"),
}
_FLAGS = {
    "create": _create_flags,
    "list": _list_flags,
    "show": _show_flags,
    "archive": _archive_flags,
    "restore": _restore_flags,
}
