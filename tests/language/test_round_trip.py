"""A job written as YAML, or as the record in the database, is the same job when it is read again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from differences import differences, with_files_made
from generated_jobs import components, jobs
from hypothesis import Phase, given, settings

from creditml.language.yaml import Document, from_plain
from creditml.nodes.specs import component_dict, job_dict, read_component_document, read_job, read_job_dict, write_job

if TYPE_CHECKING:
    from creditml.model import Component, Job

# Differences say it all; making such a job smaller takes minutes.
UNSHRUNK = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])


@given(jobs())
@UNSHRUNK
def test_a_job_written_as_yaml_is_read_as_the_same(job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = read_without_errors(write_job(job, Path(folder)))

    assert list(differences(job, again)) == []


@given(jobs())
@UNSHRUNK
def test_a_job_recorded_is_read_as_the_same(job: Job) -> None:
    record = json.loads(json.dumps(job_dict(job)))

    assert list(differences(job, read_job_dict(record))) == []


@given(components())
@UNSHRUNK
def test_a_registered_component_is_read_as_the_same(component: Component) -> None:
    record = json.loads(json.dumps(component_dict(component)))

    again, problems, _ = read_component_document(Document("train_model:1", from_plain(record), []), Path("/nowhere"))

    assert [str(problem) for problem in problems if not problem.warning] == []
    assert list(differences(component, again)) == []


CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted([*CORPUS.glob("*/pipeline.yml"), *CORPUS.glob("*/job.yml"), *EXAMPLES.glob("*/pipeline.yml")])


@pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
def test_a_file_is_the_same_after_a_round_trip(file: Path, tmp_path: Path) -> None:
    case = with_files_made(file, tmp_path)
    job = read_without_errors(case)

    assert list(differences(job, read_without_errors(write_job(job, tmp_path / "written")))) == []
    assert list(differences(job, read_job_dict(json.loads(json.dumps(job_dict(job)))))) == []


def read_without_errors(file: Path) -> Job:
    reading = read_job(file)
    assert [str(problem) for problem in reading.problems if not problem.warning] == []
    assert reading.job
    return reading.job._replace(source=None)


ODD_JOB = """
type: pipeline
settings: {default_compute: serverless, since: 2020-01-01}
jobs:
  a:
    component:
      command: echo
      environment: {image: i, conda_file: {date: 2020-01-01}}
      resources: {instance_count: 2, unknown: 1, properties: {date: 2020-01-01}}
      tags: {day: 2020-01-01, number: 3}
      version: 1.10
    services: {x: {type: ssh, properties: {date: 2020-01-01}}}
    environment_variables: {A: 1, B: true, C: null}
"""


def test_odd_values_survive_a_round_trip(tmp_path: Path) -> None:
    (tmp_path / "odd.yml").write_text(ODD_JOB, encoding="utf-8")
    job = read_without_errors(tmp_path / "odd.yml")

    assert list(differences(job, read_without_errors(write_job(job, tmp_path / "written")))) == []
    assert list(differences(job, read_job_dict(json.loads(json.dumps(job_dict(job)))))) == []
