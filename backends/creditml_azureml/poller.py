"""Asks Azure ML, in a thread of its own, how a job stands, so that a slow answer doesn't block the caller."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Union

from creditml.errors import AuthenticationFailed, BackendError, BackendUnavailable, CreditMLError
from creditml.logs import is_streamed
from creditml.nodes.table import node_type
from creditml.statuses import TERMINAL
from creditml_azureml.steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.plan import Plan
    from creditml_azureml.cloud import Cloud
    from creditml_azureml.runs import CloudRun

MOST_PAUSE = 10.0
_LEAST_PAUSE = 2.0
_PATIENCE = 600.0  # seconds without an answer after which the poller gives up


class Seen(NamedTuple):
    """How a job stood at one time: its own run, the runs of its steps by path, and the texts of logs by path."""

    root: CloudRun
    steps: list[tuple[str, CloudRun]]
    logs: dict[str, str]


News = Union[Seen, str, CreditMLError]


class Poller:
    """Has a descriptor to select on, and `news`: how the job stands, messages, and the error if it has given up."""

    def __init__(self, cloud: Cloud, job: str, plan: Plan) -> None:
        self._cloud, self._job, self._plan = cloud, job, plan
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._stopped, self._hurry = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._canceling: threading.Thread | None = None
        self._canceled = False
        self._unread = False
        self._followed: set[str] = set()  # runs whose logs were followed to their end
        self._silent = 0.0

    def fileno(self) -> int:
        """A descriptor that is readable when there is news."""
        return self._read

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking, without waiting for a request that is in progress."""
        self._stopped.set()
        self._hurry.set()

    def cancel(self) -> None:
        """Ask Azure ML to end the job, at once and whatever other request is in progress."""
        self._canceling = threading.Thread(target=self._cancel, daemon=True)
        self._canceling.start()

    def canceled(self, patience: float) -> bool:
        """Whether Azure ML was asked to end the job; waits at most so many seconds for that request."""
        if self._canceling is not None:
            self._canceling.join(patience)
        return self._canceled

    def _cancel(self) -> None:
        try:
            self._cloud.jobs.cancel(self._job)
            self._canceled = True
        except CreditMLError as error:  # the job may have ended just now, which the next poll shows
            self._tell(str(error))
        self._hurry.set()

    def news(self) -> list[News]:
        """All news since the last call."""
        os.read(self._read, 4096)
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._news.get_nowait())
        return found

    def _tell(self, news: News) -> None:
        self._news.put(news)
        with suppress(OSError):  # the pipe is full, or nobody reads it any more
            os.write(self._write, b"!")

    def _work(self) -> None:
        pause = poll_pause()
        try:
            while not self._stopped.is_set() and self._ask():
                self._hurry.wait(pause)
                self._hurry.clear()
                pause = min(pause * 1.1, MOST_PAUSE)
        finally:
            os.close(self._write)

    def _ask(self) -> bool:
        """Ask once; False if that was the last time."""
        try:
            seen = self._look()
        except (BackendUnavailable, AuthenticationFailed) as error:
            if not self._silent:
                self._silent = time.monotonic()
                self._tell(f"No answer from Azure ML; the job goes on there, and it is asked again. {error}")
            if time.monotonic() - self._silent < _PATIENCE:
                return True
            self._tell(_given_up(self._job, error))
            return False
        except CreditMLError as error:
            self._tell(_given_up(self._job, error))
            return False
        except Exception as error:  # noqa: BLE001  the caller waits for it in another thread
            self._tell(_given_up(self._job, BackendError(f"{type(error).__name__} while asking for the job: {error}.")))
            return False
        if self._silent:
            self._silent = 0.0
            self._tell("Azure ML answers again.")
        self._tell(seen)
        return seen.root.status not in TERMINAL

    def _look(self) -> Seen:
        root = self._cloud.jobs.get_run(self._job)  # asked before its steps, so that they have ended if the job has
        graph = node_type(self._plan.job.type).graph
        steps = list(steps_of(self._cloud, self._job, self._plan)) if graph else []
        logs = {}
        for path, run in [("", root), *steps]:
            if run.started_at is None or run.name in self._followed:
                continue
            found = self._cloud.jobs.get_run(run.name) if path else root
            log = followed_log(found.logs)
            if log and (text := self._read_log(found.logs[log])) is not None:
                logs[path] = text
            if found.status in TERMINAL:
                self._followed.add(run.name)
        return Seen(root, steps, logs)

    def _read_log(self, url: str) -> str | None:
        """The text of a log; None if it can't be read, which is told once: the job is watched all the same."""
        try:
            return self._cloud.jobs.log_text(url)
        except CreditMLError as error:
            if not self._unread:
                self._unread = True
                self._tell(f"Logs can't be read now; the steps are watched all the same. {error}")
            return None


def followed_log(logs: Mapping[str, str]) -> str | None:
    """The name of the log to follow, of all logs that a job or step has; None if it isn't there yet."""
    return next((name for name in sorted(logs) if is_streamed(name)), None)


def poll_pause() -> float:
    """Seconds between the first two polls (SDK: AZUREML_RUN_POLLING_INTERVAL_MIN)."""
    try:
        return float(os.environ.get("AZUREML_RUN_POLLING_INTERVAL_MIN", _LEAST_PAUSE))
    except ValueError:
        return _LEAST_PAUSE


def _given_up(job: str, error: CreditMLError) -> CreditMLError:
    again = f"creditml job stream -n {job} --backend azureml"
    return type(error)(f"{error}\nThe job '{job}' goes on in Azure ML; to watch it again: {again}")
