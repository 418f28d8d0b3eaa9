"""What the local workspace records of a job in Azure, told by a run history that a test makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_sdk import Jobs, fake_cloud

from creditml.errors import Conflict
from creditml.model import Node, Pipeline
from creditml.plan import plan
from creditml.submission.options import Options
from creditml.submission.submit import prepare
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml.workspace.records import TARGET, JobRecord
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud_jobs import CloudJobs
from creditml_azureml.runs import CloudRun
from creditml_azureml.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from creditml.model import Job
    from creditml_azureml.cloud import Cloud


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


History = list[tuple[CloudRun, "Mapping[str, list[CloudRun]]"]]


def watched(
    cloud: Cloud, workspace: Workspace, job: Job, history: History, monkeypatch: pytest.MonkeyPatch
) -> JobRecord:
    """Watch a job of which the run history says one thing after the other: the job, and the children of each run."""
    looks = iter(history)
    now: list[Any] = []

    def get_run(_: CloudJobs, name: str) -> CloudRun:
        if name == "job":
            now[:] = next(looks, history[-1])
            return CloudRun(*now[0])
        return next(run for children in now[1].values() for run in children if run.name == name)

    monkeypatch.setattr(CloudJobs, "get_run", get_run)
    monkeypatch.setattr(CloudJobs, "children", lambda _, name: now[1].get(name, []))
    record = JobRecord("job", "pipeline", "job", "e", "NotStarted", 1000, backend="azureml")
    workspace.jobs.add(record)
    with Watch(cloud, workspace, record, plan(job), []) as watch:
        while watch.advance(60.0):
            pass
    return workspace.jobs.get("job")


def test_every_status_is_recorded_once_however_often_it_is_seen(
    cloud: Cloud, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(job: str, step: str, began: int | None = None, ended: int | None = None) -> Any:
        return CloudRun("job", job, started_at=2000), {"job": [CloudRun("run", step, "a", began, ended)]}

    history = [
        look("Preparing", "Queued"),
        look("Running", "Queued"),
        look("Running", "Running", 3000),
        look("Running", "Running", 3000),
        look("Running", "Running", 3001),  # corrected
        look("Finalizing", "Completed", 3001, 4000),
        look("Completed", "Completed", 3001, 4000),
    ]
    record = watched(cloud, workspace, pipeline(node("a", "true")), history, monkeypatch)

    assert record.status == "Completed"
    statuses = {name: [status for status, _ in workspace.jobs.history(name)] for name in ("job", "run")}
    assert statuses == {
        "job": ["NotStarted", "Preparing", "Running", "Finalizing", "Completed"],
        "run": ["Queued", "Running", "Completed"],
    }
    step = workspace.jobs.get("run")
    assert (step.path, step.started_at, step.ended_at) == ("a", 3001, 4000)


def test_runs_are_found_by_what_their_nodes_are_called(
    cloud: Cloud, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the display name if the node has one, else by its key; of two with one name the first began first."""
    inner = Pipeline({"same": node("same", "true"), "other": node("other", "true")._replace(display_name="Other")})
    job = pipeline(
        node("a", "true")._replace(display_name="Shown"),
        node("b", "true")._replace(display_name="Twice"),
        node("c", "true")._replace(display_name="Twice"),
        node("same", "true"),
        Node("group", inner, "pipeline", display_name="The group"),
    )
    names = ["Shown", "Twice", "same", "The group", "Twice", "unknown"]
    children = {
        "job": [CloudRun(f"run{number}", "Completed", name, number, 99) for number, name in enumerate(names)],
        "run3": [CloudRun("in0", "Completed", "Other", 1, 99), CloudRun("in1", "Failed", "same", 2, 99, "why")],
    }
    watched(cloud, workspace, job, [(CloudRun("job", "Failed", started_at=1), children)], monkeypatch)

    steps = {step.path: (step.name, step.parent, step.type) for step in workspace.jobs.steps("job")}
    assert steps == {
        "a": ("run0", "job", "command"),
        "b": ("run1", "job", "command"),
        "same": ("run2", "job", "command"),
        "group": ("run3", "job", "pipeline"),
        "c": ("run4", "job", "command"),
        "unknown": ("run5", "job", "command"),
        "group.other": ("in0", "run3", "command"),
        "group.same": ("in1", "run3", "command"),
    }
    assert (workspace.jobs.get("in1").error or {})["message"] == "why"


# -- names that are taken here


@pytest.mark.parametrize(
    ("backend", "target", "word"),
    [
        ("azureml", "{}", ""),
        ("azureml", "upper", ""),
        ("azureml", "/subscriptions/another", "in another workspace in Azure"),
        ("local", "", "here"),
    ],
)
def test_a_job_is_not_recorded_over_another(
    cloud: Cloud, jobs: Jobs, workspace: Workspace, backend: str, target: str, word: str
) -> None:
    own = cloud.target.id
    properties = {TARGET: {"{}": own, "upper": own.upper()}.get(target, target)} if target else {}
    workspace.jobs.add(
        JobRecord("mine", "command", "mine", "e", "Completed", 1, backend=backend, properties=properties)
    )
    executor = AzureMLExecutor(workspace, Options())
    vars(executor)["cloud"] = cloud
    prepared: Any = prepare(pipeline(node("a", "true"))._replace(name="mine"), workspace)

    if word:
        with pytest.raises(Conflict, match=f"A job named 'mine' ran {word} already"):
            executor.detach(prepared)
        assert jobs.sent == []
    else:
        assert executor.detach(prepared).name == "mine"
        assert jobs.sent == ["mine"]
