"""The workspace in Azure that is meant in a folder: by flags, settings, variables or a config.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.config import AZURE_WORKSPACE
from creditml.documents import parse_json, read_text
from creditml.errors import BackendError
from creditml.references import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLES = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
_FLAGS = ("--subscription", "--resource-group", "--workspace-name")
_FILES = ("config.json", os.path.join(".azureml", "config.json"))


class Target(NamedTuple):
    """A workspace in Azure."""

    subscription_id: str
    resource_group: str
    workspace_name: str

    def __str__(self) -> str:
        """The workspace as messages name it."""
        return f"'{self.workspace_name}' (resource group '{self.resource_group}')"

    @property
    def scope(self) -> Scope:
        """The workspace as references to what lies in it name it."""
        return Scope(*self)

    @property
    def id(self) -> str:
        """The ARM id of the workspace."""
        return self.scope.path


def find_target(given: Mapping[str, Any]) -> Target:
    """The workspace that is meant in the current folder.

    Each of its three names is looked for in this order: `given`, an environment variable (AZURE_SUBSCRIPTION_ID,
    AZURE_RESOURCE_GROUP, AZURE_ML_WORKSPACE), the nearest config.json upward, as `MLClient.from_config` reads it.

    Args:
        given: names from flags or settings, by the keys of `creditml.config.AZURE_WORKSPACE`; empty ones don't count.

    Raises:
        BackendError: a name is found nowhere, or the config.json can't be read.
    """
    found = dict(zip(AZURE_WORKSPACE, map(os.environ.get, _VARIABLES), strict=True))
    found |= {key: str(value) for key, value in given.items() if key in AZURE_WORKSPACE and value}
    if not all(found.values()):
        file, values = _config()
        found = {key: value or values.get(key) for key, value in found.items()}
        missing = [key for key in AZURE_WORKSPACE if not found[key]]
        if missing:
            where = f"{file} has no {' and no '.join(missing)}" if file else "there is no config.json here or above"
            message = (
                f"The workspace in Azure is not named: {where}. Download the config.json of the workspace from "
                f"Azure ML's studio into this folder, or give {_spoken(_FLAGS)}, or set {_spoken(_VARIABLES)}."
            )
            raise BackendError(message)
    return Target(*(str(found[key]) for key in AZURE_WORKSPACE))


def _config() -> tuple[Path | None, Mapping[str, Any]]:
    file = next(_configs(), None)
    if file is None:
        return None, {}
    try:
        values = parse_json(read_text(file))
    except (OSError, ValueError) as error:
        message = f"{file} can't be read: {getattr(error, 'strerror', None) or error}."
        raise BackendError(message) from error
    if not isinstance(values, dict):
        message = f"{file} should be a mapping with {_spoken(AZURE_WORKSPACE)}."
        raise BackendError(message)
    return file, values


def _configs() -> Iterator[Path]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        for name in _FILES:
            if (folder / name).is_file():
                yield folder / name


def _spoken(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
