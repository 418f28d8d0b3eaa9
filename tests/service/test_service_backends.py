"""One file, three backends: the graph that each executor gets is the same, node by node."""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from as_sent import as_sent, moot
from capturing import ENTRY_POINT
from differences import differences
from project import Project
from sides import Sides, recorded
from test_service_oracle import FILES, Case

from creditml.entry_points import load
from creditml.nodes.specs import read_job
from creditml.service.certificates import certificates
from creditml.service.variables import UNSET
from creditml.submission.submit import submit
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.engine.local_jobs import LocalJobs
    from creditml.model import Job
    from creditml.seams.executor import Jobs

pytestmark = [pytest.mark.takes(20), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The service as a process of its own, which records jobs and runs none."""
    folder = tmp_path_factory.mktemp("azure")
    (folder / "capturing-1.dist-info").mkdir()
    (folder / "capturing-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINT, encoding="utf-8")
    path = os.pathsep.join([str(folder), str(Path(__file__).parent)])
    cloud = Project(folder / "cloud", HOME=str(folder), PYTHONPATH=path, CREDITML_BACKEND="capturing")
    cloud.creditml("up")
    yield cloud
    cloud.creditml("down")


@pytest.fixture(scope="module")
def two(azure: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """The workspace here, and that of the service; this process is led to it."""
    logging.disable(logging.WARNING)
    azure.variables["REQUESTS_CA_BUNDLE"] = str(certificates(azure.workspace).authority)  # to load others takes time
    lines = azure.creditml("exec", "--print-env").out.splitlines()
    exports = (shlex.split(line)[1].partition("=") for line in lines if line.startswith("export "))
    names = {"AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555", "AZURE_RESOURCE_GROUP": "team"}
    with pytest.MonkeyPatch.context() as patch:
        for name in UNSET:
            patch.setenv(name, "")  # or what the SDK makes of it (AZUREML_CURRENT_CLOUD) would stay afterwards
            patch.delenv(name)
        for name, value in [(name, value) for name, _, value in exports if name != "CREDITML_HOME"]:
            patch.setenv(name, value)
        for name, value in (names | {"AZURE_ML_WORKSPACE": "credit"}).items():
            patch.setenv(name, value)
        sides = Sides(Workspace(tmp_path_factory.mktemp("ours")).create(), Workspace(azure.workspace), None)
        yield sides
        sides.ours.close()
        sides.theirs.close()
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def executor(two: Sides) -> Jobs:
    """The azureml backend."""
    made: Jobs = load("azureml")(two.ours)
    return made


def got_here(backend: str, job: Job, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Job:
    """The job that an executor of this machine would run: what is recorded of it."""
    kind: type[LocalJobs] = load(backend)
    monkeypatch.setattr(kind, "plan_problems", lambda *_: [])  # what of environments can't be had here is no graph
    record, hold, _ = submit(kind(workspace).prepare(job._replace(name=None)), workspace, backend)
    hold.release()
    return recorded(record.spec)


@pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
def test_each_backend_gets_the_same_graph(
    file: Path, two: Sides, executor: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(file, tmp_path, monkeypatch)
    case.register(two, monkeypatch)
    monkeypatch.setenv("CREDITML_HOME", str(two.ours.root))
    job = read_job(case.file, [f"{key}={value}" for key, value in case.set.items()]).job
    assert job

    local = got_here("local", job, two.ours, monkeypatch)
    docker = got_here("docker", job, two.ours, monkeypatch)
    name = executor.submit(job)
    azureml = recorded(two.theirs.jobs.get(name).spec)

    assert list(differences(local._replace(name=None), docker._replace(name=None))) == []
    expected = as_sent(local._replace(name=job.name), two.theirs, name)
    assert list(differences(expected, moot(azureml), ordered=False)) == []
