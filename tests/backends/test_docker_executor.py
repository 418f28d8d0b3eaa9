"""The Docker backend keeps the executor's contract, and runs whole jobs against a real engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from containers import IMAGE
from project import Project, eventually, pipeline, processes, step

from creditml.config import EnvironmentSettings
from creditml.entry_points import load
from creditml.submission.options import Options
from creditml.testing.executors import ExecutorContract
from creditml.workspace import Workspace
from creditml_docker import DockerExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from project import Json

    from creditml_docker.engines import Engine

pytestmark = pytest.mark.usefixtures("engine")
KNOWN = {"any": {"image": IMAGE}}


class TestDockerExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path, engine: Engine) -> DockerExecutor:  # noqa: ARG002  it needs one
        options = Options(environments=EnvironmentSettings(known=KNOWN))
        return DockerExecutor(Workspace(tmp_path / "home"), options)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose steps run in containers."""
    project = Project(tmp_path / "project", CREDITML_BACKEND="docker")
    project.write("creditml.yml", {"images": {"mine": IMAGE}})
    return project


def inside(command: str, **keys: Json) -> dict[str, Json]:
    return {**step(command, **keys), "environment": {"image": "mine:1"}}


def test_the_docker_backend_is_found() -> None:
    assert load("docker") is DockerExecutor


def test_data_goes_from_container_to_container_at_azures_paths(project: Project) -> None:
    project.write("data.csv", "a,b\n")
    make = inside(
        "pwd; cat ${{inputs.data}} > ${{outputs.out}}/copy.csv; echo artifact > outputs/note.txt",
        inputs={"data": {"type": "uri_file", "path": "data.csv"}},
        outputs={"out": {}},
    )
    take = inside("cat ${{inputs.copy}}/copy.csv", inputs={"copy": "${{parent.jobs.make.outputs.out}}"})
    job = project.run(pipeline({"make": make, "take": take}))
    assert job.log("make").startswith("/mnt/azureml/cr/j/")
    assert job.log("take") == "a,b\n"
    assert (job.folder("make") / "artifacts/outputs/note.txt").read_text() == "artifact\n"
    owners = {path.stat().st_uid for path in job.folder().rglob("*")}
    assert owners == {os.getuid()}


@pytest.mark.parametrize("mode", ["ro_mount", "download", "direct"])
def test_an_input_is_there_in_every_mode(project: Project, mode: str) -> None:
    project.write("data.csv", "a,b\n")
    given = {"data": {"type": "uri_file", "path": "data.csv", "mode": mode}}
    job = project.run(pipeline({"take": inside("given=${{inputs.data}}; cat ${given#file://}", inputs=given)}))
    assert job.log("take") == "a,b\n"


def test_a_changed_input_is_refused(project: Project) -> None:
    project.write("data.csv", "a,b\n")
    node = inside(
        "echo more >> ${{inputs.data}}", inputs={"data": {"type": "uri_file", "path": "data.csv", "mode": "ro_mount"}}
    )
    project.run(pipeline({"spoil": node}), code=1)
    assert (project.folder / "data.csv").read_text() == "a,b\n"


def test_an_output_with_a_place_of_its_own_is_there(project: Project) -> None:
    place = "azureml://datastores/workspaceblobstore/paths/models"
    node = inside("echo 1 > ${{outputs.model}}/weights", outputs={"model": {"path": place}})
    project.run(pipeline({"train": node}))
    found = list((project.workspace / "datastores").rglob("models/weights"))
    assert [path.read_text() for path in found] == ["1\n"]


def test_a_step_logs_to_the_tracking_server(project: Project) -> None:
    log = """
        import json, os, urllib.request
        body = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": "auc", "value": 0.5, "timestamp": 1, "step": 0}
        place = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-metric"
        token = os.environ["MLFLOW_TRACKING_TOKEN"]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(place, json.dumps(body).encode(), headers)
        urllib.request.urlopen(asked)
    """
    project.write("src/log.py", log)
    job = project.run(pipeline({"train": inside("python3 log.py", code="src")}))
    assert "train: auc=0.5" in job.done.out


def test_only_what_is_handed_on_is_seen_of_this_machine(project: Project) -> None:
    project.variables |= {"HANDED_ON": "yes", "KEPT": "secret", "OMP_NUM_THREADS": "1"}
    job = project.run(pipeline({"look": inside("env; ls /")}), "--pass-env", "HANDED_ON")
    log = job.log("look")
    assert "HANDED_ON=yes" in log
    assert "secret" not in log
    assert os.environ["PATH"] not in log
    assert str(project.folder) not in log.replace(f"PWD={project.folder}", "")


def test_a_step_without_an_environment_is_refused_beforehand(project: Project) -> None:
    component = {"type": "command", "name": "bare", "command": "true", "environment": "azureml:nobody:1"}
    project.write("bare.yml", component)
    job = pipeline({"a": {"type": "command", "component": "bare.yml"}, "b": inside("true")})
    project.write("job.yml", job)
    done = project.creditml("run", "job.yml", code=1)
    assert "nobody" in done.err
    assert "creditml.yml" in done.err
    assert "Nothing was run" in done.err


def test_what_opens_the_machine_is_refused_before_anything_runs(project: Project) -> None:
    node = inside("true", resources={"docker_args": "--privileged"})
    project.write("job.yml", pipeline({"a": node}))
    done = project.creditml("run", "job.yml", code=1)
    assert "job.yml:" in done.err
    assert "--privileged" in done.err
    assert "Nothing was run" in done.err


