"""What Azure ML would refuse: said beforehand, in the right place, and as severely as the genuine SDK takes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from checked import STEP, pipeline, problems

from creditml.errors import SpecError
from creditml.nodes.specs import read_job
from creditml.submission.options import Options
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from project import Json, Project


CORPUS = Path(__file__).parents[1] / "corpus" / "invalid"
VALID = CORPUS.with_name("valid")
UNNAMED = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")


# -- without a connection


REFUSED: Json = {
    "no environment": (pipeline({"command": "true"}), "environment", "job.yml:7:8"),
    "no compute": (pipeline(settings={}), "No compute is set", "job.yml:5:3"),
    "no environment of a component": (
        pipeline({"component": {"type": "command", "name": "c", "command": "true"}}),
        "environment",
        "job.yml:8:17",
    ),
    "no environment of a command job": ({"command": "true"}, "environment", "job.yml:1:1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_sdk_refuses_is_an_error_with_its_place(folder: Project, case: str) -> None:
    job, said, place = REFUSED[case]

    (error,) = [problem for problem in problems(folder, job) if not problem.warning]

    assert said in error.message
    assert str(error.place) == place
    assert refusal(job, folder) != "passed"


def corpus() -> Iterator[tuple[str, Path, Json]]:
    """What the SDK was seen to refuse before it sends anything."""
    for file in sorted([*CORPUS.glob("*.expected.json"), *CORPUS.glob("*/expected.json")]):
        expected = json.loads(file.read_text(encoding="utf-8"))
        if expected["sdk"]["severity"] == "error" and expected["sdk"]["stage"] in ("load", "validate", "create"):
            alone = file.name != "expected.json"
            name = file.name.removesuffix(".expected.json") if alone else file.parent.name
            yield name, CORPUS / f"{name}.yml" if alone else file.parent / "pipeline.yml", expected


@pytest.mark.parametrize(("job", "expected"), [case[1:] for case in corpus()], ids=[case[0] for case in corpus()])
def test_whatever_of_the_corpus_the_sdk_refuses_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Path, expected: Json
) -> None:
    for name in UNNAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    executor = AzureMLExecutor(Workspace(tmp_path / "home"), Options())

    try:
        reading = read_job(job)
        found = executor.examine(reading.job, reading.problems).problems if reading.job else reading.problems
    except SpecError as error:
        found = error.problems

    lines = [(problem.place.file, problem.place.line) for problem in found if problem.place and not problem.warning]
    for problem in expected["problems"]:
        assert (str(job.parent / problem["file"]), problem["line"]) in lines


@pytest.mark.parametrize("file", sorted(VALID.glob("*/expected.json")), ids=lambda file: file.parent.name)
def test_whatever_of_the_corpus_the_sdk_takes_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    for name in UNNAMED:
        monkeypatch.delenv(name, raising=False)
    expected = json.loads(file.read_text(encoding="utf-8"))
    shutil.copytree(file.parent, tmp_path / "case")
    monkeypatch.chdir(tmp_path / "case")
    for name, text in expected.get("make", {}).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    executor = AzureMLExecutor(Workspace(tmp_path / "home"), Options())
    reading = read_job(expected["file"], [f"{key}={value}" for key, value in expected.get("set", {}).items()])
    assert reading.job

    found = executor.examine(reading.job, reading.problems).problems

    assert [problem for problem in found if not problem.warning] == []


def refusal(job: Json, folder: Project) -> str:
    """What the genuine SDK says of it."""
    from azure.ai.ml import MLClient, load_job
    from azure.identity import DefaultAzureCredential

    folder.write("theirs.yml", job)
    try:
        loaded: Any = load_job("theirs.yml")
        client = MLClient(DefaultAzureCredential(), "11111111-2222-3333-4444-555555555555", "team", "credit")
        result: Any = client.jobs.validate(loaded)
    except Exception as error:  # noqa: BLE001  whatever it raises is a refusal
        return f"{type(error).__name__}"
    return "passed" if result.passed else str(result.error_messages)


@pytest.mark.parametrize("job", [pipeline(), {**STEP, "compute": "serverless"}], ids=["pipeline", "command"])
def test_what_the_sdk_takes_is_no_error(folder: Project, job: Json) -> None:
    assert problems(folder, job) == ()
    assert refusal(job, folder) == "passed"


def test_a_local_compute_is_an_error_there_and_a_warning_here(folder: Project) -> None:
    job = pipeline({**STEP, "compute": "local"})

    (there,) = problems(folder, job)

    assert not there.warning
    assert "write serverless" in there.message
    assert "warning: Azure ML can't run this on the compute 'local'" in folder.creditml("check", "job.yml").err


def test_errors_keep_a_job_from_being_submitted(folder: Project) -> None:
    folder.write("job.yml", pipeline({"command": "true"}))
    reading = read_job("job.yml")
    assert reading.job

    with pytest.raises(SpecError, match="'environment' is missing"):
        AzureMLExecutor(Workspace(folder.folder / "home")).prepare(reading.job, reading.problems)


UPLOADS: Json = {
    "a virtual environment": ({".venv/bin/python": "x"}, ".venv/ is uploaded too"),
    "git's own folder": ({".git/HEAD": "x"}, ".git/ is uploaded too"),
    "credentials": ({".env": "KEY=1"}, ".env may hold credentials"),
    "an ignore file beside another": (
        {".amlignore": "a.txt", ".gitignore": "big.csv", "big.csv": "x"},
        ".gitignore is not used (.amlignore counts alone), so files that it names are uploaded: big.csv",
    ),
    "an ignore file below": (
        {"data/.gitignore": "*.csv", "data/big.csv": "x"},
        "data/.gitignore is not used (only one at the root counts), so files that it names are uploaded: data/big.csv",
    ),
    "a named file that is left out": ({".amlignore": "main.py"}, "The command names main.py, which"),
    "the local workspace": ({".creditml/workspace.db": "x"}, "lies in the code folder"),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_surprises_of_an_upload_are_warnings_at_the_code(folder: Project, case: str) -> None:
    files, said = UPLOADS[case]
    for name, text in {"main.py": "", "other.py": "", **files}.items():
        folder.write(f"src/{name}", text)

    found = problems(folder, pipeline({**STEP, "command": "python main.py", "code": "./src"}))

    (problem,) = found
    assert said in problem.message
    assert problem.warning
    assert (problem.path, problem.place and problem.place.file) == ("jobs.a.code", "job.yml")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".env.example": "KEY="},
        {".amlignore": ".venv/\n.env", ".venv/bin/python": "x", ".env": "KEY=1"},
        {".amlignore": "*.csv", ".gitignore": "*.csv", "big.csv": "x"},
    ],
    ids=["plain", "an example of credentials", "all is ignored", "both say the same"],
)
def test_an_upload_without_surprises_is_not_mentioned(folder: Project, files: dict[str, str]) -> None:
    for name, text in {"main.py": "", **files}.items():
        folder.write(f"src/{name}", text)

    assert problems(folder, pipeline({**STEP, "command": "python ./main.py", "code": "./src"})) == ()


def test_an_ignore_file_of_the_project_does_not_count(folder: Project) -> None:
    for name, text in {".git/HEAD": "", ".gitignore": "*.csv\n", "src/main.py": "", "src/big.csv": "x"}.items():
        folder.write(name, text)

    (problem,) = problems(folder, pipeline({**STEP, "code": "./src"}))

    assert "big.csv" in problem.message
    assert "main.py" not in problem.message


def test_a_large_upload_is_told_with_its_largest_files(folder: Project) -> None:
    folder.write("src/main.py", "")
    with (folder.folder / "src" / "model.bin").open("wb") as file:
        file.truncate(120_000_000)

    (problem,) = problems(folder, pipeline({**STEP, "code": "./src"}))

    assert problem.message.startswith("120.0 MB of ")
    assert "model.bin (120.0 MB)" in problem.message


def test_a_build_context_without_its_dockerfile_is_told(folder: Project) -> None:
    folder.write("context/other", "FROM x")

    (problem,) = problems(folder, pipeline({**STEP, "environment": {"build": {"path": "./context"}}}))

    assert "Dockerfile does not exist in the build context" in problem.message
    assert problem.path == "jobs.a.environment.build.path"


# -- the command


def test_without_a_named_workspace_the_offline_part_is_checked(
    folder: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in UNNAMED:
        monkeypatch.delenv(name)
    folder.write("job.yml", pipeline({**STEP, "environment": "azureml:unknown:1"}))

    done = folder.creditml("check", "job.yml", "--backend", "azureml")

    assert done.out == "job.yml: valid\n"
    (line,) = done.err.splitlines()
    assert line.startswith("Only the files were checked")
    assert "AZURE_ML_WORKSPACE" in line
    folder.write("job.yml", pipeline({"command": "true"}))
    assert "1 error. Nothing was run." in folder.creditml("check", "job.yml", "--backend", "azureml", code=1).err


def test_with_a_workspace_all_of_it_is_checked(folder: Project) -> None:
    folder.write("job.yml", pipeline({**STEP, "environment": "azureml:unknown:1"}))

    done = folder.creditml("check", "job.yml", "--backend", "azureml", code=1)

    assert done.err.startswith("job.yml:")
    assert "There is no environment unknown:1" in done.err
    assert folder.creditml("job", "validate", "-f", "job.yml", "--backend", "azureml", code=1).err == done.err
