"""A job of Azure ML is watched whatever else is in the way: unreadable logs, answers that hang."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from creditml.errors import AuthenticationFailed, BackendError
from creditml.testing.executors import ended, node, pipeline
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud_jobs import CloudJobs
from creditml_azureml.poller import Poller

if TYPE_CHECKING:
    from pathlib import Path

    from creditml_azureml.runs import CloudRun
    from creditml_azureml.watch import Watch


@pytest.fixture
def executor(signed_in: Path) -> AzureMLExecutor:
    return AzureMLExecutor(Workspace(signed_in / "home"))


def watched(watch: Watch) -> list[str]:
    """Watch a job to its end; returns what was said."""
    said: list[str] = []
    while watch.advance(1.0):
        said += watch.messages()
    return said + watch.messages()


def test_a_job_whose_logs_nobody_may_read_is_watched_to_its_end(
    executor: AzureMLExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_jobs: CloudJobs, _url: str) -> str:
        raise AuthenticationFailed("403")

    monkeypatch.setattr(CloudJobs, "log_text", refused)
    with executor.run(executor.prepare(pipeline(node("a", "echo hi"), node("b", "true", needs="a")))) as watch:
        said = watched(watch)

    assert watch.status == "Completed"
    assert {path: state.status for path, state in watch.states.items()} == {"a": "Completed", "b": "Completed"}
    assert len([line for line in said if "Logs can't be read" in line]) == 1


def test_a_defect_while_asking_ends_the_watch_with_a_word(
    executor: AzureMLExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_jobs: CloudJobs, _name: str) -> list[CloudRun]:
        message = "what?"
        raise RuntimeError(message)

    prepared = executor.prepare(pipeline(node("a", "true")))
    with executor.run(prepared) as watch:
        monkeypatch.setattr(CloudJobs, "children", broken)
        with pytest.raises(BackendError, match="goes on in Azure ML"):
            watched(watch)


def test_a_cancel_is_asked_though_other_answers_hang(
    executor: AzureMLExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = executor.prepare(pipeline(node("slow", "sleep 300")))
    name = executor.detach(prepared).name
    hangs, go_on, ask = threading.Event(), threading.Event(), CloudJobs.get_run

    def hanging(jobs: CloudJobs, job: str) -> CloudRun:
        if threading.current_thread() is not threading.main_thread():
            hangs.set()
            go_on.wait(60)
        return ask(jobs, job)

    monkeypatch.setattr(CloudJobs, "get_run", hanging)
    poller = Poller(executor.cloud, name, prepared.plan)
    poller.start()
    assert hangs.wait(60)

    poller.cancel()

    assert poller.canceled(60)
    assert ended(executor, name).status == "Canceled"
    go_on.set()
    poller.stop()


def test_what_azure_quotes_of_an_address_bears_no_signature(executor: AzureMLExecutor) -> None:
    """The tail of a step's log is its error: so is what the data runtime says of a blob."""
    address = "https://x.blob.core.windows.net/c/b?sv=2024&sig=Marked0123456789&se=2030"
    encoded = "b%3Fsv%3D2024%26sig%3DMarked0123456789%26se%3D2030"
    job = pipeline(node("bad", f"echo 'no access to {address} {encoded}' >&2; exit 3"))

    with executor.run(executor.prepare(job)) as watch:
        watched(watch)

    errors = [str(record.error) for record in executor.workspace.jobs.steps(watch.record.name)]
    shown = [*errors, *(state.error for state in watch.states.values()), str(watch.reason)]
    assert "no access to" in errors[0]
    assert not [text for text in shown if "Marked" in text]
