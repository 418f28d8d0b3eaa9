"""A node type that only the table knows is read, checked, planned, run, recorded, sent and told like all others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from inside import run, steps

from creditml.cli import main
from creditml.errors import SpecError
from creditml.nodes.specs import job_dict, read_job, read_job_dict, write_job
from creditml.nodes.table import node_types
from creditml.references import LOCAL
from creditml.submission.submit import prepare
from creditml.wire.reading import job_of
from creditml.wire.writing import job_properties
from creditml.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "domain"))

from echo_type import Echo, EchoType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from project import Json

    from creditml.model import Job

PIPELINE = {
    "type": "pipeline",
    "settings": {"default_compute": "serverless"},
    "jobs": {
        "say": {"type": "echo", "message": "good morning"},
        "hear": {
            "command": "cat ${{inputs.said}}/said.txt",
            "environment": {"image": "python:3.11"},
            "inputs": {"said": {"type": "uri_folder", "path": "${{parent.jobs.say.outputs.said}}"}},
        },
    },
}


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table has the type `echo`."""
    monkeypatch.setitem(node_types(), "echo", EchoType())  # type: ignore[misc]  # the table is a dict
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


def read(spec: Json) -> Job:
    file = Path("job.yml")
    file.write_text(json.dumps(spec), encoding="utf-8")
    reading = read_job(file)
    assert not [problem for problem in reading.problems if not problem.warning]
    assert reading.job is not None
    return reading.job


def test_its_nodes_run_in_a_pipeline(workspace: Workspace) -> None:
    record = run(read(PIPELINE), workspace)

    assert record.status == "Completed"
    assert {path: step.type for path, step in steps(workspace, record).items()} == {"say": "echo", "hear": "command"}
    log = workspace.jobs.folder(steps(workspace, record)["hear"]) / "artifacts/user_logs/std_log.txt"
    assert log.read_text(encoding="utf-8") == "good morning\n"


def test_its_jobs_run(workspace: Workspace) -> None:
    record = run(read({"type": "echo", "message": "good night", "compute": "serverless"}), workspace)

    assert (record.type, record.status) == ("echo", "Completed")
    assert Path(record.results["outputs"]["said"], "said.txt").read_text(encoding="utf-8") == "good night\n"


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    job = read(PIPELINE)

    again = read_job_dict(job_dict(job))
    from_files = read_job(write_job(job, tmp_path / "written")).job

    assert again == job._replace(source=None)
    assert from_files is not None
    assert from_files._replace(source=None) == again
    assert next(iter(job.root.component.jobs.values())).component == Echo("good morning")  # type: ignore[union-attr]


def test_its_own_check_is_asked(workspace: Workspace) -> None:
    spec = {**PIPELINE, "jobs": {"say": {"type": "echo", "message": "a\tb"}}}

    with pytest.raises(SpecError) as caught:
        prepare(read(spec), workspace)

    (problem,) = [found for found in caught.value.problems if not found.warning]
    assert problem.path == "jobs.say.message"
    assert "can be printed" in problem.message


def test_it_is_sent_and_received() -> None:
    spec = {"type": "echo", "name": "a", "message": "hello"}

    ids = cast("Any", SimpleNamespace(scope=LOCAL))  # nothing in it has another id

    sent = job_properties(spec, ids)

    assert (sent["jobType"], sent["message"]) == ("Echo", "hello")
    assert job_of("a", sent, ids) == spec


def test_parity_tells_of_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    read(PIPELINE)

    assert main(["parity", "job.yml", "-o", "json"]) == 0

    told = {row["path"]: row for row in json.loads(capsys.readouterr().out)}
    assert told["jobs.say.message"]["fate"] == "emulated"
