"""The environments of a job's steps, made before the first of them starts."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.environments.lookup import look_up
from creditml.environments.wanted import Provided
from creditml.errors import Canceled, CreditMLError
from creditml.secrets import redacted

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.config import EnvironmentSettings
    from creditml.environments.wanted import Provider, Wanted
    from creditml.model import Environment
    from creditml.plan import Plan, PlannedStep
    from creditml.workspace import Workspace

"""The log in which Azure ML keeps what is printed while an image is built."""
_PATIENCE = 15.0  # seconds for a build to end that is no longer wanted
_HOST = Provided()


class JobEnvironments:
    """Makes the environments of one job in a thread. Register it with a selector, and `attend` when it is readable."""

    def __init__(self, plan: Plan, workspace: Workspace, settings: EnvironmentSettings, log: Path) -> None:
        """Look up what the steps want; `start` makes it.

        Raises:
            CreditMLError: nobody knows one of the environments.
        """
        self._log = log
        self._wanted: dict[str, Wanted] = {}
        for step in plan.steps.values():
            environment = step.component.environment
            if environment is not None and _key(environment) not in self._wanted:
                self._wanted[_key(environment)] = look_up(environment, workspace, settings)
        self._provided: dict[str, Provided] = {}
        self._lines: list[str] = []
        self._canceled, self._ended = threading.Event(), threading.Event()
        self._provider: Provider | None = None
        self._thread: threading.Thread | None = None
        self._readable, self._done = os.pipe()
        self.ready = False
        """Whether all are made, or one of them can't be."""
        self.failure: str | None = None
        """Why one of them can't be made."""

    def fileno(self) -> int:
        """Readable when `attend` has something to do."""
        return self._readable

    def start(self, provider: Provider) -> None:
        """Begin; returns at once. The environments are kept from removal as long as the provider lives."""
        self._provider = provider
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def attend(self) -> list[str]:
        """Take note of what has happened; returns the lines that were printed since the last call."""
        os.read(self._readable, 4096)
        self.ready = self._ended.is_set()
        lines, self._lines = self._lines, []
        return lines

    def of(self, step: PlannedStep) -> Provided:
        """The environment of a step, once all are ready; the host's for one that names none."""
        environment = step.component.environment
        return _HOST if environment is None else self._provided[_key(environment)]

    def cancel(self) -> None:
        """Make no further environment, and end the one that is being made."""
        self._canceled.set()

    def close(self) -> None:
        """End the thread, if it is still at work, and close the pipe."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        if self._thread is None or not self._thread.is_alive():
            os.close(self._readable)
            os.close(self._done)

    def _work(self) -> None:
        assert self._provider is not None  # noqa: S101  it began with one
        try:
            for key, wanted in self._wanted.items():
                self._provided[key] = self._provider.provide(wanted, self._say, self._canceled.is_set)
        except Canceled:
            pass
        except CreditMLError as error:
            self.failure = str(error)
        except Exception as error:  # noqa: BLE001  whatever it is, it ends the job with a message
            self.failure = f"The environment can't be made: {type(error).__name__}: {error}"
        finally:
            self._ended.set()
            os.write(self._done, b".")

    def _say(self, line: str) -> None:
        line = redacted(line)
        self._lines.append(line)
        with suppress(OSError):  # a full disk is reported elsewhere
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as log:
                log.write(line + "\n")
        os.write(self._done, b".")


def _key(environment: Environment | str) -> str:
    return environment if isinstance(environment, str) else repr(environment)
