"""Ctrl-C and silence: what is claimed of a job in Azure when it isn't known how it stands there. Nothing is sent."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from fake_sdk import Jobs, fake_cloud, raising

from creditml.errors import (
    AuthenticationFailed,
    BackendError,
    BackendUnavailable,
    CreditMLError,
    Problem,
    SpecError,
)
from creditml.plan import plan
from creditml.submission.options import Options
from creditml.submission.submit import prepare
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml.workspace.records import JobRecord
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud_jobs import CloudJobs
from creditml_azureml.poller import Poller, Seen
from creditml_azureml.runs import CloudRun
from creditml_azureml.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml.model import Job
    from creditml_azureml.cloud import Cloud

JOB = pipeline(node("a", "true"))
NO_NETWORK = BackendUnavailable("no network")


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def cloud(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return fake_cloud(jobs, monkeypatch)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home").create()
    yield made
    made.close()


# -- 600 s of silence


class Clock:
    """Time that goes on by so many seconds with each question."""

    def __init__(self, step: float, answers: list[CreditMLError | str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.step, self.answers, self.asked = 1000.0, step, answers, 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(CloudJobs, "get_run", lambda _, name: self.ask(name))

    def ask(self, name: str) -> CloudRun:
        self.now += self.step
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, CreditMLError):
            raise answer
        return CloudRun(name, answer)


def all_news(poller: Poller) -> list[Any]:
    """What is told until nothing more is asked."""
    found: list[Any] = []
    poller.start()
    while not (found and (isinstance(found[-1], CreditMLError) or found[-1:] == ["ended"])):
        found += poller.news()
        if found and isinstance(found[-1], Seen) and found[-1].root.status == "Completed":
            found.append("ended")
    poller.stop()
    return found


@pytest.mark.parametrize("error", [NO_NETWORK, AuthenticationFailed("expired")], ids=["connection", "sign-in"])
def test_after_600_seconds_of_silence_nobody_waits_any_more(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, error: CreditMLError
) -> None:
    clock = Clock(100.0, [error], monkeypatch)

    first, last = all_news(Poller(cloud, "job", plan(JOB)))

    assert clock.asked == 7  # the first at 0 s of silence, the last at 600 s
    assert first.startswith("No answer from Azure ML; the job goes on there")
    assert isinstance(last, type(error))
    assert "goes on in Azure ML" in str(last)
    assert "creditml job stream -n job" in str(last)


def test_an_answer_ends_the_silence(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice 599 seconds without an answer are no 600."""
    command = pipeline(node("a", "true"))._replace(root=node("", "true"))
    Clock(299.5, [NO_NETWORK] * 3 + ["Running"] + [NO_NETWORK] * 3 + ["Completed"], monkeypatch)

    news = all_news(Poller(cloud, "job", plan(command)))

    words = [each if isinstance(each, str) else each.root.status for each in news]
    silence = next(word for word in words if word.startswith("No answer"))
    again = "Azure ML answers again."
    assert words == [silence, again, "Running", silence, again, "Completed", "ended"]


def test_any_other_error_is_not_waited_out(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1.0, [BackendError("refused")], monkeypatch)

    (only,) = all_news(Poller(cloud, "job", plan(JOB)))

    assert clock.asked == 1
    assert isinstance(only, BackendError)


# -- Ctrl-C while a job is watched


def watched(cloud: Cloud, workspace: Workspace) -> Watch:
    record = JobRecord("job", "pipeline", "job", "e", "Running", 1000, backend="azureml")
    workspace.jobs.add(record)
    return Watch(cloud, workspace, record, plan(JOB), [])


