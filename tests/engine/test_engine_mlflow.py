"""What MLflow shows of a job, whatever its scripts do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from project import Job, Project, eventually, pipeline, single, step

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.takes(20)

TRAIN = """
import mlflow


def shout(words: list[str]) -> list[str]:
    return [word.upper() for word in words]


mlflow.log_metric("loss", 0.5)
mlflow.log_metric("broken", float("nan"))
mlflow.log_metric("endless", float("inf"))
mlflow.log_param("lr", "1e-5")
mlflow.log_text("hello", "notes/hello.txt")
mlflow.pyfunc.log_model(name="model", python_model=shout, registered_model_name="tiny", pip_requirements=[])
"""
CRASH = """
import mlflow

with mlflow.start_run():
    mlflow.log_metric("before", 1)
    raise SystemExit(3)
"""
NESTED = """
import mlflow

with mlflow.start_run(run_name="mine"):
    with mlflow.start_run(run_name="fold", nested=True):
        mlflow.log_metric("fold", 1)
with mlflow.start_run(run_name="second"):
    mlflow.log_metric("second", 1)
    mlflow.pyfunc.log_model(name="m", python_model=lambda x: x, registered_model_name="other", pip_requirements=[])
"""
LONE = """
import mlflow

mlflow.pyfunc.log_model(name="model", python_model=lambda words: words, registered_model_name="lone", **KEYS)
"""
FAMILY = """
import mlflow, os

mlflow.log_metric("total", 7, run_id=os.environ["AZUREML_ROOT_RUN_ID"])
with mlflow.start_run(), mlflow.start_run(nested=True):
    mlflow.pyfunc.log_model(name="model", python_model=lambda words: words, registered_model_name="fold", **KEYS)
"""
DUMP = """
import json, sys
from mlflow import MlflowClient

