"""Flags that name a workspace in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

BACKEND = "azureml"
_KEYS = ("subscription_id", "resource_group", "workspace_name")


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Which workspace in Azure is meant; by default config.json and the environment say so."""
    group = parser.add_argument_group("workspace in Azure (default: config.json, the environment)")
    group.add_argument("--subscription", dest="subscription_id", metavar="ID", help="id of the subscription")
    group.add_argument("-g", "--resource-group", metavar="NAME", help="name of the resource group")
    group.add_argument("-w", "--workspace-name", metavar="NAME", help="name of the workspace")


def target_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the flags and the project's settings say, as the backend takes it."""
    from creditml.config import read_config  # noqa: PLC0415  only where Azure is meant

    settings = read_config().sections.get(BACKEND, {})
    given = {key: getattr(arguments, key) for key in _KEYS}
    return {**settings, **{key: value for key, value in given.items() if value}}


def azure_is_meant(arguments: argparse.Namespace) -> bool:
    """Whether a job that isn't here is to be looked for in Azure ML."""
    from creditml.config import read_config  # noqa: PLC0415  as above

    named = any(getattr(arguments, key) for key in _KEYS)
    return named or (arguments.backend or read_config().backend) == BACKEND
