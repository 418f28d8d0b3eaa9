"""The Pythons of this machine, as uv finds them; those of pyenv too, which its shims hide."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from creditml.environments.conda_names import to_pep440
from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST = Version("3.7")
"""The oldest Python that is taken for another one; whoever asks for an older one gets it."""


class Interpreter(NamedTuple):
    """A Python: its version (`3.11.7`) and its program."""

    version: str
    path: str


def uv_program() -> str:
    """Return where uv's program is.

    Raises:
        CreditMLError: It is gone.
    """
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError:
        raise CreditMLError("uv's program is missing. Install it again: pip install --force-reinstall uv") from None


def own() -> Interpreter:
    """Return the Python that creditml itself runs in, without its virtual environment."""
    path = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    return Interpreter(platform.python_version(), path)


def find(wanted: str, variables: Mapping[str, str]) -> tuple[Interpreter, bool]:
    """Return the Python that fits best, and whether it is one that is wanted.

    Args:
        wanted: What is asked for, as conda writes it (`3.8`, `>=3.10`); nothing is satisfied by our own.
        variables: The environment variables that uv runs with.

    Raises:
        CreditMLError: That is no version.
    """
    return nearest(wanted, [own(), *_installed(variables)] if wanted else [own()])


def nearest(wanted: str, found: Sequence[Interpreter]) -> tuple[Interpreter, bool]:
    """Return the Python of some that fits best, and whether it is one that is wanted.

    Args:
        wanted: What is asked for, as conda writes it (`3.8`, `>=3.10`); nothing is satisfied by the first one.
        found: Those that there are, at least one. If the first one fits it is taken, else the newest that does.

    Raises:
        CreditMLError: That is no version.
    """
    if not wanted:
        return found[0], True
    specifiers = _specifiers(wanted)
    fitting = [each for each in found if Version(each.version) in specifiers]
    if fitting:
        return (fitting[0] if fitting[0] == found[0] else max(fitting, key=lambda each: Version(each.version))), True
    target = _target(specifiers)
    others = [each for each in found if Version(each.version) >= OLDEST] or found
    return min(others, key=lambda each: _distance(Version(each.version), target)), False


def _specifiers(wanted: str) -> SpecifierSet:
    bare = wanted.replace(".", "").isdigit()
    try:  # `python 3.8` means 3.8.*; whoever writes 3.8.13 means that one
        fuzzy = bare and wanted.count(".") < 2  # noqa: PLR2004  major.minor.micro
        return SpecifierSet(to_pep440(f"={wanted}" if fuzzy else wanted), prereleases=True)
    except ValueError as error:
        message = f"The environment asks for Python '{wanted}': {error}."
        raise CreditMLError(message) from None


def _target(specifiers: SpecifierSet) -> Version:
    """Return the version nearest to which another one is taken."""
    versions = [Version(each.version.removesuffix(".*")) for each in specifiers if each.operator != "!="]
    return max(versions, default=OLDEST)


def _distance(version: Version, target: Version) -> tuple[int, int, int]:
    """How far a Python is from the one that is wanted; of two that are as far, the newer one is nearer."""
    apart = abs(version.minor - target.minor) + 100 * abs(version.major - target.major)
    return apart, -version.minor, -version.micro


def _installed(variables: Mapping[str, str]) -> list[Interpreter]:
    """Return what uv finds: in the PATH, where pyenv has them, and its own."""
    command = [uv_program(), "python", "list", "--only-installed", "--output-format", "json", "--no-config"]
    done = subprocess.run(command, env=_searching(variables), capture_output=True, check=False)
    try:
        listed = json.loads(done.stdout)
    except ValueError:
        return []
    return [
        Interpreter(each["version"], os.path.realpath(each["path"]))
        for each in listed
        if each["implementation"] == "cpython" and each["variant"] == "default"
    ]


def _searching(variables: Mapping[str, str]) -> dict[str, str]:
    """Put pyenv's Pythons in the place of its shims, most of which only say that they aren't the chosen one."""
    root = Path(variables.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = [str(folder / "bin") for folder in sorted(root.glob("versions/*"), reverse=True)]
    folders = [each for each in variables.get("PATH", "").split(os.pathsep) if each != str(root / "shims")]
    return {**variables, "PATH": os.pathsep.join([*folders, *versions])}