client = MlflowClient(tracking_uri=sys.argv[1])
experiments = {e.experiment_id: e.name for e in client.search_experiments()}
runs = client.search_runs(list(experiments), max_results=1000)
print(json.dumps([
    {
        "id": run.info.run_id, "name": run.info.run_name, "status": run.info.status, "tags": run.data.tags,
        "experiment": experiments[run.info.experiment_id], "metrics": sorted(run.data.metrics),
    }
    for run in runs
]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose steps use MLflow, well and badly; some log to other runs than their step's, or to none."""
    project = Project(tmp_path_factory.mktemp("mlflow") / "project")
    for name, script in {"train": TRAIN, "crash": CRASH, "nested": NESTED, "lone": LONE, "family": FAMILY}.items():
        project.write(f"src/{name}.py", f'KEYS = {{"pip_requirements": []}}\n{script}')
    project.write("inner.yml", {"type": "pipeline", "jobs": {"deep": step("python nested.py", code="./src")}})
    jobs = {
        "train": step("python train.py", code="./src", display_name="Train it", tags={"team": "credit"}),
        "crash": step("python crash.py", code="./src"),
        "inner": {"type": "pipeline", "component": "./inner.yml"},
        "plain": step("echo no MLflow here"),
        "lone": step("python lone.py", code="./src"),
        "family": step("python family.py", code="./src"),
    }
    return project.run(pipeline(jobs, experiment_name="credit", display_name="All of it"), code=1)


@pytest.fixture(scope="module")
def runs(trained: Job) -> Mapping[str, Mapping[str, Any]]:
    """All runs that MLflow knows, by id."""
    folder = trained.project.workspace / "mlflow"
    eventually(lambda: not (folder / "server.json").exists())  # until it goes, the server may have something to record
    database = folder / "mlflow.db"
    command = [sys.executable, "-c", DUMP, f"sqlite:///{database}"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {run["id"]: run for run in json.loads(listing)}


def test_every_step_is_a_child_run_of_the_job_s(trained: Job, runs: Mapping[str, Any]) -> None:
    steps = {node: child["name"] for node, child in trained.steps().items()}
    top = runs[trained.name]
    children = [runs[steps[node]] for node in ("train", "crash", "inner", "plain")]

    assert {run["tags"]["mlflow.parentRunId"] for run in children} == {trained.name}
    assert {run["tags"]["mlflow.rootRunId"] for run in [top, *children]} == {trained.name}
    assert {run["experiment"] for run in runs.values()} == {"credit"}
    assert "mlflow.parentRunId" not in top["tags"]
    assert [run["name"] for run in [top, *children]] == ["All of it", "Train it", "crash", "inner", "plain"]
    assert runs[steps["train"]]["tags"]["team"] == "credit"


def test_a_run_ends_as_its_step_did(trained: Job, runs: Mapping[str, Any]) -> None:
    steps = {node: runs[child["name"]]["status"] for node, child in trained.steps().items()}

    assert steps == {**dict.fromkeys(steps, "FINISHED"), "crash": "FAILED"}
    assert len(steps) == 6
    assert runs[trained.name]["status"] == "FAILED"


def test_runs_that_a_script_makes_are_below_its_step_s(trained: Job, runs: Mapping[str, Any]) -> None:
    inner = trained.steps()["inner"]["name"]
    (deep,) = trained.project.json("job", "list", "-p", inner)
    by_name = {run["name"]: run for run in runs.values()}

    assert runs[deep["name"]]["tags"]["mlflow.parentRunId"] == inner
    assert runs[deep["name"]]["name"] == "deep", "a script's run_name does not rename the step"
    assert by_name["fold"]["tags"]["mlflow.parentRunId"] == deep["name"]
    assert by_name["second"]["tags"]["mlflow.parentRunId"] == deep["name"]
    assert {by_name[name]["status"] for name in ("fold", "second")} == {"FINISHED"}


def test_metrics_and_the_model_are_told(trained: Job) -> None:
    assert "loss=0.5" in trained.done.out
    assert "tiny:1" in trained.done.out
    assert "other:1" in trained.done.out, "a run that the script began is the job's too"


def test_what_is_shown_of_metrics_is_json(trained: Job) -> None:
    child = trained.steps()["train"]["name"]
    shown = trained.project.creditml("job", "show", "-n", child).out

    def refuse(constant: str) -> None:
        message = f"{constant} is no JSON"
        raise AssertionError(message)

    metrics = json.loads(shown, parse_constant=refuse)["results"]["metrics"]
    assert metrics["loss"] == 0.5
    assert {"broken", "endless"} <= metrics.keys()


def test_artifacts_and_model_files_lie_with_the_step_s_logs(trained: Job) -> None:
    child = trained.steps()["train"]["name"]

    trained.project.creditml("job", "download", "-n", child, "-p", "got")

    artifacts = trained.project.folder / "got/artifacts"
    assert (artifacts / "notes/hello.txt").read_text(encoding="utf-8") == "hello"
    assert (artifacts / "model/MLmodel").is_file()
    assert (artifacts / "user_logs/std_log.txt").is_file()


def test_a_registered_model_is_listed_and_shown(trained: Job) -> None:
    project = trained.project

    listed = {model["name"]: model["version"] for model in project.json("model", "list")}
    shown = project.json("model", "show", "-n", "tiny", "-l", "latest")

    assert listed == dict.fromkeys(("fold", "lone", "other", "tiny"), "1")
    assert (shown["type"], shown["version"]) == ("mlflow_model", "1")
    assert shown["job_name"] == trained.steps()["train"]["name"]


@pytest.mark.parametrize("reference", ["azureml:tiny:1", "azureml:tiny@latest"])
def test_a_registered_model_is_the_input_of_a_later_job(trained: Job, reference: str) -> None:
    inputs = {"model": {"type": "mlflow_model", "path": reference}}

    job = trained.project.run(single("ls ${{inputs.model}}", inputs=inputs))

    assert "MLmodel" in job.log().split()


def test_an_artifact_of_an_earlier_step_is_an_input(trained: Job) -> None:
    child = trained.steps()["train"]["name"]
    path = f"azureml://jobs/{child}/outputs/artifacts/paths/notes"

    job = trained.project.run(
        single("cat ${{inputs.notes}}/hello.txt", inputs={"notes": {"type": "uri_folder", "path": path}})
    )

    assert job.log() == "hello"


def test_a_model_that_is_logged_before_any_run_is_the_step_s(trained: Job) -> None:
    assert (trained.folder("lone") / "artifacts/model/MLmodel").is_file()
    shown = trained.project.json("model", "show", "-n", "lone", "-v", "1")
    assert shown["job_name"] == trained.steps()["lone"]["name"]


def test_models_of_runs_that_scripts_made_are_told(trained: Job) -> None:
    assert "fold:1" in trained.done.out
    assert "lone:1" in trained.done.out


def test_what_a_script_logs_to_the_job_is_told(trained: Job) -> None:
    assert "metrics  total=7" in trained.done.out


def test_no_server_starts_for_steps_without_mlflow(project: Project) -> None:
    project.run(pipeline({"a": step("echo hi"), "b": step("python -c 'print(1)'")}))

    assert not list(project.workspace.glob("mlflow/*"))
