"""What Azure ML would refuse: said beforehand, in the right place, and as severely as the genuine SDK takes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from project import Project

from creditml.engine.options import Options
from creditml.errors import AuthenticationFailed, SpecError
from creditml.spec.reader import read_job
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.checking import live_problems
from creditml_azureml.cloud import Cloud
from creditml_azureml.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from project import Json

    from creditml.errors import Problem

ENVIRONMENT: Json = {"image": "python:3.11"}
STEP: Json = {"command": "true", "environment": ENVIRONMENT}
CORPUS = Path(__file__).parents[1] / "corpus" / "invalid"
VALID = CORPUS.with_name("valid")
UNNAMED = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")


def pipeline(step: Json = STEP, **fields: Json) -> Json:
    return {"type": "pipeline", "settings": {"default_compute": "serverless"}, "jobs": {"a": step}, **fields}


@pytest.fixture
def folder(signed_in: Path) -> Project:
    """The user's folder."""
    return Project(signed_in, CREDITML_HOME=str(signed_in / "home"))


def problems(folder: Project, job: Json) -> tuple[Problem, ...]:
    """What is found of a job without a connection."""
    folder.write("job.yml", job)
    executor = AzureMLExecutor(Workspace(folder.folder / "home"), Options())
    reading = read_job("job.yml")
    assert reading.job
    return executor.examine(reading.job, reading.problems).problems


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
    from azure.ai.ml import MLClient, load_job  # noqa: PLC0415  it takes seconds
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  likewise

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
    assert "warning: Azure ML has no compute 'local'" in folder.creditml("check", "job.yml").err


def test_errors_keep_a_job_from_being_submitted(folder: Project) -> None:
    folder.write("job.yml", pipeline({"command": "true"}))
    reading = read_job("job.yml")
    assert reading.job

    with pytest.raises(SpecError, match="no 'environment'"):
        AzureMLExecutor(Workspace(folder.folder / "home")).prepare(reading.job, reading.problems)


