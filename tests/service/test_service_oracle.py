"""The job that the service gets is the one that the reader makes, and what it answers with is that job again.

For every valid file of the corpus and of the examples the genuine SDK loads and submits what our reader reads; and for
files of this folder (jobs/), which show what else there is to say.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from as_sent import as_sent, moot
from differences import differences

from creditml.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sides import Sides

    from creditml.model import Job

TOP = Path(__file__).parents[2]
CORPUS = TOP / "tests" / "corpus" / "valid"
FILES = sorted([*CORPUS.glob("*/pipeline.yml"), *CORPUS.glob("*/job.yml"), *(TOP / "examples").glob("*/pipeline.yml")])
OWN = ("bound_settings", "command_job", "environments", "in_place", "of_component", "paths")
LOST = {
    "component_only": [  # the SDK reads no description of a pipeline job
        ".root.description: 'Shown on the job, which has none of its own.' is not None"
    ],
    "run_settings": [  # the SDK reads the client's id as the object's too
        ".root.component.jobs.show.identity.object_id: 'nothing' is not '00000000-0000-0000-0000-000000000000'"
    ],
}
"""What the SDK itself loses or makes up when it reads a job that it was answered."""
pytestmark = [pytest.mark.takes(20), pytest.mark.filterwarnings("ignore")]


class Case:
    """A copy of a job's folder that is in no git repository, since the SDK tells of that."""

    def __init__(self, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        expectation = file.parent / "expected.json"
        expected = json.loads(expectation.read_text(encoding="utf-8")) if expectation.exists() else {}
        if CORPUS in file.parents:
            self.file = Path(shutil.copytree(file.parent, folder / file.parent.name)) / file.name
        else:  # examples use the components beside them
            for name in ("examples", "components"):
                shutil.copytree(TOP / name, folder / name)
            self.file = folder / file.relative_to(TOP)
        for path, text in expected.get("make", {}).items():
            (self.file.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (self.file.parent / path).write_text(text, encoding="utf-8")
        self.set: dict[str, str] = expected.get("set", {})
        self._register = expected.get("register", ())
        monkeypatch.chdir(self.file.parent)

    def register(self, sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
        """Register the assets that the case needs."""
        for workspace in (sides.ours, sides.theirs):
            monkeypatch.setenv("CREDITML_HOME", str(workspace.root))
            for asset in self._register:
                assert main([asset["kind"], "create", "-f", asset["file"]]) == 0


def both(file: Path, sides: Sides, overrides: Mapping[str, str]) -> tuple[Job, Job]:
    """A file's job, as the service should get it and as it does."""
    from azure.ai.ml import load_job

    ours = sides.read(file, tuple(f"{key}={value}" for key, value in overrides.items()))
    theirs = sides.sent(load_job(file, params_override=[{key: value} for key, value in overrides.items()]))
    assert theirs.name
    return as_sent(ours, sides.theirs, theirs.name), theirs


def answered_again(job: Job, sides: Sides) -> list[str]:
    """What differs when a job is got from the service and submitted again."""
    got = sides.client.jobs.get(job.name)
    got.name = None
    return list(differences(job._replace(name=None), sides.sent(got)._replace(name=None), ordered=False))


@pytest.fixture(params=FILES, ids=[file.parent.name for file in FILES])
def case(request: pytest.FixtureRequest, sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = Case(request.param, tmp_path, monkeypatch)
    case.register(sides, monkeypatch)
    return case


def test_the_service_gets_and_answers_with_the_job_that_the_reader_makes(case: Case, sides: Sides) -> None:
    ours, theirs = both(case.file, sides, case.set)

    assert list(differences(ours, moot(theirs), ordered=False)) == []
    assert answered_again(theirs, sides) == LOST.get(case.file.parent.name, [])


@pytest.mark.parametrize("name", OWN)
def test_so_it_does_for_our_own_jobs(name: str, jobs: Path, sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(jobs)

    ours, theirs = both(jobs / f"{name}.yml", sides, {})

    assert list(differences(ours, moot(theirs), ordered=False)) == []
    assert answered_again(theirs, sides) == LOST.get(name, [])
