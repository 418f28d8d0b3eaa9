"""What a job's steps need before the first of them starts: their environments, and a server where they make clients."""

from __future__ import annotations

import selectors
import sys
from typing import TYPE_CHECKING

from creditml.engine.client_service import NAMES, Access
from creditml.engine.code_words import named
from creditml.environments.wanted import Provided, is_conda

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.engine.providing import Providing
    from creditml.engine.runner import Runner
    from creditml.environments.wanted import Provider
    from creditml.plan import PlannedStep

_MLFLOW = b"mlflow"
_INSTALLS = frozenset({b"pip install", b"pip3 install", b'"pip"', b"'pip'"})
"""What code names that installs packages as it runs."""
_HOST = Provided()


class Preparations:
    """Gets ready what the steps of one runner need. No step may start while it is `waiting`."""

    def __init__(self, runner: Runner, provider: Callable[[], Provider] | None) -> None:
        """Nothing is begun yet; `provider` gives what makes environments."""
        self._runner, self._provider = runner, provider
        self._access: Access | None = None
        self._providing: Providing | None = None
        self._told: list[str] = []
        self._installs = False

    @property
    def waiting(self) -> bool:
        """Whether anything is still missing."""
        return any(part is not None and not part.ready for part in (self._access, self._providing))

    @property
    def serving(self) -> bool:
        """Whether steps have a server of their own, which must know them before they start."""
        return self._access is not None

    @property
    def failure(self) -> str | None:
        """Why no step can start, if none can."""
        return self._providing.failure if self._providing else None

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Begin with all of it; returns at once.

        Raises:
            CreditMLError: nobody knows one of the environments.
        """
        runner = self._runner
        names = named(runner.plan, runner.workspace, NAMES | _INSTALLS | {_MLFLOW})
        self._installs = bool(names & _INSTALLS)
        if _MLFLOW in names:
            runner.tracking.start()
        if self._is_needed():
            self._begin_providing(selector)
        if names & NAMES and runner.launcher.isolated:
            runner.warnings.append("The code names an MLClient; from a container it doesn't reach this workspace yet.")
        elif names & NAMES:
            log = runner.workspace.jobs.folder(runner.record) / "service.log"
            self._access = Access(runner.workspace.root, runner.tracking.uri, runner.host["PATH"], log)
            selector.register(self._access, selectors.EVENT_READ, lambda: self._on_access(selector))

    def of(self, step: PlannedStep) -> Provided:
        """The environment of a step, once nothing is missing."""
        return self._providing.of(step) if self._providing else _HOST

    def shared(self, step: PlannedStep) -> str:
        """The folder of the Python environment that a step needs a layer of its own over; empty if it needs none.

        Over the host's own it gets one only where the job's code installs packages, since making it takes some
        milliseconds; over one of conda too, since the layer is then Python's prefix, below which some packages look
        for what isn't in a layer.
        """
        provided = self.of(step)
        if provided.folder:
            return provided.folder if self._installs or not is_conda(provided.folder) else ""
        return sys.prefix if self._installs and not self._runner.launcher.isolated else ""

    def told(self) -> list[str]:
        """What there is to tell about environments since the last call."""
        told, self._told = self._told, []
        return told

    def cancel(self) -> None:
        """Nobody waits any more."""
        if self._providing is not None:
            self._providing.cancel()

    def close(self) -> None:
        """Give everything back."""
        if self._access is not None:
            self._access.close()
        if self._providing is not None:
            self._providing.close()

    def _is_needed(self) -> bool:
        settings, isolated = self._runner.options.environments, self._runner.launcher.isolated
        own = any("env" in known for known in settings.known.values())
        if self._provider is None or (not isolated and settings.mode in ("", "host") and not own):
            return False  # on the host there is one already
        return any(step.component.environment is not None for step in self._runner.plan.steps.values())

    def _begin_providing(self, selector: selectors.BaseSelector) -> None:
        from creditml.engine.providing import LOG, Providing

        assert self._provider is not None  # noqa: S101  it was looked at
        runner = self._runner
        log = runner.workspace.jobs.folder(runner.record) / "artifacts" / LOG
        self._providing = Providing(runner.plan, runner.workspace, runner.options.environments, log)
        selector.register(self._providing, selectors.EVENT_READ, lambda: self._on_provided(selector))
        self._providing.start(self._provider())

    def _on_access(self, selector: selectors.BaseSelector) -> None:
        assert self._access is not None  # noqa: S101  it has something to say
        selector.unregister(self._access)
        self._access.attend()
        self._runner.host = self._access.applied(self._runner.host)
        if self._access.failure:
            self._runner.warnings.append(self._access.failure)

    def _on_provided(self, selector: selectors.BaseSelector) -> None:
        assert self._providing is not None  # noqa: S101  it has something to say
        self._told += self._providing.attend()
        if self._providing.ready:
            selector.unregister(self._providing)
            if self._providing.failure:
                self._runner.give_up(self._providing.failure)
