"""Jobs and components of Azure ML, read and brought here, by the command line too."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from azure_side import Inside
from project import Project, eventually, pipeline, step

from creditml.errors import BackendUnavailable, CreditMLError, NotFound
from creditml.nodes.specs import read_job
from creditml.plan import plan
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.cloud import Cloud
from creditml_azureml.cloud_assets import CloudAssets
from creditml_azureml.cloud_data import StoredBlobs
from creditml_azureml.pulling import pull
from creditml_azureml.reading import CloudComponents, read_cloud_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.takes(20)
OUT = {"out": {"type": "uri_folder"}}
CONDA = {"image": "python:3.11", "conda_file": {"dependencies": ["python=3.11"]}}


@pytest.fixture
def here(signed_in: Path) -> Project:
    """A project of its own that is signed in, with the workspace that this process has too."""
    return Inside(signed_in, CREDITML_HOME=str(signed_in / "home"))


def submitted(here: Project, name: str = "there_job") -> str:
    """The name of a pipeline that has run in Azure ML, once for all tests; its files are in every project."""
    here.write("src/main.py", "import sys; print(open(sys.argv[1] + '/one').read(), sys.argv[2])")
    inner = {
        "type": "pipeline",
        "inputs": {"data": {"type": "uri_folder"}, "lr": {"type": "number"}},
        "jobs": {
            "fit": step(
                "python main.py ${{inputs.data}} ${{inputs.lr}}",
                code="./src",
                inputs={"data": "${{parent.inputs.data}}", "lr": "${{parent.inputs.lr}}"},
            )
        },
    }
    here.write("inner.yml", inner)
    node = {
        "type": "pipeline",
        "component": "./inner.yml",
        "inputs": {"data": "${{parent.jobs.prep.outputs.out}}", "lr": "${{parent.inputs.lr}}"},
    }
    prep = step("cat ${{inputs.raw}} > ${{outputs.out}}/one", inputs={"raw": "${{parent.inputs.raw}}"}, outputs=OUT)
    prep["environment"] = CONDA
    here.write("raw.csv", "raw words")
    raw = {"type": "uri_file", "path": "./raw.csv"}
    here.write(
        "job.yml",
        pipeline({"prep": prep, "train": node}, inputs={"lr": 0.5, "raw": raw}, name=name, experiment_name="credit"),
    )
    executor = AzureMLExecutor(Workspace(here.folder / "submitter"))
    job = read_job(here.folder / "job.yml").job
    assert job
    try:
        executor.poll(name)
    except NotFound:
        executor.submit(job)
    eventually(lambda: executor.poll(name).status in ("Completed", "Failed"))
    return name


def test_a_job_of_the_cloud_has_the_graph_that_was_sent(here: Project) -> None:
    name = submitted(here)

    job = read_cloud_job(Cloud.find({}), name)

    theirs, ours = plan(job), plan(read_job(here.folder / "job.yml").job)  # type: ignore[arg-type]
    assert list(theirs.steps) == list(ours.steps) == ["prep", "train.fit"]
    for path, planned in theirs.steps.items():
        assert list(planned.needs()) == list(ours.steps[path].needs())
        assert planned.component.command == ours.steps[path].component.command
        assert planned.component.environment == ours.steps[path].component.environment


def test_a_pulled_job_is_known_without_a_connection(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    name = submitted(here)

    told = here.creditml("pull", f"{name}/train.fit", "--inputs").err
    assert "warning" not in told
    here.creditml("pull", name)

    for variable in ("AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(variable, raising=False)
        here.variables.pop(variable, None)
    shown = here.json("job", "show", "-n", name)
    assert (shown["status"], shown["backend"], shown["type"]) == ("Completed", "azureml", "pipeline")
    children = {child["node"]: child for child in here.json("job", "list", "-p", name)}
    assert set(children) == {"prep", "train"}
    (fit,) = here.json("job", "list", "-p", children["train"]["name"])
    assert (fit["node"], fit["status"]) == ("train.fit", "Completed")
    log = here.folder / f"home/jobs/{name}/steps/train.fit/artifacts/user_logs/std_log.txt"
    assert log.read_text(encoding="utf-8") == "raw words 0.5\n"
    here.creditml("step", "run", f"{name}/train.fit", "--name", "again")
    again = here.folder / "home/jobs/again/artifacts/user_logs/std_log.txt"
    assert again.read_text(encoding="utf-8") == "raw words 0.5\n"


def test_what_was_not_pulled_is_told_with_the_command_that_gets_it(here: Project) -> None:
    name = submitted(here)
    here.creditml("pull", name)

    for path in ("prep", "train.fit"):
        done = here.creditml("step", "run", f"{name}/{path}", code=1)
        assert f"creditml pull {name}/{path} --inputs" in done.err

    here.creditml("pull", name, "--inputs")
    here.creditml("step", "run", f"{name}/prep")


def test_here_and_there_are_equal_to_diff(here: Project) -> None:
    name = submitted(here)
    here.creditml("run", "job.yml", "--name", "here_job")

    found = here.json("diff", "here_job", name, "--backend", "azureml", "-o", "json")

    assert found["backends"] == {"a": "local", "b": "azureml"}
    assert not {"job", "graph", "steps"} & set(found)
    here.write("raw.csv", "other words")
    data = here.json("diff", "here_job", name, "-o", "json", code=1)["job"]["inputs"]["raw"]
    assert data["a"]["path"] == str(here.folder / "raw.csv")
    assert "/LocalUpload/" in data["b"]["path"]


def test_a_pull_that_is_cut_off_leaves_nothing_half_written(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    name = submitted(here)
    workspace = Workspace(here.folder / "home")

    def cut_off(_stored: StoredBlobs, _blob: object, _start: int) -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(StoredBlobs, "chunks", cut_off)
        with pytest.raises(CreditMLError):
            pull(Cloud.find({}), workspace, name)

    files = [file for file in (here.folder / "home/jobs").rglob("*") if file.is_file()]
    assert files
    assert all(".partial" in str(file) for file in files)
    with pytest.raises(NotFound):
        workspace.jobs.get(name)
    assert pull(Cloud.find({}), workspace, name).status == "Completed"
    assert not list((here.folder / "home/jobs").rglob(".*.partial"))


def test_a_registered_component_of_the_cloud_can_be_used(here: Project, azure: Project) -> None:
    shutil.rmtree(azure.folder / "src", ignore_errors=True)
    azure.write("src/main.py", "print('from there')")
    component = step("python main.py ${{inputs.x}}", name="there", version="3", code="./src")
    component |= {"inputs": {"x": {"type": "integer", "default": 2, "optional": True}}, "environment": CONDA}
    component["command"] = "python main.py $[[${{inputs.x}}]]"
    azure.write("there.yml", component)
    azure.creditml("component", "create", "-f", "there.yml")

    found = CloudComponents(Cloud.find({})).component("azureml:there:3")
    latest = CloudComponents(Cloud.find({})).component("azureml:there@latest")

    assert found
    assert (found.name, found.version, found.inputs["x"].optional, found.inputs["x"].default) == (
        "there",
        "3",
        True,
        "2",
    )
    assert found == latest
    with pytest.raises(NotFound, match="az ml component list -n nowhere"):
        CloudComponents(Cloud.find({})).component("azureml:nowhere:1")
    with pytest.raises(NotFound, match="az ml component list -n nowhere"):
        CloudComponents(Cloud.find({})).component("azureml:nowhere@latest")
    with pytest.raises(NotFound, match="no label but 'latest'"):
        CloudComponents(Cloud.find({})).component("azureml:there@newest")
    here.write("job.yml", pipeline({"a": {"type": "command", "component": "azureml:there:3"}}, name="uses_there"))
    executor = AzureMLExecutor(Workspace(here.folder / "home"))
    job = read_job(here.folder / "job.yml").job
    assert job
    executor.submit(job)
    eventually(lambda: executor.poll("uses_there").status in ("Completed", "Failed"))
    assert list(executor.logs("uses_there", "a")) == ["from there"]
    executor.pull("uses_there", tell=print)
    here.creditml("step", "run", "uses_there/a", "--name", "again")


@pytest.mark.usefixtures("here")
def test_a_component_of_a_registry_can_be_read(azure: Project) -> None:
    component = step("echo hi", name="shared_one", version="2") | {"environment": CONDA}
    azure.write("shared.yml", component)
    azure.creditml("component", "create", "-f", "shared.yml", "--registry-name", "team-registry")
    components = CloudComponents(Cloud.find({}))

    found = components.component("azureml://registries/team-registry/components/shared_one/versions/2")

    assert found
    assert (found.name, found.version) == ("shared_one", "2")
    with pytest.raises(NotFound):
        components.component("azureml://registries/team-registry/components/shared_one/versions/3")


def test_no_connection_is_no_mistake_of_the_job(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    here.write("job.yml", pipeline({"a": {"type": "command", "component": "azureml:there:3"}}))
    executor = AzureMLExecutor(Workspace(here.folder / "home"))
    monkeypatch.setattr(CloudAssets, "component_body", unreachable)
    job = read_job(here.folder / "job.yml").job
    assert job

    with pytest.raises(BackendUnavailable):
        executor.prepare(job)


def unreachable(_assets: CloudAssets, _asset: object) -> None:
    raise BackendUnavailable


def test_a_job_that_is_not_there_is_told(here: Project) -> None:
    done = here.creditml("pull", "no_such_job", code=1)

    assert "no_such_job" in done.err
    assert "Traceback" not in json.dumps(done.err)
