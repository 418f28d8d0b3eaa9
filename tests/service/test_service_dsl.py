"""A pipeline made in Python arrives at the service as what a YAML file that says the same is read as."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
from as_sent import as_sent, moot
from differences import differences

if TYPE_CHECKING:
    from pathlib import Path

    from sides import Sides

NAMES = ("builders", "loaded", "nested", "grouped", "literals", "registered")
LOST = {
    "loaded": [  # the SDK reads the client's id as the object's too
        ".root.component.jobs.speak.identity.object_id: 'nothing' is not '00000000-0000-0000-0000-000000000001'"
    ]
}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def pipelines(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(jobs))
    monkeypatch.chdir(jobs)
    return importlib.import_module("pipelines")


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_in_python_is_the_one_in_yaml(name: str, pipelines: Any, jobs: Path, sides: Sides) -> None:
    theirs = sides.sent(getattr(pipelines, name)(sides.client))
    ours = sides.read(jobs / f"{name}.yml")

    assert theirs.name
    assert list(differences(as_sent(ours, sides.theirs, theirs.name), moot(theirs), ordered=False)) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_the_service_answers_is_the_same_pipeline(name: str, pipelines: Any, sides: Sides) -> None:
    first = sides.sent(getattr(pipelines, name)(sides.client))
    got = sides.client.jobs.get(first.name)
    got.name = None
    again = sides.sent(got)

    assert list(differences(first._replace(name=None), again._replace(name=None), ordered=False)) == LOST.get(name, [])
