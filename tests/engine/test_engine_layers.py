"""What a step does to its environment is its own affair: others that share it see nothing of it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from local_channel import Channel
from local_wheels import Wheels
from project import Project, pipeline, step

if TYPE_CHECKING:
    from pathlib import Path

    from project import Json

SHOW = 'python -c "import tool; print(tool.__version__, tool.__file__)"'


@pytest.fixture
def wheels(tmp_path: Path) -> Wheels:
    """Two versions of a package, and the real pip."""
    wheels = Wheels(tmp_path / "wheels")
    (wheels.folder / "pip-20.0-py3-none-any.whl").unlink()
    wheels.add_pip()
    for version in ("1.0", "2.0"):
        wheels.add("tool", version)
    return wheels


@pytest.fixture
def project(tmp_path: Path, wheels: Wheels) -> Project:
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels.folder), "PIP_CONFIG_FILE": "/dev/null"}
    return Project(tmp_path / "project", **found)


def install(wheels: Wheels) -> str:
    return f"pip install -q --no-index --find-links {wheels.folder} tool==2.0"


def with_tool(command: str, **keys: Json) -> dict[str, Json]:
    environment = {"image": "base", "conda_file": {"dependencies": ["pip", {"pip": ["tool==1.0"]}]}}
    return {**step(command, **keys), "environment": environment}


def test_what_a_step_installs_on_the_host_is_gone_with_it(project: Project, wheels: Wheels) -> None:
    job = project.run(pipeline({"a": step(f"{install(wheels)} && {SHOW}")}))
    version, place = job.log("a").split()
    assert version == "2.0"
    assert place.startswith(str(job.folder()))
    assert importlib.util.find_spec("tool") is None


def test_steps_that_share_an_environment_do_not_see_what_one_installs(project: Project, wheels: Wheels) -> None:
    first = with_tool(f"{SHOW} && {install(wheels)} && {SHOW} && echo > ${{{{outputs.done}}}}/x", outputs={"done": {}})
    after = with_tool(SHOW, inputs={"done": {"type": "uri_folder", "path": "${{parent.jobs.first.outputs.done}}"}})
    after["inputs"]["done"] = "${{parent.jobs.first.outputs.done}}"
    job = project.run(pipeline({"first": first, "after": after}), "--env", "uv")
    before, own = (line.split() for line in job.log("first").splitlines())
    assert (before[0], own[0]) == ("1.0", "2.0")
    assert job.log("after").split() == before
    assert "2.0" not in before[1]


def test_what_writes_into_the_shared_environment_is_stopped(project: Project) -> None:
    spoil = "python -c 'import tool; print(tool.__file__)' | { read file; echo spoilt=True >> $file; }"
    spoilt = project.run(pipeline({"a": with_tool(spoil)}), "--env", "uv", code=1)
    assert "other steps share it" in spoilt.done.err
    job = project.run(pipeline({"a": with_tool(SHOW + ' && python -c "import tool; print(dir(tool))"')}), "--env", "uv")
    assert "spoilt" not in job.log("a")


def test_a_package_that_nobody_has_fails_the_job_and_is_named(project: Project) -> None:
    node = with_tool("true")
    node["environment"]["conda_file"]["dependencies"][1]["pip"] = ["tool==9.0"]
    job = project.run(pipeline({"a": node}), "--env", "uv", code=1)
    assert "tool==9.0" in job.done.err
    assert job.show("error.code") == "EnvironmentFailed"
    relaxed = project.run(pipeline({"a": node}), "--env", "uv", "--env-relax")
    assert "tool ==9.0" in relaxed.done.out


def test_a_conda_environment_comes_from_the_projects_channel(project: Project, wheels: Wheels, tmp_path: Path) -> None:
    channel = Channel(tmp_path / "channel")
    channel.add_python()
    channel.add_module("tool", "1.0")
    project.write("creditml.yml", {"channels": {"conda-forge": str(channel.folder)}, "env": "conda"})
    environment = {
        "image": "base",
        "conda_file": {"channels": ["conda-forge"], "dependencies": ["python", "pip", "tool=1.0"]},
    }
    prefix = 'python -c "import sys; print(sys.prefix)"; echo $CONDA_PREFIX'
    plain = project.run(pipeline({"a": {**step(f"{SHOW}; {prefix}"), "environment": environment}}))
    show, ours, conda = plain.log("a").splitlines()
    assert show.startswith("1.0 ")
    assert ours == conda
    own = project.run(pipeline({"a": {**step(f"{install(wheels)} && {SHOW}"), "environment": environment}}))
    assert own.log("a").startswith("2.0 ")
    again = project.run(pipeline({"a": {**step(SHOW), "environment": environment}}))
    assert again.log("a").startswith("1.0 ")
