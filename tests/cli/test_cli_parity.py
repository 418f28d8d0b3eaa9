"""`creditml parity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from project import Json, Project

PLAIN: Json = {"command": "true", "code": "./src", "environment": "azureml:env:1"}


def fates(project: Project, *words: str) -> dict[str, str]:
    told = json.loads(project.creditml("parity", "job.yml", "-o", "json", *words).out)
    return {use["path"]: use["fate"] for use in told}


def test_each_field_is_told_with_its_place_and_fate(project: Project) -> None:
    project.write(
        "job.yml",
        """\
        command: "true"
        environment: azureml:env:1
        compute: cluster
        resources:
          instance_count: 2
          shm_size: 1g
        limits: {timeout: 60}
        """,
    )

    shown = project.creditml("parity", "job.yml").out.splitlines()

    assert "job.yml:3:10: compute: ignored: every step runs on this machine" in shown
    assert any(line.startswith("job.yml:5:19: resources.instance_count: approximated: one process") for line in shown)
    assert "job.yml:7:19: limits.timeout: emulated: the step is canceled when the time is over" in shown
    assert shown[-1] == "8 fields: 4 emulated, 2 approximated, 2 ignored, 0 refused"


def test_containers_emulate_more(project: Project) -> None:
    project.write("job.yml", {**PLAIN, "environment": {"image": "x"}, "resources": {"shm_size": "1g"}})

    here, there = fates(project), fates(project, "--backend", "docker")

    assert (here["resources.shm_size"], there["resources.shm_size"]) == ("ignored", "emulated")
    assert (here["environment.image"], there["environment.image"]) == ("approximated", "emulated")


def test_a_value_may_decide(project: Project) -> None:
    project.write("job.yml", {**PLAIN, "resources": {"instance_count": 1}, "inputs": {"a": {"path": ".", "mode": "x"}}})

    assert fates(project)["resources.instance_count"] == "emulated"
    assert fates(project, "--set", "inputs.a.mode=direct")["inputs.a.mode"] == "approximated"


def test_files_and_registered_components_are_looked_into(project: Project) -> None:
    component: Json = {"type": "command", "name": "c", "version": "1", "command": "true"}
    component["resources"] = {"instance_count": 2}
    project.write("parts/c.yml", component)
    project.creditml("component", "create", "-f", "parts/c.yml")
    project.write(
        "job.yml",
        {
            "type": "pipeline",
            "jobs": {"a": {"component": "./parts/c.yml"}, "b": {"component": "azureml:c:1"}, "s": {"type": "sweep"}},
        },
    )

    told = {use["path"]: use for use in json.loads(project.creditml("parity", "job.yml", "-o", "json").out)}

    assert told["jobs.a.component.resources.instance_count"]["fate"] == "approximated"
    assert told["jobs.a.component.resources.instance_count"]["location"].startswith(str(Path("parts", "c.yml")))
    assert told["jobs.b.component.resources.instance_count"]["fate"] == "approximated"
    assert told["jobs.s.type"]["fate"] == "refused"


def test_strict_is_about_anything_but_emulated(project: Project) -> None:
    project.write("job.yml", {"command": "true"})
    assert project.creditml("parity", "job.yml", "--strict").code == 0

    project.write("job.yml", {"command": "true", "compute": "cluster"})
    assert project.creditml("parity", "job.yml", "--strict", code=1).code == 1
    assert project.creditml("parity", "job.yml").code == 0


def test_what_can_t_be_meant_is_said(project: Project) -> None:
    project.write("job.yml", PLAIN)

    assert "local or docker" in project.creditml("parity", "job.yml", "--backend", "azureml", code=2).err
    assert "FILE or --docs" in project.creditml("parity", code=2).err
    assert "can't be read" in project.creditml("parity", "none.yml", code=1).err
