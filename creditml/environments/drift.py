"""Compares, for the mode `host`, what environments ask for with the packages of the Python that creditml runs in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from creditml.environments.conda_file import conda_spec, pip_spec
from creditml.environments.installed import allows, importable, installed_packages, normalized
from creditml.environments.lookup import look_up
from creditml.errors import CreditMLError, NotFound
from creditml.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from creditml.config import EnvironmentSettings
    from creditml.environments.imports import Imports
    from creditml.environments.installed import Package
    from creditml.environments.wanted import Wanted
    from creditml.errors import Problem
    from creditml.model import Command, Environment
    from creditml.plan import Plan, PlannedStep
    from creditml.workspace import Workspace

    CodeOf = Callable[[Command], tuple[str, tuple[str, ...]]]

SAME, OTHER, MISSING = "same", "other version", "missing"
_SHOWN = 12  # packages in a message


class Compared(NamedTuple):
    """A package that an environment asks for, compared with the host.

    Attributes:
        name: The package's name on PyPI.
        asked: The versions in pip's notation (`==1.5.*`), or in conda's if pip has none for them; empty for any.
        installed: The version on the host; empty if the package is missing, or if its version is unknown.
        state: `same` (the installed version is one that is asked for), `other version` or `missing`.
    """

    name: str
    asked: str
    installed: str
    state: str

    @property
    def requirement(self) -> str:
        """The requirement with which pip installs the package."""
        return self.name + ("" if "|" in self.asked else self.asked)


class Drift(NamedTuple):
    """How an environment differs from the host.

    Attributes:
        title: The environment's name.
        packages: The packages that the environment asks for, in its order.
        python: The version of the host's Python.
        asked_python: The Python version that the environment asks for; empty if it doesn't name one.
        python_fits: Whether the host's Python is a version that the environment asks for.
    """

    title: str
    packages: tuple[Compared, ...]
    python: str
    asked_python: str
    python_fits: bool

    def in_state(self, state: str) -> tuple[Compared, ...]:
        """The packages in a state: `same`, `other version` or `missing`."""
        return tuple(package for package in self.packages if package.state == state)

    def summary(self, but: frozenset[str] = frozenset()) -> str:
        """The differences in one line; empty if there are none.

        Args:
            but: Names of missing packages that are left out.
        """
        others = [f"{p.name} {p.installed} instead of {p.asked}" for p in self.in_state(OTHER)]
        missing = [p.name for p in self.in_state(MISSING) if p.name not in but]
        parts = [_some(others)] if others else []
        parts += [f"missing: {_some(missing)}"] if missing else []
        if not self.python_fits:
            there = ".".join(self.python.split(".")[:2]) if self.asked_python.count(".") < 2 else self.python  # noqa: PLR2004  dots in 3.8.1
            parts.append(f"Python {there} instead of {self.asked_python}")
        return "; ".join(parts)


def compare(wanted: Wanted, installed: Mapping[str, Package]) -> Drift:
    """Compare an environment with the packages that are installed."""
    python = ".".join(map(str, sys.version_info[:3]))
    asked = wanted.python
    fits = allows(f"{asked}.*" if asked.replace(".", "").isdecimal() else asked, python)
    return Drift(wanted.title, tuple(_compared(wanted, installed)), python, asked, fits)


def drift_problems(plan: Plan, workspace: Workspace, settings: EnvironmentSettings, code_of: CodeOf) -> list[Problem]:
    """The differences between the host and the environments of a job's steps.

    There is one warning for each environment that differs (an error if `settings.strict`), and an error for each
    missing package that a step is certain to import. Environments with another mode in the settings are left out.

    Args:
        plan: The job's plan.
        workspace: The workspace in which environments are registered.
        settings: How steps get their environments.
        code_of: Returns a step's code folder on this machine (empty if it has none) and its additional includes.
    """
    comparison = _Comparison(Findings(plan.job), workspace, settings, code_of)
    for step in plan.steps.values():
        comparison.step(step)
    comparison.report()
    return comparison.findings.problems


class _Used:
    """An environment of the job: where it is used first, how it differs, and which missing packages code imports."""

    def __init__(self, path: tuple[str, ...], drift: Drift | None) -> None:
        self.path, self.drift = path, drift
        self.lacking = {package.name: package for package in drift.in_state(MISSING)} if drift else {}
        self.failing: dict[str, str] = {}
        self.seen: set[tuple[str, str | None, tuple[str, ...]]] = set()


class _Comparison:
    def __init__(
        self,
        findings: Findings,
        workspace: Workspace,
        settings: EnvironmentSettings,
        code_of: CodeOf,
    ) -> None:
        self.findings = findings
        self._workspace, self._settings, self._code_of = workspace, settings, code_of
        self._by_id: dict[int, _Used] = {}
        self._by_content: dict[str, _Used] = {}
        self._imports: Imports | None = None
        self._installed: dict[str, Package] | None = None

    @property
    def _consequence(self) -> str:
        if self._settings.strict:
            return "With --strict this is an error."
        return "The steps run with the packages that are installed."

    def step(self, step: PlannedStep) -> None:
        environment = step.component.environment
        if environment is None:
            return
        path = (*step.origin, "component", "environment")
        used = self._by_id.get(id(environment))
        if used is None:
            key = repr(environment)  # several nodes may define the same environment inline
            used = self._by_content.get(key) or self._new(environment, path)
            self._by_id[id(environment)] = self._by_content[key] = used
        if used.lacking:
            self._look_into(step.component, used, path)

    def report(self) -> None:
        """Add one problem for each environment that differs from the host."""
        for used in self._by_content.values():
            summary = used.drift.summary(frozenset(used.failing)) if used.drift else ""
            if used.drift and summary:
                self._warn(
                    used.path,
                    f"The Python in which steps run differs from the environment {used.drift.title}: {summary}. "
                    f"{self._consequence} `--env uv` builds the environment.",
                )

    def _new(self, environment: Environment | str, path: tuple[str, ...]) -> _Used:
        try:
            wanted = look_up(environment, self._workspace, self._settings)
        except NotFound as error:
            self._warn(path, f"{error}\n{self._consequence}")
            return _Used(path, None)
        except CreditMLError as error:
            self._warn(path, str(error))
            return _Used(path, None)
        if wanted.mode not in ("", "host") or not wanted.packages:
            return _Used(path, None)
        if self._installed is None:
            self._installed = installed_packages()
        return _Used(path, compare(wanted, self._installed))

    def _look_into(self, component: Command, used: _Used, path: tuple[str, ...]) -> None:
        key = (component.command, component.code, component.additional_includes)
        if key in used.seen or len(used.failing) == len(used.lacking):
            return
        used.seen.add(key)
        from creditml.environments.imports import (
            Code,
            Imports,
            imports_any,
            modules_of,
        )

        self._imports = self._imports or Imports()
        imported = self._imports.of(component.command, Code(*self._code_of(component)))
        for name, package in used.lacking.items():
            found = imports_any(name, imported) if name not in used.failing else None
            if found is None or any(importable(module) for module in modules_of(name)):
                continue
            module, place = found
            used.failing[name] = place
            self.findings.error(
                path,
                f"{place} imports '{module}', but {name}, which the environment asks for, is not installed here. "
                f'Install it: pip install "{package.requirement}"; or use `--env uv`, which builds the environment.',
            )

    def _warn(self, path: tuple[str, ...], message: str) -> None:
        self.findings.error(path, message, warning=not self._settings.strict)


def _compared(wanted: Wanted, installed: Mapping[str, Package]) -> Iterator[Compared]:
    """Compare each package once; pip installs after conda, so if both name a package, pip's versions count."""
    asked = {normalized(name): (name, versions) for name, versions in (*_of_conda(wanted), *_of_pip(wanted))}
    for key, (name, versions) in asked.items():
        there = installed.get(key)
        if there is None:
            yield Compared(name, versions, "", MISSING)
        else:
            yield Compared(name, versions, there.version, SAME if allows(versions, there.version) else OTHER)


def _of_conda(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if not wanted.conda:
        return
    from creditml.environments.conda_names import to_pypi

    for text in wanted.conda:
        spec = conda_spec(text)
        name = to_pypi(spec.name) if spec else None
        if spec and name:
            bare = spec.versions[:1].isdigit() and "|" not in spec.versions
            yield name.partition("[")[0], f"=={spec.versions}" if bare else spec.versions


def _of_pip(wanted: Wanted) -> Iterator[tuple[str, str]]:
    for line in wanted.pip:
        spec = pip_spec(line)
        if spec and (not spec.marker or _applies(spec.marker)):
            yield spec.name, spec.versions


def _applies(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker  # 20 ms, and few lines have a marker

    try:
        return Marker(marker).evaluate()
    except InvalidMarker:
        return True


def _some(words: list[str]) -> str:
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
