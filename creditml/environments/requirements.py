"""An environment's pip requirements: reads them, loosens their versions, and compares them with what was installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PINS = ("==", "~=", "===")
_COMMENT = re.compile(r"(^|\s)#.*")


class Wish(NamedTuple):
    """One line of requirements; `requirement` is None for options, paths and URLs, which are never changed."""

    line: str
    requirement: Requirement | None = None

    @property
    def name(self) -> str:
        """The package's normalized name; empty if the line names no package."""
        return canonicalize_name(self.requirement.name) if self.requirement else ""

    @property
    def bounds(self) -> int:
        """How many times the requirement can be loosened: 0, 1 or 2."""
        if self.requirement is None or self.requirement.url or not self.requirement.specifier:
            return 0
        return 2 if any(each.operator in _PINS for each in self.requirement.specifier) else 1

    def loosened(self, times: int) -> str:
        """Return the requirement after so many steps of loosening.

        The first step turns a pinned version into a lower bound; the last step (`bounds`) allows any version.
        """
        if self.requirement is None or not times:
            return self.line
        looser = Requirement(str(self.requirement))
        looser.specifier = SpecifierSet() if times >= self.bounds else _lower(self.requirement.specifier)
        return str(looser)


def read_wishes(lines: Iterable[str]) -> list[Wish]:
    """Read lines of pip requirements; comments and empty lines are left out."""
    return list(_wishes(lines))


def _wishes(lines: Iterable[str]) -> Iterator[Wish]:
    for each in lines:
        line = _COMMENT.sub("", each).strip()
        if not line:
            continue
        try:
            yield Wish(line, Requirement(line))
        except InvalidRequirement:
            yield Wish(line)


def _lower(specifiers: SpecifierSet) -> SpecifierSet:
    texts = (
        f">={each.version.removesuffix('.*')}" if each.operator in _PINS else str(each)
        for each in specifiers
        if each.operator in (*_PINS, ">", ">=", "!=")
    )
    return SpecifierSet(",".join(texts))


def looser(wishes: Sequence[Wish], times: Mapping[str, int], named: Iterable[str]) -> dict[str, int] | None:
    """Return how many times each package is loosened in the next attempt; None if nothing can be loosened further.

    Args:
        wishes: The requirements.
        times: How many times each package has been loosened so far.
        named: The packages that uv's report names. They are loosened first; if they can't be loosened further, all
            others are.
    """
    able = {wish.name for wish in wishes if wish.bounds > times.get(wish.name, 0)}
    chosen = able & set(named) or able
    return {**times, **{name: times.get(name, 0) + 1 for name in chosen}} if chosen else None


def departures(wishes: Iterable[Wish], installed: Mapping[str, str]) -> list[str]:
    """Return a line `name versions → installed version` for each package with another version than was asked for."""
    lines = []
    for wish in wishes:
        requirement = wish.requirement
        version = installed.get(wish.name, "")
        if requirement is None or not version or not requirement.specifier:
            continue
        try:
            fits = requirement.specifier.contains(Version(version), prereleases=True)
        except InvalidVersion:
            continue
        if not fits:
            lines.append(f"{requirement.name} {requirement.specifier} → {version}")
    return sorted(set(lines))
