"""The packages installed in the Python that creditml runs in, and comparisons of their versions.

The packages are found by the names of their metadata folders. `importlib.metadata` would read a file of each package,
which takes a hundred times as long.
"""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

_METADATA = (".dist-info", ".egg-info")
_TERM = r"(===|==|~=|!=|>=|<=|>|<|=)?(.+)"
_PLAIN = r"\d+(?:\.\d+)*"


class Package(NamedTuple):
    """An installed package; the version is empty if it is unknown."""

    name: str
    version: str


def installed_packages() -> dict[str, Package]:
    """The installed packages by their normalized names (PEP 503); if there are two, the first in `sys.path` counts."""
    found: dict[str, Package] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:
            continue
        for entry in names:
            if (
                entry.endswith(_METADATA) and entry[0] != "~"
            ):  # pip leaves folders with `~` behind when it is interrupted
                name, _, rest = entry.rpartition(".")[0].partition("-")
                version = re.sub(r"-py\d.*", "", rest)
                found.setdefault(normalized(name), Package(name.replace("_", "-"), version))
    return found


def normalized(name: str) -> str:
    """A package's name in the form that names are compared in (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def importable(module: str) -> bool:
    """Whether a module can be found. It is not imported, since that could take seconds."""
    import importlib.util

    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        places = list(spec.submodule_search_locations or ()) if spec else []
    except (ImportError, ValueError):  # a package that is only partly installed
        return False
    if not rest:
        return spec is not None
    for part in rest[:-1]:
        places = [folder for place in places if os.path.isdir(folder := os.path.join(place, part))]
    return any(_holds(place, rest[-1]) for place in places)


def _holds(folder: str, module: str) -> bool:
    """Whether a folder contains a module: a package's folder, a Python file or a compiled module."""
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return any(name == module or (name.startswith(f"{module}.") and name.endswith((".py", ".so"))) for name in names)


def allows(versions: str, version: str) -> bool:
    """Whether a version is one of those that are asked for.

    Args:
        versions: In the notation of pip (PEP 440: `==1.2.*`, `>=1,<2`) or conda (`1.2.*`, `>=1,<2|>3`); empty for any.
        version: The installed version. A version that can't be compared counts as allowed.
    """
    if not versions or not version:
        return True
    return any(all(_term(term, version) for term in each.split(",") if term) for each in versions.split("|"))


def _term(term: str, version: str) -> bool:
    match = re.fullmatch(_TERM, term.strip())
    if match is None:
        return True
    sign, asked = match[1] or "==", match[2].strip()
    if asked == "*":
        return True
    if "+" not in asked:
        version = version.partition("+")[0]
    if sign in ("==", "===", "=") and asked == version:
        return True
    star = asked.endswith("*")
    plain = asked.removesuffix("*").removesuffix(".")
    if re.fullmatch(_PLAIN, plain) and re.fullmatch(_PLAIN, version):
        return _compare("=" if star and sign in ("==", "===") else sign, plain, version, star=star)
    return _pep440(sign, plain, version, star=star)


def _compare(sign: str, asked: str, version: str, *, star: bool) -> bool:
    """Compare two versions of numbers and dots, which most versions are; the shorter one is filled up with zeros."""
    left, right = [int(part) for part in version.split(".")], [int(part) for part in asked.split(".")]
    length = max(len(left), len(right))
    there, other = left + [0] * (length - len(left)), right + [0] * (length - len(right))
    starts = there[: len(right)] == right
    if sign in ("==", "==="):
        return there == other
    if sign == "=":
        return starts
    if sign == "!=":
        return not starts if star else there != other
    if sign == "~=":
        return there >= other and there[: len(right) - 1] == right[:-1]
    if sign in (">=", "<="):
        return there >= other if sign == ">=" else there <= other
    return there > other if sign == ">" else there < other


def _pep440(sign: str, asked: str, version: str, *, star: bool) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # 20 ms, and rarely needed
    from packaging.version import InvalidVersion, Version

    if sign == "=":
        sign, star = "==", True
    end = ".*" if star and sign in ("==", "!=") else ""
    try:
        return SpecifierSet(f"{sign}{asked}{end}").contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):  # versions that only conda has: 1.1.1k, 2023c
        return sign not in ("==", "===") or star or asked == version
