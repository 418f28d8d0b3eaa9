"""The azureml backend keeps the executor's contract, against the service over TLS as a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ResourceExistsError

from creditml.testing.executors import ExecutorContract, node, pipeline
from creditml.workspace import Workspace
from creditml.workspace.jobs import Jobs
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.workspace.records import JobRecord


class TestAzureMLExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, signed_in: Path) -> AzureMLExecutor:
        return AzureMLExecutor(Workspace(signed_in / "home"))


def test_what_was_interrupted_before_it_was_recorded_is_taken_up_by_the_next_call(
    signed_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = AzureMLExecutor(Workspace(signed_in / "home"))
    job = pipeline(node("a", "true"))
    sent: list[str] = []

    def interrupted(_jobs: Jobs, record: JobRecord) -> None:
        sent.append(record.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Jobs, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            executor.submit(job)

    assert executor.submit(job) == sent[0]
    assert executor.submit(job) != sent[0]  # a new one: nothing was cut off
    assert not list((signed_in / "home" / "azureml").iterdir())


def test_a_job_that_conflicts_with_itself_has_arrived(signed_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was lost, and the SDK has sent it again by itself."""
    executor = AzureMLExecutor(Workspace(signed_in / "home"))
    jobs = executor.cloud.client.jobs
    submit = jobs.create_or_update

    def twice(job: object) -> None:
        submit(job)
        raise ResourceExistsError("There is a job of that name.")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "create_or_update", twice)
        name = executor.submit(pipeline(node("a", "true")))

    assert executor.poll(name).name == name
    assert executor.workspace.jobs.get(name).backend == "azureml"
    assert not list((signed_in / "home" / "azureml").iterdir())
