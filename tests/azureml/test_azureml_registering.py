"""What a job names and the cloud lacks is registered on the way; what is there with other content is an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from project import Project

from creditml.errors import SpecError
from creditml.nodes.specs import read_job
from creditml.testing.executors import ended
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor
from creditml_azureml.registering import register

if TYPE_CHECKING:
    from pathlib import Path

    from azure_side import Served


@pytest.fixture
def names() -> dict[str, str]:
    """Names that the cloud, which all tests share, has not seen."""
    return {kind: f"{kind}_{os.urandom(4).hex()}" for kind in ("data", "environment", "component")}


@pytest.fixture
def local(signed_in: Path) -> Project:
    """The user's project."""
    return Project(signed_in / "project", CREDITML_HOME=str(signed_in / "home"))


@pytest.fixture
def executor(signed_in: Path) -> AzureMLExecutor:
    return AzureMLExecutor(Workspace(signed_in / "home"))


def environment(project: Project, name: str, version: str = "1", image: str = "python:3.11") -> None:
    file = project.write("environment.yml", {"name": name, "version": version, "image": image})
    project.creditml("environment", "create", "-f", str(file))


def data(project: Project, name: str, content: str, version: str = "1", kind: str = "uri_folder") -> None:
    project.write(f"{version}/words/words.txt", content)
    path = f"{version}/words" + ("" if kind == "uri_folder" else "/words.txt")
    file = project.write("data.yml", {"name": name, "version": version, "type": kind, "path": path})
    project.creditml("data", "create", "-f", str(file))


def component(project: Project, names: dict[str, str], **changes: str) -> None:
    folder = f"code_{names['component']}"  # the service's folder is shared with other tests
    project.write(f"{folder}/main.sh", changes.pop("code", "cat $1/words.txt > $2/out.txt"))
    values = {
        "type": "command",
        "name": names["component"],
        "version": "1",
        "inputs": {"given": {"type": "uri_folder"}},
        "outputs": {"out": {"type": "uri_folder"}},
        "code": f"./{folder}",
        "command": "bash main.sh ${{inputs.given}} ${{outputs.out}}",
        "environment": f"azureml:{names['environment']}:1",
    }
    project.creditml("component", "create", "-f", str(project.write("component.yml", values | changes)))


def job(project: Project, names: dict[str, str], version: str = ":1") -> Path:
    step = {
        "type": "command",
        "component": f"azureml:{names['component']}{version}",
        "inputs": {"given": {"type": "uri_folder", "path": f"azureml:{names['data']}{version}"}},
    }
    graph = {"type": "pipeline", "settings": {"default_compute": "azureml:serverless"}, "jobs": {"only": step}}
    return project.write("job.yml", graph)


def everything(project: Project, names: dict[str, str]) -> Path:
    environment(project, names["environment"])
    data(project, names["data"], "hello")
    component(project, names)
    return job(project, names)


@pytest.mark.parametrize("version", [":1", "@latest"])
def test_what_the_cloud_lacks_is_registered_and_used(
    executor: AzureMLExecutor, local: Project, names: dict[str, str], tmp_path: Path, version: str
) -> None:
    everything(local, names)
    file = job(local, names, version)

    told = register(read_job(file).job, executor.workspace, executor.cloud)
    name = executor.submit(read_job(file).job)

    assert sorted(told) == sorted(
        [
            f"environment {names['environment']}:1 is registered in Azure ML.",
            f"component {names['component']}:1 is registered in Azure ML.",
            f"data asset {names['data']}:1 is registered in Azure ML.",
        ]
    )
    assert ended(executor, name).status == "Completed"
    assert (executor.fetch(name, "only", "out", tmp_path / "out") / "out.txt").read_text().strip() == "hello"
    assert register(read_job(file).job, executor.workspace, executor.cloud) == []


def refused(executor: AzureMLExecutor, file: Path) -> str:
    with pytest.raises(SpecError) as raised:
        executor.submit(read_job(file).job)
    return str(raised.value)


def uploads(azure: Served) -> set[Path]:
    return set((azure.workspace / "datastores" / "workspaceblobstore" / "LocalUpload").rglob("*"))


