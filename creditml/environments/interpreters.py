"""The Python interpreters of this machine, found by uv; pyenv's interpreters, which its shims hide, are included."""

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
"""The oldest Python that may replace one that is not on this machine; an older one is used only if it is asked for."""


class Interpreter(NamedTuple):
    """A Python interpreter: its version (`3.11.7`) and the path of its program."""

    version: str
    path: str


def uv_program() -> str:
    """Return the path of uv's program.

    Raises:
        CreditMLError: The program is missing.
    """
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError:
        raise CreditMLError("uv's program is missing. Install it again: pip install --force-reinstall uv") from None


def own() -> Interpreter:
    """Return the Python in which creditml runs; in a virtual environment, the Python that it is based on."""
    path = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    return Interpreter(platform.python_version(), path)


def find(wanted: str, variables: Mapping[str, str]) -> tuple[Interpreter, bool]:
    """Return this machine's Python that fits a version best, and whether it is one of the wanted versions.

    Args:
        wanted: The version in conda's notation (`3.8`, `>=3.10`); empty for the Python that creditml runs in.
        variables: The environment variables for uv.

    Raises:
        CreditMLError: `wanted` is not a version.
    """
    return nearest(wanted, [own(), *_installed(variables)] if wanted else [own()])


def nearest(wanted: str, found: Sequence[Interpreter]) -> tuple[Interpreter, bool]:
    """Return the Python among `found` that fits a version best, and whether it is one of the wanted versions.

    Args:
        wanted: The version in conda's notation (`3.8`, `>=3.10`); empty for the first one in `found`.
        found: The available interpreters, at least one. The first one is taken if it fits, otherwise the newest one
            that fits, otherwise the one with the nearest version.

    Raises:
        CreditMLError: `wanted` is not a version.
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
    try:  # `3.8` means any 3.8.*, but `3.8.13` means this exact version
        fuzzy = bare and wanted.count(".") < 2  # noqa: PLR2004  major.minor.micro
        return SpecifierSet(to_pep440(f"={wanted}" if fuzzy else wanted), prereleases=True)
    except ValueError as error:
        message = f"The environment asks for Python '{wanted}': {error}."
        raise CreditMLError(message) from None


def _target(specifiers: SpecifierSet) -> Version:
    """Return the version to which the Python that is taken instead should be nearest."""
    versions = [Version(each.version.removesuffix(".*")) for each in specifiers if each.operator != "!="]
    return max(versions, default=OLDEST)


def _distance(version: Version, target: Version) -> tuple[int, int, int]:
    """A sort key for the distance of a version from the wanted one; of two equally distant ones, the newer is first."""
    apart = abs(version.minor - target.minor) + 100 * abs(version.major - target.major)
    return apart, -version.minor, -version.micro


def _installed(variables: Mapping[str, str]) -> list[Interpreter]:
    """Return the interpreters that uv finds: in PATH, in pyenv's folders, and those that uv has installed."""
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
    """Replace pyenv's shims in PATH by its interpreters.

    Pyenv has a shim for each version, but only the shims of the selected version start a Python; the others fail.
    """
    root = Path(variables.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = [str(folder / "bin") for folder in sorted(root.glob("versions/*"), reverse=True)]
    folders = [each for each in variables.get("PATH", "").split(os.pathsep) if each != str(root / "shims")]
    return {**variables, "PATH": os.pathsep.join([*folders, *versions])}
