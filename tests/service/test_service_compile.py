"""`creditml compile`: what the dsl makes, as files that give the same job."""

from __future__ import annotations

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
    assert {file.name for file in compiled.iterdir()} == {"pipeline.yml", "one.yml", "first.yml"}
    text = (compiled / "pipeline.yml").read_text()
    for line in ("path: ../data.txt", "rate: 0.5", "flag: true", "timeout: 60", "description: counts", "a: b"):
        assert line in text
    assert "code: ../src" in (compiled / "first.yml").read_text()


def test_the_files_are_taken_by_the_sdk_too(compiled: Path) -> None:
    from azure.ai.ml import load_job

    job = load_job(compiled / "pipeline.yml")
    assert job._validate().error_messages == {}
    assert set(job.jobs) == {"one", "two", "three"}


def test_the_job_runs(project: Project, compiled: Path) -> None:
    project.creditml("run", str(compiled / "pipeline.yml"), "--name", "ran")
    result = next((project.workspace / "jobs/ran").glob("steps/two.first/outputs/out/*"))
    assert result.read_text().split() == ["2", "6", "b"]


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
