"""The job that the service gets is the one that the reader makes, and what it answers with is that job again.

For every valid file of the corpus and of the examples the genuine SDK loads and submits what our reader reads.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from as_sent import as_sent, moot
from capturing import ENTRY_POINT, JOBS, Capturing
from differences import differences

import creditml
from creditml.cli import main
from creditml.engine.submit import prepare
from creditml.spec.reader import read_job, read_job_dict
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Job

TOP = Path(__file__).parents[2]
CORPUS = TOP / "tests" / "corpus" / "valid"
FILES = sorted([*CORPUS.glob("*/pipeline.yml"), *CORPUS.glob("*/job.yml"), *(TOP / "examples").glob("*/pipeline.yml")])
LOST = {
    "component_only": [  # the SDK reads no description of a pipeline job
        ".root.description: 'Shown on the job, which has none of its own.' is not None"
    ],
    "run_settings": [  # the SDK reads the client's id as the object's too
        ".root.component.jobs.show.identity.object_id: 'nothing' is not '00000000-0000-0000-0000-000000000000'"
    ],
}
"""What the SDK itself loses or makes up when it reads a job that it was answered."""
pytestmark = pytest.mark.filterwarnings("ignore")


class Sides(NamedTuple):
    """Two workspaces: ours, and the one that the genuine SDK's client is bound to."""

    ours: Workspace
    theirs: Workspace
    client: Any

    def read(self, file: Path, overrides: tuple[str, ...] = ()) -> Job:
        """The job that our reader makes of a file, as it is recorded."""
        reading = read_job(file, overrides)
        assert reading.job
        record = Capturing(self.ours).detach(prepare(reading.job, self.ours, reading.problems))
        assert list(differences(JOBS[record.name]._replace(name=record.name, source=None), recorded(record.spec))) == []
        return JOBS[record.name]

    def sent(self, entity: Any) -> Job:  # noqa: ANN401  an entity of the SDK
        """The job that the service gets when the SDK submits."""
        name = self.client.jobs.create_or_update(entity).name
        assert list(differences(JOBS[name], recorded(self.theirs.jobs.get(name).spec))) == []
        return JOBS[name]


def recorded(spec: Any) -> Job:  # noqa: ANN401  a mapping
    """The job that is run: a runner reads the record."""
    return read_job_dict(spec)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "capturing-1.dist-info").mkdir()
    (folder / "capturing-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINT, encoding="utf-8")
    logging.disable(logging.WARNING)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("CREDITML_BACKEND", "capturing")
        patch.setenv("CREDITML_HOME", str(folder / "theirs"))
        client = creditml.connect("local")
        sides = Sides(Workspace(folder / "ours").create(), Workspace(folder / "theirs"), client)
        yield sides
        sides.ours.close()
        sides.theirs.close()
    logging.disable(logging.NOTSET)


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


@pytest.fixture(params=FILES, ids=[file.parent.name for file in FILES])
def case(request: pytest.FixtureRequest, sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = Case(request.param, tmp_path, monkeypatch)
    case.register(sides, monkeypatch)
    return case


def test_the_service_gets_the_job_that_the_reader_makes(case: Case, sides: Sides) -> None:
    from azure.ai.ml import load_job  # noqa: PLC0415  it takes seconds

    ours = sides.read(case.file, tuple(f"{key}={value}" for key, value in case.set.items()))
    theirs = sides.sent(load_job(case.file, params_override=[{key: value} for key, value in case.set.items()]))

    assert theirs.name
    assert list(differences(as_sent(ours, sides.ours, theirs.name), moot(theirs), ordered=False)) == []


def test_what_the_service_answers_is_the_same_job_when_it_is_submitted_again(case: Case, sides: Sides) -> None:
    from azure.ai.ml import load_job  # noqa: PLC0415  it takes seconds

    first = sides.sent(load_job(case.file, params_override=[{key: value} for key, value in case.set.items()]))
    got = sides.client.jobs.get(first.name)
    got.name = None
    again = sides.sent(got)

    lost = LOST.get(case.file.parent.name, [])
    assert list(differences(nameless(first), nameless(again), ordered=False)) == lost


def nameless(job: Job) -> Job:
    return job._replace(name=None)
