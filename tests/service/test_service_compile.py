"""`creditml compile`: what the dsl makes, as files that give the same job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from project import Project

pytestmark = pytest.mark.filterwarnings("ignore")

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
from azure.ai.ml import Input, Output, command, dsl

count = command(
    name="count",
    code="./src",
    command="bash count.sh ${{inputs.data}} ${{inputs.n}} $[[${{inputs.more}}]] > ${{outputs.out}}",
    inputs={
        "data": Input(type="uri_file"),
        "n": Input(type="integer", default=3),
        "more": Input(type="string", optional=True),
    },
    outputs={"out": Output(type="uri_file")},
    environment="azureml:python:1",
)


@dsl.pipeline()
def inner(data: Input(type="uri_file"), n: int = 2):
    first = count(data=data, n=n)
    first.environment_variables = {"A": "b"}
    return {"counted": first.outputs.out}


@dsl.pipeline(compute="serverless", description="counts", tags={"a": "b"})
def counting(data: Input(type="uri_file"), rate: float = 0.5, flag: bool = True):
    one = inner(data=data, n=5)
    two = inner(data=one.outputs.counted)
    three = count(data=data, more="x")
    three.set_limits(timeout=60)
    return {"result": two.outputs.counted}


@dsl.pipeline(compute="serverless")
def unbound():
    count()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    project.write("pipe.py", PIPELINE)
    project.write("src/count.sh", 'echo "$@" | wc -w; wc -c < "$1"; echo $A\n')
    project.write("data.txt", "words\n")
    return project


@pytest.fixture(scope="module")
def compiled(project: Project) -> Path:
    done = project.creditml("compile", "pipe.py:counting", "-o", "made/pipeline.yml", "--set", "data=data.txt")
    assert done.out.strip() == str(project.folder / "made/pipeline.yml")
    return project.folder / "made"


def test_the_files_say_where_code_and_data_are(compiled: Path) -> None:
    assert {file.name for file in compiled.iterdir()} == {"pipeline.yml", "pipeline_components"}
    assert {file.name for file in (compiled / "pipeline_components").iterdir()} == {"one.yml", "first.yml"}
    text = (compiled / "pipeline.yml").read_text()
    for line in ("path: ../data.txt", "rate: 0.5", "flag: true", "timeout: 60", "description: counts", "a: b"):
        assert line in text
    assert "code: ../../src" in (compiled / "pipeline_components/first.yml").read_text()


def test_the_files_are_taken_by_the_sdk_too(compiled: Path) -> None:
    from azure.ai.ml import load_job

    job = load_job(compiled / "pipeline.yml")
    assert job._validate().error_messages == {}
    assert set(job.jobs) == {"one", "two", "three"}


def test_the_job_runs(project: Project, compiled: Path) -> None:
    project.creditml("run", str(compiled / "pipeline.yml"), "--name", "ran")
    result = next((project.workspace / "jobs/ran").glob("steps/two.first/outputs/out/*"))
    assert result.read_text().split() == ["2", "6", "b"]


def test_nothing_of_the_users_is_overwritten(project: Project) -> None:
    command = ("compile", "pipe.py:counting", "-o", "kept/job.yml", "--set", "data=data.txt")
    folder = project.folder / "kept"
    project.write("kept/first.yml", "mine")
    made = {folder / "job.yml", folder / "job_components/one.yml", folder / "job_components/first.yml"}
    done = project.creditml(*command)
    assert all(str(file) in done.out + done.err for file in made)
    assert (folder / "first.yml").read_text() == "mine"
    texts = {file: file.read_text() for file in made}

    project.creditml(*command[:-1], "data=src/count.sh")  # its own files are replaced
    assert (folder / "job.yml").read_text() != texts[folder / "job.yml"]

    project.write("kept/job_components/one.yml", texts[folder / "job_components/one.yml"] + "# mine\n")
    (folder / "job.yml").write_text("mine")
    refused = project.creditml(*command, code=1)
    assert f"{folder / 'job_components/one.yml'} exists and was not made by this command" in refused.err
    assert f"{folder / 'job.yml'} exists" in refused.err
    assert "first.yml" not in refused.err
    assert "--force" in refused.err
    assert (folder / "job.yml").read_text() == "mine"

    project.creditml(*command, "--force")
    assert {file: file.read_text() for file in made} == texts


def test_what_is_not_a_file_is_refused(project: Project) -> None:
    (project.folder / "pipes").mkdir()
    os.mkfifo(project.folder / "pipes/job.yml")
    command = ("compile", "pipe.py:counting", "-o", "pipes/job.yml", "--set", "data=data.txt")
    assert "pipes/job.yml exists" in project.creditml(*command, code=1).err
    assert "pipes/job.yml exists and is not a file" in project.creditml(*command, "--force", code=1).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pipe.py:countin", "-o", "x.yml"], "Did you mean 'counting'?"),
        (["nosuch.py:counting", "-o", "x.yml"], "nosuch.py does not exist"),
        (["pipe.py", "-o", "x.yml"], "write FILE:FUNCTION"),
        (["pipe.py:counting", "-o", "x.yml", "--set", "dat=1"], "Did you mean 'data'?"),
        (["pipe.py:counting", "-o", "x.yml", "--set", "data"], "--set name=value"),
        (["pipe.py:unbound", "-o", "x.yml"], "Input path can't be empty"),
        (["broken.py:f", "-o", "x.yml"], "broken.py can't be imported"),
    ],
)
def test_mistakes_are_told(project: Project, words: list[str], said: str) -> None:
    project.write("broken.py", "import nosuchmodule\n")
    done = project.creditml("compile", *words, code=None)
    assert done.code in (1, 2)
    assert said in done.err
    assert not (project.folder / "x.yml").exists()
