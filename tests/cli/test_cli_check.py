"""`creditml check` says what `creditml job validate` says, for where the job is to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from project import Json, Project

GOOD: Json = {"command": "true", "environment": {"image": "python:3.11"}}


@pytest.mark.parametrize(
    ("job", "code"),
    [(GOOD, 0), ({"command": "true"}, 0), ({**GOOD, "inputz": {}}, 1), ({"type": "sweep"}, 1)],
    ids=["good", "a warning", "an error", "no job"],
)
def test_it_says_what_validate_says(project: Project, job: Json, code: int) -> None:
    project.write("job.yml", job)

    checked = project.creditml("check", "job.yml", code=code)

    assert checked == project.creditml("job", "validate", "-f", "job.yml", code=code)
    assert checked.out == ("" if code else "job.yml: valid\n")


def test_a_check_makes_no_workspace(project: Project) -> None:
    inputs = {"d": {"type": "uri_folder", "path": "azureml:nothing:1"}}
    project.write("job.yml", {"command": "ls ${{inputs.d}}", "environment": "azureml:none@latest", "inputs": inputs})

    told = project.creditml("check", "job.yml", code=1).err

    assert f"no data asset named 'nothing' in the workspace {project.workspace}" in told
    assert not project.workspace.exists()


def test_the_findings_are_told_in_any_format(project: Project) -> None:
    project.write("job.yml", {"command": "echo ${{inputs.x}}"})

    told = json.loads(project.creditml("check", "job.yml", "-o", "json", code=1).out)

    assert told["result"] == "Failed"
    assert {"severity", "message", "path", "location"} == set(told["problems"][0])
    assert (
        project.creditml("check", "job.yml", "--query", "problems[0].severity", "-o", "tsv", code=1).out == "warning\n"
    )


def test_what_is_set_is_checked_where_it_was_set(project: Project) -> None:
    project.write("job.yml", GOOD)

    done = project.creditml("check", "job.yml", "--set", "inputs.x.mode=direkt", code=1)

    assert done.err.startswith("--set inputs.x.mode=direkt: ")


@pytest.mark.parametrize("words", [(), ("none.yml",), ("job.yml", "--backend", "moon")])
def test_what_can_t_be_meant_is_said(project: Project, words: tuple[str, ...]) -> None:
    project.write("job.yml", GOOD)

    done = project.creditml("check", *words, code=None)

    assert done.code in (1, 2)
    assert done.err
