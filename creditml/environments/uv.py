"""Builds environments with uv: virtual environments in which conda packages are replaced by those of PyPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.environments import interpreters
from creditml.environments.cache import Built
from creditml.environments.conda_names import counterpart
from creditml.environments.installing import Goal, Uv, uv_environment
from creditml.environments.keys import key_of
from creditml.environments.making import make
from creditml.environments.requirements import read_wishes
from creditml.environments.wanted import Provided

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.config import EnvironmentSettings
    from creditml.environments.cache import Cache
    from creditml.environments.wanted import Wanted

KIND = "uv"


class UvProvider:
    """Builds environments with uv, and keeps them in a cache."""

    def __init__(self, settings: EnvironmentSettings, cache: Cache) -> None:
        self._settings, self._cache = settings, cache

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Build the environment or find it in the cache, see `Provider`."""
        relax, variables = self._settings.relax, uv_environment()
        python, fits = interpreters.find(wanted.python, variables)
        lines, notes = pip_requirements(wanted)
        if not fits:
            notes.insert(0, f"Python {wanted.python} isn't on this machine; Python {python.version} is used instead.")

        def build(folder: str, lock: int) -> Built:
            say(f"Building the environment {wanted.title} with uv and Python {python.version}.")
            uv = Uv(variables, lock, say, canceled)
            uv.make(folder, python, wanted.title)
            goal = Goal(wanted.title, python.version, "" if fits else wanted.python, relax)
            told = uv.install(folder, read_wishes(lines), goal) if lines else []
            return Built(wanted.title, python.version, tuple(told))

        name = f"{KIND}-{key_of(KIND, wanted, python, relax=relax)}"
        folder = make(self._cache, name, build, notes, strict=self._settings.strict, say=say, canceled=canceled)
        return Provided(folder=folder, variables=wanted.variables)


def pip_requirements(wanted: Wanted) -> tuple[list[str], list[str]]:
    """Return all wanted packages as lines of pip requirements, and a sentence for whatever can't be translated."""
    found = [counterpart(spec) for spec in wanted.conda]
    notes = [each.note for each in found if each.note]
    nothing = [each.package for each in found if not each.requirement and not each.note]
    if nothing:
        notes.append(f"Left out, because they contain nothing for Python: {', '.join(nothing)}.")
    return [*(each.requirement for each in found if each.requirement), *wanted.pip], notes
