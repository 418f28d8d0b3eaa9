"""What steps may do with MLflow's server: all that scripts do on Azure ML, and nothing with another job's files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from project import Project, pipeline, step, with_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from project import Job

ASK = """
import os, sys, urllib.error, urllib.request


def ask(method, path, token=os.environ.get("MLFLOW_TRACKING_TOKEN", ""), body=b"evil"):
    url = os.environ["MLFLOW_TRACKING_URI"] + path
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"}, method=method)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
"""
FIRST = f"""
{ASK}
import pathlib, mlflow
mlflow.log_metric("loss", 0.5)
mlflow.log_text("hello", "notes/hello.txt")
mlflow.pyfunc.log_model(name="model", python_model=lambda x: x, registered_model_name="tiny", pip_requirements=[])
pathlib.Path(sys.argv[1], "token").write_text(os.environ["MLFLOW_TRACKING_TOKEN"])
pathlib.Path(sys.argv[1], "run").write_text(os.environ["AZUREML_RUN_ID"])
"""
SECOND = f"""
{ASK}
import pathlib, mlflow
before = pathlib.Path(sys.argv[1])
run_id = (before / "run").read_text()
print("old token:", ask("GET", "/api/2.0/mlflow/runs/get?run_id=" + run_id, (before / "token").read_text(), None))
print("work:", ask("PUT", ARTIFACTS + os.environ["AZUREML_ROOT_RUN_ID"] + "/cr/1/exe/wd/train.py"))
print("output:", ask("PUT", ARTIFACTS + os.environ["AZUREML_ROOT_RUN_ID"] + "/steps/first/outputs/out/token"))
client = mlflow.MlflowClient()
client.log_metric(run_id, "checked", 1)
client.set_tag(os.environ["AZUREML_ROOT_RUN_ID"], "best", run_id)
made = client.create_run(os.environ["MLFLOW_EXPERIMENT_ID"], run_name="by itself").info.run_id
client.log_text(made, "x", "x.txt")
client.set_terminated(made)
with mlflow.start_run(), mlflow.start_run(nested=True, run_name="fold"):
    mlflow.log_text("y", "y.txt")
print("artifacts:", mlflow.artifacts.load_text(f"runs:/{{run_id}}/notes/hello.txt"))
mlflow.set_experiment("another")
with mlflow.start_run(run_name="elsewhere"):
    mlflow.log_metric("there", 1)
    mlflow.log_text("z", "z.txt")
print("model:", mlflow.pyfunc.load_model("models:/tiny/1").predict([1]))
client.set_registered_model_alias("tiny", "champion", 1)
client.set_model_version_tag("tiny", "1", "checked", "yes")
"""
OTHER = f"""
{ASK}
import json, mlflow
run_id = sys.argv[1]
print("model:", mlflow.pyfunc.load_model("models:/tiny@champion").predict([1]))
print("artifact:", ask("PUT", ARTIFACTS + sys.argv[2] + "/steps/first/artifacts/notes/hello.txt"))
try:
    mlflow.MlflowClient().log_metric(run_id, "foreign", 1)
except mlflow.MlflowException as error:
    print("metric:", error)
try:
    mlflow.create_experiment("outside", artifact_location="file:///tmp/outside")
except mlflow.MlflowException as error:
    print("experiment:", error)
"""
OUT = {"out": {"type": "uri_folder"}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("access") / "project")
    for name, text in (("first", FIRST), ("second", SECOND), ("other", OTHER)):
        project.write(f"src/{name}.py", text)
    with with_mlflow(project.workspace):
        yield project


@pytest.fixture(scope="module")
def job(project: Project) -> Job:
    first = step("python first.py ${{outputs.out}}", code="./src", outputs=OUT)
    before = {"before": "${{parent.jobs.first.outputs.out}}"}
    second = step("python second.py ${{inputs.before}}", code="./src", inputs=before)
    return project.run(pipeline({"first": first, "second": second}))


def test_scripts_notice_nothing_of_it(job: Job) -> None:
    log = job.log("second")
    assert "artifacts: hello" in log
    assert "model: [1]" in log
    assert "first: " in job.done.out
    assert "checked=1" in json.dumps(job.project.json("job", "show", "-n", job.name)) or "loss=0.5" in job.done.out


def test_a_token_is_of_no_use_after_its_step(job: Job) -> None:
    assert "old token: 401" in job.log("second")


def test_no_file_beside_the_artifacts_is_written(job: Job) -> None:
    assert "work: 403" in job.log("second")
    assert "output: 403" in job.log("second")
    assert (job.folder("first") / "outputs/out/run").read_text() == job.steps()["first"]["name"]


def test_another_job_uses_the_model_and_changes_nothing(project: Project, job: Job) -> None:
    first = job.steps()["first"]["name"]
    other = project.run(pipeline({"other": step(f"python other.py {first} {job.name}", code="./src")}))
    log = other.log("other")
    assert "model: [1]" in log
    assert "artifact: 403" in log
    assert "metric: " in log
    assert first in log.partition("metric: ")[2]
    assert "file:///tmp/outside" in log.partition("experiment: ")[2]
    assert (job.folder("first") / "artifacts/notes/hello.txt").read_text() == "hello"


def test_a_server_of_the_spec_s_own_gets_no_token(project: Project) -> None:
    own = {"MLFLOW_TRACKING_URI": "http://mine.example", "MLFLOW_TRACKING_USERNAME": "me"}
    job = project.run(pipeline({"a": step("env | grep MLFLOW_", environment_variables=own)}))
    assert "MLFLOW_TRACKING_USERNAME=me" in job.log("a")
    assert "MLFLOW_TRACKING_TOKEN" not in job.log("a")


def test_names_and_passwords_for_another_server_do_not_get_in_the_way(project: Project) -> None:
    project.variables |= {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "mine"}
    project.variables["HOME"] = str(project.folder)
    project.write(".mlflow/credentials", "[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = mine\n")
    project.write("creditml.yml", "pass_env: [MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD]\n")
    project.write("src/log.py", "import mlflow\nmlflow.log_metric('loss', 0.25)\n")
    job = project.run(pipeline({"a": step("python log.py", code="./src")}))
    assert "loss=0.25" in job.done.out
