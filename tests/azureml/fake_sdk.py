"""A fake of the SDK's client: a test decides what it does with jobs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from creditml.errors import NotFound
from creditml_azureml.cloud import Cloud
from creditml_azureml.cloud_jobs import CloudJobs
from creditml_azureml.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from creditml.model import Job


class Jobs:
    """A fake of the SDK's operations on jobs; the test gives the functions `send` and `cancel`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.canceled: list[str] = []
        self.send: Callable[[], None] = lambda: None
        self.cancel: Callable[[], None] = lambda: None

    def create_or_update(self, job: Job) -> SimpleNamespace:
        self.sent.append(str(job.name))
        self.send()
        return self.get(self.sent[-1])

    def begin_cancel(self, name: str) -> None:
        self.canceled.append(name)
        self.cancel()

    def get(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, studio_url=f"https://studio/{name}")


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def call(*_: object, **__: object) -> NoReturn:
        raise error

    return call


def fake_cloud(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A workspace in Azure whose run history has no jobs, polled without a pause."""
    client: Any = SimpleNamespace(jobs=jobs)
    monkeypatch.setattr(CloudJobs, "get_run", raising(NotFound("no such job")))
    monkeypatch.setenv("AZUREML_RUN_POLLING_INTERVAL_MIN", "0")
    return Cloud(Target("sub", "group", "ws"), client)