def test_an_image_that_nobody_has_fails_the_job_and_is_named(project: Project) -> None:
    node = {**step("true"), "environment": {"image": "creditml.invalid/nowhere:1"}}
    job = project.run(pipeline({"a": node}), code=1)
    assert "creditml.invalid/nowhere:1" in job.done.err
    assert "images:" in job.done.err
    assert job.show("error.code") == "EnvironmentFailed"


def test_a_canceled_job_leaves_no_container(project: Project, engine: Engine) -> None:
    project.write("job.yml", pipeline({"a": inside("sleep 600")}))
    done = project.creditml("job", "create", "-f", "job.yml", "-n", "long")
    assert done.code == 0
    eventually(lambda: project.json("job", "list", "-p", "long"))
    project.creditml("job", "cancel", "-n", "long")
    eventually(lambda: project.json("job", "show", "-n", "long")["status"] == "Canceled")
    run = project.json("job", "list", "-p", "long")[0]["name"]
    eventually(lambda: not processes(f"creditml.engine {project.workspace} long "))
    assert engine.api.containers(all=True, filters={"label": f"creditml.run={run}"}) == []


def test_flags_of_containers_are_for_containers(project: Project) -> None:
    project.write("job.yml", pipeline({"a": inside("true")}))
    done = project.creditml("run", "job.yml", "--backend", "local", "--pull", "never", code=2)
    assert "--backend docker" in done.err
    done = project.creditml("run", "job.yml", "--env", "uv", code=2)
    assert "--env uv" in done.err


SECRET = "nobody but the owner of this machine reads this"
LINKS = {
    "a file": ("ln -s {secret} ${{{{outputs.out}}}}/words.txt", "words.txt"),
    "a folder": ("ln -s {folder} ${{{{outputs.out}}}}/all", "all"),
    "a way round": ("cd ${{{{outputs.out}}}}; ln -s ../../../../../../../../../../..{secret} words.txt", "words.txt"),
    "a link to a link": ("cd ${{{{outputs.out}}}}; ln -s {secret} one; ln -s one two", "one"),
    "the output itself": ("rmdir ${{{{outputs.out}}}}; ln -s {folder} ${{{{outputs.out}}}}", ""),
    "a folder above": (
        "cd ${{{{outputs.out}}}}/..; n=$(basename ${{{{outputs.out}}}}); d=$PWD; cd ..; mv wd old; ln -s {folder} wd",
        "above",
    ),
}


@pytest.mark.parametrize("code", [0, 1], ids=["completed", "failed"])
@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_a_container_step_to_none_of_this_machines_files(
    project: Project, tmp_path: Path, link: str, code: int
) -> None:
    folder = tmp_path / "private"
    (folder / "out").mkdir(parents=True)
    for place in (folder / "words.txt", folder / "out" / "words.txt"):
        place.write_text(SECRET)
    command = LINKS[link][0].format(secret=folder / "words.txt", folder=folder)
    job = project.run(pipeline({"a": inside(f"{command}; exit {code}", outputs={"out": {}})}), code=code)
    project.creditml("job", "download", "-n", job.name, "--all", "-p", "got")

    assert SECRET not in "".join(
        path.read_text(errors="replace")
        for place in (project.workspace / "jobs", project.folder / "got")
        for path in place.rglob("*")
        if path.is_file()
    )
    assert not [path for path in job.folder().rglob("*") if path.is_symlink() and "cr" not in path.parts]
    assert (folder / "out" / "words.txt").read_text() == SECRET  # nothing was moved away


def test_links_of_a_container_step_to_its_own_data_are_kept_as_files(project: Project) -> None:
    project.write("data/one.txt", "1\n")
    command = (
        "cd ${{outputs.out}}; ln -s ${{inputs.data}} data; ln -s ${{inputs.data}}/one.txt .; mkdir v1; echo 2 > v1/w; "
        "ln -s v1 latest; echo 3 > $OLDPWD/deep; ln -s $OLDPWD/deep $OLDPWD/outputs; ln -s /etc/hostname name; mkfifo p"
    )
    given = {"data": {"type": "uri_folder", "path": "data"}}
    job = project.run(pipeline({"a": inside(command, inputs=given, outputs={"out": {}})}))
    out = job.folder("a") / "outputs/out"

    assert (out / "data/one.txt").read_text() == (out / "one.txt").read_text() == "1\n"
    assert (out / "latest/w").read_text() == "2\n"
    assert (job.folder("a") / "artifacts/outputs/deep").read_text() == "3\n"
    assert not [path for path in out.rglob("*") if path.is_symlink() and path.name != "latest"]
    assert sorted(path.name for path in out.iterdir()) == ["data", "latest", "one.txt", "v1"]
    assert "kept without what is not data of the step's own: name" in job.log("a")


def test_what_lies_where_a_container_step_put_a_link_is_not_cleared_away(project: Project, tmp_path: Path) -> None:
    (tmp_path / "private" / "wd").mkdir(parents=True)
    (tmp_path / "private" / "wd" / "words.txt").write_text(SECRET)
    project.write("src/one.py", "")
    project.run(pipeline({"a": inside(f"cd ../..; mv exe old; ln -s {tmp_path / 'private'} exe", code="src")}))

    assert (tmp_path / "private" / "wd" / "words.txt").read_text() == SECRET