def interrupt(watch: Watch, until: Callable[[], bool]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    while not until():
        watch.advance(1.0)


@pytest.mark.parametrize(
    ("cancel", "words"),
    [
        (lambda: None, "Azure ML has not ended the job yet: `creditml job show -n job"),
        (raising(NO_NETWORK), "Azure ML was NOT reached to end the job: `creditml job cancel -n job"),
        (raising(AuthenticationFailed("x")), "Azure ML was NOT reached to end the job: `creditml job cancel -n job"),
    ],
    ids=["reached", "no connection", "no sign-in"],
)
def test_a_second_ctrl_c_claims_no_more_than_is_known(
    cloud: Cloud, jobs: Jobs, workspace: Workspace, cancel: Callable[[], None], words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    jobs.cancel = cancel
    monkeypatch.setattr(CloudJobs, "get_run", raising(NO_NETWORK))
    with watched(cloud, workspace) as watch:
        interrupt(watch, lambda: watch.interrupted)
        assert watch.status == "CancelRequested"
        assert watch.warnings == []
        interrupt(watch, lambda: not watch.advance(0.0))

    assert jobs.canceled == ["job"]
    (warning,) = watch.warnings
    assert warning == f"{words} --backend azureml`."


# -- Ctrl-C and the like while a job is sent


@pytest.fixture
def executor(workspace: Workspace, cloud: Cloud) -> AzureMLExecutor:
    made = AzureMLExecutor(workspace, Options())
    vars(made)["cloud"] = cloud
    return made


def send(executor: AzureMLExecutor, job: Job = JOB) -> str:
    """Submit a job that nobody has asked Azure about."""
    prepared: Any = prepare(job, executor.workspace)
    return executor.detach(prepared).name


def notes(workspace: Workspace) -> list[str]:
    return [file.stem.rpartition("-")[2] for file in workspace.root.glob("azureml/*.json")]


@pytest.mark.parametrize(
    "where", [(CloudJobs, "get_run"), ("azure.ai.ml.load_job",)], ids=["while asking", "while reading"]
)
def test_ctrl_c_before_a_job_is_sent_claims_nothing_of_azure(
    executor: AzureMLExecutor, jobs: Jobs, workspace: Workspace, where: tuple[Any, ...]
) -> None:
    named = JOB._replace(name="mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*where, raising(KeyboardInterrupt()))

        with pytest.raises(KeyboardInterrupt) as raised:
            send(executor, named)

    assert (type(raised.value), str(raised.value)) == (KeyboardInterrupt, "")
    assert jobs.sent == []
    assert notes(workspace) == ["mine"]
    assert send(executor, named) == "mine"
    assert jobs.sent == ["mine"]
    assert notes(workspace) == []


@pytest.mark.parametrize("arrived", [False, True])
def test_ctrl_c_while_a_job_is_sent_says_that_it_may_have_arrived(
    executor: AzureMLExecutor, jobs: Jobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch,
    arrived: bool,  # noqa: FBT001  a parameter of the test
) -> None:  # fmt: skip
    jobs.send = raising(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt, match=r"isn't known whether the job .* has reached Azure ML") as raised:
        send(executor)

    (name,) = jobs.sent
    assert name in str(raised.value)
    assert notes(workspace) == [name]
    jobs.send = lambda: None
    if arrived:
        monkeypatch.setattr(CloudJobs, "get_run", lambda _, job: CloudRun(job, "Running"))
    assert send(executor) == name
    assert jobs.sent == [name] * (1 if arrived else 2)
    assert notes(workspace) == []


def test_a_job_whose_sending_and_asking_fail_is_taken_up(
    executor: AzureMLExecutor, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.send = raising(NO_NETWORK)
    monkeypatch.setattr(CloudJobs, "get_run", raising(NO_NETWORK))

    with pytest.raises(BackendUnavailable, match=r"isn't known whether the job .* reached Azure ML"):
        send(executor)

    (name,) = jobs.sent
    jobs.send = lambda: None
    monkeypatch.setattr(CloudJobs, "get_run", lambda _, job: CloudRun(job, "Running"))
    assert send(executor) == name
    assert jobs.sent == [name]


def test_a_job_that_did_not_arrive_is_sent_again_under_its_name(
    executor: AzureMLExecutor, jobs: Jobs, workspace: Workspace
) -> None:
    jobs.send = raising(NO_NETWORK)
    with pytest.raises(BackendUnavailable, match="no network"):
        send(executor)
    (name,) = jobs.sent

    jobs.send = lambda: None
    assert send(executor) == name

    assert jobs.sent == [name, name]
    assert notes(workspace) == []


def test_what_azure_refuses_is_forgotten(executor: AzureMLExecutor, jobs: Jobs, workspace: Workspace) -> None:
    jobs.send = raising(SpecError([Problem("no such compute")]))
    with pytest.raises(SpecError):
        send(executor)

    assert notes(workspace) == []