UPLOADS: Json = {
    "a virtual environment": ({".venv/bin/python": "x"}, ".venv/ is uploaded too"),
    "git's own folder": ({".git/HEAD": "x"}, ".git/ is uploaded too"),
    "credentials": ({".env": "KEY=1"}, ".env may hold credentials"),
    "an ignore file beside another": (
        {".amlignore": "a.txt", ".gitignore": "big.csv", "big.csv": "x"},
        ".gitignore is not used (.amlignore counts alone), so Azure ML is sent what it names: big.csv",
    ),
    "an ignore file below": (
        {"data/.gitignore": "*.csv", "data/big.csv": "x"},
        "data/.gitignore is not used (only one at the root counts), so Azure ML is sent what it names: data/big.csv",
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


# -- with the workspace in Azure


WORKSPACE = "the workspace 'credit' (resource group 'team') in Azure"
MISSING: Json = {
    "environment": (
        pipeline({**STEP, "environment": "azureml:anny:1"}),
        f"There is no environment anny:1 in {WORKSPACE}. Did you mean 'any'?",
        "jobs.a.environment",
    ),
    "version of an environment": (
        pipeline({**STEP, "environment": "azureml:any:7"}),
        "Did you mean 'any:1'?",
        "jobs.a.environment",
    ),
    "data": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml:nothing:1"}}}),
        "There is no data asset nothing:1",
        "jobs.a.inputs.x.path",
    ),
    "label of data": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml:nothing@latest"}}}),
        "There is no data asset nothing@latest",
        "jobs.a.inputs.x.path",
    ),
    "datastore": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml://datastores/workspaceblobstor/paths/x"}}}),
        f"There is no datastore 'workspaceblobstor' in {WORKSPACE}. Did you mean 'workspaceblobstore'?",
        "jobs.a.inputs.x.path",
    ),
    "job": (
        pipeline({**STEP, "inputs": {"x": {"path": "azureml://jobs/gone/outputs/y/paths/"}}}),
        "There is no job 'gone'",
        "jobs.a.inputs.x.path",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_azure_lacks_is_an_error_with_a_near_miss(folder: Project, case: str) -> None:
    job, said, path = MISSING[case]

    (problem,) = problems(folder, job)

    assert said in problem.message
    assert (problem.warning, problem.path) == (False, path)
    assert problem.place is not None


@pytest.mark.parametrize(("version", "found"), [("1", 0), ("2", 1)])
def test_a_registry_is_asked_too(azure: Project, folder: Project, version: str, found: int) -> None:
    azure.write("shared.yml", {"name": "shared", "version": "1", **ENVIRONMENT})
    azure.creditml("environment", "create", "-f", "shared.yml", "--registry-name", "team")
    reference = f"azureml://registries/team/environments/shared/versions/{version}"

    told = problems(folder, pipeline({**STEP, "environment": reference}))

    assert [problem.path for problem in told] == ["jobs.a.environment"] * found
    assert all("no environment shared:2 in the registry 'team'" in problem.message for problem in told)


def test_what_azure_has_is_no_problem(folder: Project) -> None:
    step = {**STEP, "environment": "azureml:any@latest", "compute": "azureml:cpu-cluster"}
    step["inputs"] = {"x": {"path": "azureml://datastores/workspaceblobstore/paths/x"}}

    assert problems(folder, pipeline(step, settings={"default_datastore": "azureml:workspaceblobstore"})) == ()


def test_what_is_registered_here_will_be_there(folder: Project) -> None:
    folder.write("mine.yml", {"name": "mine", "version": "3", **ENVIRONMENT})
    folder.creditml("environment", "create", "-f", "mine.yml")

    assert problems(folder, pipeline({**STEP, "environment": "azureml:mine:3"})) == ()


class Counted:
    """The SDK's client with one of its operations answered by something else, since our service never answers so."""

    def __init__(self, client: Json, **answers: Callable[..., Json]) -> None:
        self._client, self._answers = client, answers
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Json:
        return self if name in self._answers else getattr(self._client, name)

    def get(self, name: str, **more: str) -> Json:
        self.asked.append(name)
        (answer,) = self._answers.values()
        return answer(name, **more)

    def list_sizes(self) -> list[Json]:
        return []

    def list_usage(self) -> list[Json]:
        return []

    def list(self) -> list[str]:
        return ["gpu-cluster"]


def asked_of(folder: Project, job: Json, **answers: Callable[..., Json]) -> tuple[list[Problem], list[str]]:
    folder.write("job.yml", job)
    reading = read_job("job.yml")
    assert reading.job
    target = find_target({})
    client: Any = Counted(Cloud(target).client, **answers)
    return live_problems(reading.job, Workspace(folder.folder / "home"), Cloud(target, client)), client.asked


def test_each_thing_is_asked_once_and_told_wherever_it_is_named(folder: Project) -> None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415  it takes seconds

    def gone(name: str) -> Json:
        raise ResourceNotFoundError(name)

    step = {**STEP, "compute": "azureml:gpu-clustr"}
    found, asked = asked_of(folder, pipeline(jobs={"a": step, "b": step}), compute=gone)

    assert asked == ["gpu-clustr"]
    assert [problem.path for problem in found] == ["jobs.a.compute", "jobs.b.compute"]
    assert "Did you mean 'gpu-cluster'?" in found[0].message


def test_a_compute_that_is_too_small_or_not_ready_is_told(folder: Project) -> None:
    from azure.ai.ml.entities import AmlCompute  # noqa: PLC0415  it takes seconds

    step = {**STEP, "compute": "azureml:gpu", "resources": {"instance_count": 9}}
    made = AmlCompute(name="gpu", max_instances=4, provisioning_state="Creating")
    found, _ = asked_of(folder, pipeline(step), compute=lambda _name: made)

    assert [problem.warning for problem in found] == [True, False]
    assert "is Creating" in found[0].message
    assert "at most 4 instances, and 9 are asked for" in found[1].message
    assert found[1].path == "jobs.a.resources.instance_count"


@pytest.mark.parametrize(("count", "told"), [(2, 0), (3, 1)])
def test_a_quota_that_can_t_be_enough_is_told(
    folder: Project, count: int, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml.entities import AmlCompute, Usage, UsageName, VmSize  # noqa: PLC0415  it takes seconds

    step = {**STEP, "resources": {"instance_count": count}}
    made = AmlCompute(name="gpu", size="Standard_DS3_v2", max_instances=9, provisioning_state="Succeeded")
    sizes = [VmSize(name="STANDARD_DS3_V2", family="standardDSv2Family", v_cp_us=4)]
    usages = [Usage(limit=8, current_value=8, name=UsageName(value="standardDSv2Family"))]
    monkeypatch.setattr(Counted, "list_sizes", lambda _self: sizes)
    monkeypatch.setattr(Counted, "list_usage", lambda _self: usages)
    job = pipeline(step, settings={"default_compute": "azureml:gpu"})
    found, _ = asked_of(folder, job, compute=lambda _name: made)

    assert [problem.warning for problem in found] == [True] * told
    assert all("needs 12 cores of the family standardDSv2Family" in problem.message for problem in found)


def test_a_curated_environment_that_is_gone_is_a_warning(folder: Project) -> None:
    step = {**STEP, "environment": "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu:1"}

    (problem,) = problems(folder, pipeline(step))

    assert problem.warning
    assert "There is no environment AzureML-sklearn" in problem.message


@pytest.mark.parametrize("operation", ["workspaces", "compute", "environments"])
def test_what_somebody_may_not_see_is_told_as_such(folder: Project, operation: str) -> None:
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415  it takes seconds

    class Response:
        status_code, reason = 403, "Forbidden"

        def text(self) -> str:
            return ""

    def forbidden(_name: str, **_more: str) -> Json:
        raise HttpResponseError(response=Response())

    job = pipeline({**STEP, "environment": "azureml:any:1", "compute": "azureml:gpu"})
    found, _ = asked_of(folder, job, **{operation: forbidden})

    assert "403" in found[0].message
    assert "role" in found[0].message


def test_a_workspace_that_is_not_reached_is_an_error_of_the_connection(folder: Project) -> None:
    folder.write("job.yml", pipeline())
    reading = read_job("job.yml")
    assert reading.job

    class Nobody:
        def get_token(self, *_scopes: str, **_more: str) -> Json:
            from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415  it takes seconds

            raise ClientAuthenticationError("nobody is signed in")

    from azure.ai.ml import MLClient  # noqa: PLC0415  it takes seconds

    target = Target("11111111-2222-3333-4444-555555555555", "team", "credit")
    client = MLClient(Nobody(), *target)  # type: ignore[arg-type]

    with pytest.raises(AuthenticationFailed):
        live_problems(reading.job, Workspace(folder.folder / "home"), Cloud(target, client))


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
    assert line.startswith("Only what shows in the files was checked")
    assert "AZURE_ML_WORKSPACE" in line
    folder.write("job.yml", pipeline({"command": "true"}))
    assert "1 error. Nothing was run." in folder.creditml("check", "job.yml", "--backend", "azureml", code=1).err


def test_with_a_workspace_all_of_it_is_checked(folder: Project) -> None:
    folder.write("job.yml", pipeline({**STEP, "environment": "azureml:unknown:1"}))

    done = folder.creditml("check", "job.yml", "--backend", "azureml", code=1)

    assert done.err.startswith("job.yml:")
    assert "There is no environment unknown:1" in done.err
    assert folder.creditml("job", "validate", "-f", "job.yml", "--backend", "azureml", code=1).err == done.err
