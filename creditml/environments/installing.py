"""Creates virtual environments and installs packages with uv, and explains what can't be installed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import Version

from creditml.environments import uv_reports
from creditml.environments.interpreters import uv_program
from creditml.environments.pip_settings import AS_PIP, uv_options, uv_variables
from creditml.environments.programs import Done, run
from creditml.environments.requirements import departures, looser
from creditml.errors import CreditMLError
from creditml.secrets import without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from creditml.environments.interpreters import Interpreter
    from creditml.environments.requirements import Wish

_HIDDEN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
_WITHOUT_SETUPTOOLS = Version("3.12")  # Python docs (venv): from this version on, a new environment has only pip
_OLD_BUILDS = "setuptools<81\n"
"""Later versions have no pkg_resources, which most source distributions from before 2022 import."""


class Goal(NamedTuple):
    """The environment that is being built, for messages.

    Attributes:
        title: The environment's name.
        python: The version of its Python.
        asked: The Python version that was asked for, if the environment has another one.
        relax: Whether versions may be loosened that can't be met.
    """

    title: str
    python: str
    asked: str = ""
    relax: bool = False


class Uv:
    """Runs uv for one environment."""

    def __init__(
        self, variables: Mapping[str, str], lock: int, say: Callable[[str], None], canceled: Callable[[], bool]
    ) -> None:
        """Use uv for one environment.

        Args:
            variables: The environment variables, see `uv_environment`.
            lock: The descriptor of the environment's lock, which the programs inherit.
            say: Called with lines about the progress.
            canceled: Called now and then; whether the environment is not needed any more.
        """
        self._variables, self._lock, self._say, self._canceled = variables, lock, say, canceled
        self._options = uv_options(variables)

    def make(self, folder: str, python: Interpreter, title: str) -> None:
        """Make a virtual environment with pip, and with setuptools and wheel for Python versions before 3.12.

        Raises:
            CreditMLError: The environment can't be made.
        """
        done = self._run("venv", "--no-project", "--python", python.path, folder, at=os.path.dirname(folder))
        if not done.code:  # installed separately: with `uv venv --seed`, errors of an index are reported less precisely
            old = Version(python.version) < _WITHOUT_SETUPTOOLS
            done = self._install(folder, ["pip", "setuptools", "wheel"] if old else ["pip"])
        if done.code:
            raise CreditMLError(_failure(Goal(title, python.version), done.errors, []))

    def install(self, folder: str, wishes: Sequence[Wish], goal: Goal) -> list[str]:
        """Install packages, and return a line for each package whose version differs from what was asked for.

        Raises:
            CreditMLError: The packages can't be installed; the message names the package that is the cause.
        """
        times: dict[str, int] = {}  # how many times each package has been loosened
        unbuildable: dict[str, str] = {}  # packages whose sources can't be built, with uv's report
        while True:
            lines = [wish.loosened(times.get(wish.name, 0)) for wish in wishes]
            done = self._install(folder, lines, list(unbuildable))
            if not done.code:
                return departures(wishes, self.installed(folder)) if times else []
            package = uv_reports.unbuildable(done.errors)
            if package and package not in unbuildable:
                # Try again with wheels only: another version may have one, or uv reports which package requires this.
                unbuildable[package] = done.errors
                continue
            names = uv_reports.names_in(done.errors, {wish.name for wish in wishes if wish.name})
            able = goal.relax and uv_reports.can_be_loosened(done.errors)
            following = looser(wishes, times, names) if able else None
            if following is None:
                raise CreditMLError(_failure(goal, next(iter(unbuildable.values()), done.errors), names))
            if not times:
                self._say("Loosening the versions that can't be met.")
            times = following

    def installed(self, folder: str) -> dict[str, str]:
        """Return the versions of the packages in an environment, by their normalized names."""
        done = self._run("pip", "list", "--format", "json", "--python", f"{folder}/bin/python", at=folder)
        return {canonicalize_name(each["name"]): each["version"] for each in json.loads(done.output or "[]")}

    def compile(self, folder: str) -> None:
        """Compile the environment's modules to bytecode; steps couldn't do so later, since it is read-only for them."""
        run(
            [f"{folder}/bin/python", "-m", "compileall", "-q", "-j", "0", f"{folder}/lib"],
            variables=self._variables,
            folder=folder,
            lock=self._lock,
            canceled=self._canceled,
        )

    def _install(self, folder: str, lines: Sequence[str], unbuildable: Sequence[str] = ()) -> Done:
        with tempfile.TemporaryDirectory(prefix="creditml-") as temporary:
            requirements, constraints = Path(temporary, "requirements.txt"), Path(temporary, "build.txt")
            requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
            constraints.write_text(_OLD_BUILDS, encoding="utf-8")
            command = ["pip", "install", "--compile-bytecode", "--python", f"{folder}/bin/python"]
            command += [f"--only-binary={name}" for name in unbuildable]
            several = any(line.startswith("--extra-index-url") for line in lines)
            if several and "UV_INDEX_STRATEGY" not in self._variables:
                command += ["--index-strategy", AS_PIP]
            command += ["--break-system-packages", *self._options, "-r", str(requirements)]
            done = self._run(*command, at=folder)
            if done.code and "pkg_resources" in done.errors:
                done = self._run(*command, "--build-constraints", str(constraints), at=folder)
            return done

    def _run(self, *arguments: str, at: str) -> Done:
        return run(
            [uv_program(), *arguments],
            variables=self._variables,
            folder=at,
            lock=self._lock,
            hear=self._hear,
            canceled=self._canceled,
        )

    def _hear(self, line: str) -> None:
        if uv_reports.PROGRESS.match(line):
            self._say(without_credentials(line.strip()))


def uv_environment() -> dict[str, str]:
    """Return the environment variables for uv: those of this process, and pip's configuration in uv's terms."""
    own = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    plain = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    return {**own, **uv_variables(own), **plain}


def _failure(goal: Goal, report: str, names: Sequence[str]) -> str:
    """Return a message that says why an environment can't be built, and what to do."""
    asked = f" (it asks for Python {goal.asked}, which isn't on this machine)" if goal.asked else ""
    about = f" {', '.join(names)}:" if names else ""
    lines = [
        f"The environment {goal.title} can't be built with Python {goal.python}{asked}:{about}",
        uv_reports.reason(report),
        *(f"  {line}" for line in uv_reports.decisive_lines(report)),
    ]
    if names and not goal.relax and uv_reports.can_be_loosened(report):
        lines.append(
            "Install the Python that it asks for, or run with --env-relax to loosen the versions."
            if goal.asked
            else "Correct the versions, or run with --env-relax to loosen those that can't be met."
        )
    return "\n".join(lines)