def test_the_same_content_is_no_conflict_and_not_uploaded_again(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    """Somebody else has registered the same by themselves."""
    everything(azure, names)
    file = everything(local, names)
    before = uploads(azure)

    assert register(read_job(file).job, executor.workspace, executor.cloud) == []
    assert uploads(azure) == before


def test_other_content_is_an_error_at_its_place_with_the_difference_and_a_next_version(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    environment(azure, names["environment"], image="python:3.12")
    data(azure, names["data"], "other")
    data(azure, names["data"], "another", version="4")
    component(azure, names, command="true ${{inputs.given}} ${{outputs.out}}")
    file = everything(local, names)

    message = refused(executor, file)

    lines = message.splitlines()
    assert len(lines) == 3
    assert [line.partition("job.yml:")[2].partition(":")[0] for line in lines] == ["9", "9", "13"], message
    assert "image: python:3.12 there, python:3.11 here" in message
    assert f"{names['environment']}:1, which azureml:{names['component']}:1 names, is in Azure ML" in message
    assert f"write azureml:{names['environment']}:2" in message
    assert 'command: "true ' in message
    assert "content: " in message
    assert f"write azureml:{names['data']}:5" in message


def test_other_code_is_other_content(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    everything(azure, names)
    component(azure, names | {"component": f"{names['component']}x"})
    everything(local, names)
    component(local, names | {"component": f"{names['component']}x"}, code="exit 1")

    message = refused(executor, job(local, names | {"component": f"{names['component']}x"}))

    assert "with other content (code: " in message


def test_what_can_not_be_compared_is_an_error_that_names_both(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    """Data there that no client has uploaded."""
    place = "azureml://datastores/workspaceblobstore/paths/somewhere/else/"
    spec = {"name": names["data"], "version": "1", "type": "uri_folder", "path": place}
    azure.creditml("data", "create", "-f", str(azure.write("data.yml", spec)))
    file = everything(local, names)

    message = refused(executor, file)

    assert "it can't be told whether they are the same" in message
    assert f"/data/{names['data']}/versions/1" in message
    assert str(executor.workspace.root) in message


def test_the_latest_there_is_used_and_a_difference_is_told(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    everything(azure, names)
    data(azure, names["data"], "all of it", version="7")
    everything(local, names)

    told = register(read_job(job(local, names, "@latest")).job, executor.workspace, executor.cloud)

    latest = f"azureml:{names['data']}@latest"
    assert told == [f"{latest} is version 7 in Azure ML, and differs from the latest version here (version 1)."]


def test_the_proposed_commands_work(
    executor: AzureMLExecutor, local: Project, azure: Served, names: dict[str, str]
) -> None:
    environment(azure, names["environment"], image="python:3.12")
    file = everything(local, names)
    commands = refused(executor, file).split("`")[1]
    show, create = commands.split(" && ")
    words, _, target = show.partition(" > ")
    local.write(target, local.creditml(*words.split()[1:]).out)

    local.creditml(*create.split()[1:])

    assert "python:3.11" in local.creditml("environment", "show", "-n", names["environment"], "-v", "2").out


def test_a_pipeline_component_takes_along_what_it_names(
    executor: AzureMLExecutor, local: Project, names: dict[str, str], tmp_path: Path
) -> None:
    everything(local, names)
    inner = {
        "type": "command",
        "component": f"azureml:{names['component']}:1",
        "inputs": {"given": "${{parent.inputs.given}}"},
        "outputs": {"out": "${{parent.outputs.out}}"},
    }
    inline = {
        "type": "command",
        "code": f"./code_{names['component']}",
        "command": "test -f main.sh",
        "environment": f"azureml:{names['environment']}:1",
    }
    outer = {
        "type": "pipeline",
        "name": f"outer_{names['component']}",
        "version": "1",
        "inputs": {"given": {"type": "uri_folder"}},
        "outputs": {"out": {"type": "uri_folder"}},
        "jobs": {"inner": inner, "inline": inline},
    }
    local.creditml("component", "create", "-f", str(local.write("outer.yml", outer)))
    step = {
        "type": "pipeline",
        "component": f"azureml:{outer['name']}:1",
        "inputs": {"given": {"type": "uri_folder", "path": f"azureml:{names['data']}:1"}},
    }
    graph = {"type": "pipeline", "settings": {"default_compute": "azureml:serverless"}, "jobs": {"all": step}}
    read = read_job(local.write("job.yml", graph)).job

    name = executor.submit(read)

    assert ended(executor, name).status == "Completed"
    assert (executor.fetch(name, "all.inner", "out", tmp_path / "out") / "out.txt").read_text().strip() == "hello"
    assert register(read, executor.workspace, executor.cloud) == []
