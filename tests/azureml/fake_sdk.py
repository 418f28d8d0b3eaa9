"""A workspace in Azure that is nowhere: what the SDK's client does with jobs is what a test says."""

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
    """The SDK's operations on jobs, as far as tests need them: `send` and `cancel` are what happens then."""

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
    """A workspace whose run history knows no job, asked without a pause."""
    client: Any = SimpleNamespace(jobs=jobs)
    monkeypatch.setattr(CloudJobs, "get_run", raising(NotFound("no such job")))
    monkeypatch.setenv("AZUREML_RUN_POLLING_INTERVAL_MIN", "0")
    return Cloud(Target("sub", "group", "ws"), client)
