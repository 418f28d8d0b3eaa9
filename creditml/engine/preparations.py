"""What a job's steps need before the first of them starts: their environments, and a server where they make clients."""

from __future__ import annotations

import selectors
import sys
from typing import TYPE_CHECKING

from creditml.engine.client_service import NAMES, ClientService
from creditml.engine.code_words import words_in_code
from creditml.engine.host_variables import host_variables
from creditml.environments.wanted import Provided, is_conda
from creditml.logs import ENVIRONMENT_LOG

if TYPE_CHECKING:
    from creditml.engine.job_environments import JobEnvironments
    from creditml.plan import PlannedStep
    from creditml.seams.launcher import Launcher
    from creditml.submission.options import Options
    from creditml.submission.submit import Submitted
    from creditml.tracking import Tracking
    from creditml.workspace import Workspace

_MLFLOW = b"mlflow"
_INSTALLS = frozenset({b"pip install", b"pip3 install", b'"pip"', b"'pip'"})
"""Words in code that installs packages when it runs."""
_HOST = Provided()


class Preparations:
    """Prepares what the steps of one job need. No step may start while it is `waiting`."""

    def __init__(
        self, job: Submitted, workspace: Workspace, launcher: Launcher, tracking: Tracking, options: Options
    ) -> None:
        """Prepare for a job; nothing is started before `begin`."""
        self._job, self._workspace, self._launcher, self._tracking = job, workspace, launcher, tracking
        self._settings = options.environments
        self.variables = host_variables(options.pass_env, workspace.root / "bin", isolated=launcher.isolated)
        """What every step has in its environment before its own variables."""
        self.warnings: list[str] = []
        """What is to be said when the job has ended."""
        self._service: ClientService | None = None
        self._environments: JobEnvironments | None = None
        self._messages: list[str] = []
        self._installs = False

    @property
    def waiting(self) -> bool:
        """Whether anything is still missing."""
        return any(part is not None and not part.ready for part in (self._service, self._environments))

    @property
    def serving(self) -> bool:
        """Whether steps have a server of their own, which must know them before they start."""
        return self._service is not None

    @property
    def failure(self) -> str | None:
        """Why no step can start, if none can."""
        return self._environments.failure if self._environments else None

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Begin with all of it; returns at once. What is to be done later is called through the selector's keys.

        Raises:
            CreditMLError: nobody knows one of the environments.
        """
        names = words_in_code(self._job.plan, self._workspace, NAMES | _INSTALLS | {_MLFLOW})
        self._installs = bool(names & _INSTALLS)
        if _MLFLOW in names:
            self._tracking.start()
        if self._makes_environments():
            self._begin_environments(selector)
        if names & NAMES and self._launcher.isolated:
            self.warnings.append("The code names an MLClient, which can't reach this workspace from a container yet.")
        elif names & NAMES:
            log = self._workspace.jobs.folder(self._job.record) / "service.log"
            self._service = ClientService(self._workspace.root, self._tracking.uri, self.variables["PATH"], log)
            selector.register(self._service, selectors.EVENT_READ, lambda: self._on_service(selector))

    def of(self, step: PlannedStep) -> Provided:
        """The environment of a step, once nothing is missing."""
        return self._environments.of(step) if self._environments else _HOST

    def base_of_layer(self, step: PlannedStep) -> str:
        """The folder of the Python environment over which a step needs a layer of its own; empty if it needs none.

        Over this machine's own environment a step gets one only if the job's code installs packages, since to make a
        layer takes some milliseconds. The same holds for one of conda, since the layer then becomes Python's prefix,
        below which some packages look for files that a layer doesn't have.
        """
        provided = self.of(step)
        if provided.folder:
            return provided.folder if self._installs or not is_conda(provided.folder) else ""
        return sys.prefix if self._installs and not self._launcher.isolated else ""

    def messages(self) -> list[str]:
        """Messages for the user about environments, since the last call."""
        messages, self._messages = self._messages, []
        return messages

    def cancel(self) -> None:
        """Make no further environments."""
        if self._environments is not None:
            self._environments.cancel()

    def close(self) -> None:
        """End the server and what makes environments."""
        if self._service is not None:
            self._service.close()
        if self._environments is not None:
            self._environments.close()

    def _makes_environments(self) -> bool:
        """Whether steps run in environments other than this machine's own."""
        settings = self._settings
        own = any("env" in known for known in settings.known.values())
        if self._job.provider is None or (not self._launcher.isolated and settings.mode in ("", "host") and not own):
            return False
        return any(step.component.environment is not None for step in self._job.plan.steps.values())

    def _begin_environments(self, selector: selectors.BaseSelector) -> None:
        from creditml.engine.job_environments import JobEnvironments

        assert self._job.provider is not None  # noqa: S101  `_makes_environments` has checked it
        log = self._workspace.jobs.artifacts(self._job.record) / ENVIRONMENT_LOG
        self._environments = JobEnvironments(self._job.plan, self._workspace, self._settings, log)
        selector.register(self._environments, selectors.EVENT_READ, lambda: self._on_environments(selector))
        self._environments.start(self._job.provider())

    def _on_service(self, selector: selectors.BaseSelector) -> None:
        assert self._service is not None  # noqa: S101  it is registered
        selector.unregister(self._service)
        self._service.attend()
        self.variables = self._service.applied(self.variables)
        if self._service.failure:
            self.warnings.append(self._service.failure)

    def _on_environments(self, selector: selectors.BaseSelector) -> None:
        assert self._environments is not None  # noqa: S101  it is registered
        self._messages += self._environments.attend()
        if self._environments.ready:
            selector.unregister(self._environments)
