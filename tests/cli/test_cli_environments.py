"""`creditml environment show|build|prune`: what environments ask for, and what is made of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from project import Json, Project

HERE = ".".join(map(str, sys.version_info[:2]))
CONDA = {"channels": ["conda-forge"], "dependencies": [f"python={HERE}", "pyyaml", {"pip": ["nowhere-x==1", "rich<1"]}]}


def shown(project: Project, *words: str) -> Json:
    return json.loads(project.creditml("environment", "show", *words).out)


def states(found: Json) -> dict[str, str]:
    return {package["name"]: package["state"] for package in found["host"]["packages"]}


def test_show_of_a_file_tells_what_it_asks_for_and_what_of_it_is_here(project: Project) -> None:
    project.write("conda.yml", CONDA)
    project.write("env.yml", {"name": "mine", "image": "python:3", "conda_file": "conda.yml"})

    found = shown(project, "-f", "env.yml")

    assert (found["name"], found["image"], found["python"]) == ("mine", "python:3", HERE)
    assert (found["conda"], found["pip"], found["channels"]) == (
        ["pyyaml"],
        ["nowhere-x==1", "rich<1"],
        ["conda-forge"],
    )
    assert states(found) == {"pyyaml": "same", "nowhere-x": "missing", "rich": "other version"}
    assert found["host"]["python_state"] == "same"
    assert "missing: nowhere-x" in found["host"]["differs"]


def test_a_conda_file_alone_will_do(project: Project) -> None:
    project.write("conda.yml", CONDA)

    found = shown(project, "-f", "conda.yml")

    assert found["name"] == "conda.yml"
    assert states(found)["nowhere-x"] == "missing"


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu"),
        ("-n", "AzureML-sklearn-1.0", "-v", "5"),
        ("-n", "azureml://registries/azureml/environments/AzureML-sklearn-1.0/labels/latest"),
        ("-n", "AzureML-sklearn-1.0", "-l", "latest", "--registry-name", "azureml"),
    ],
)
def test_show_of_a_curated_environment(project: Project, words: tuple[str, ...]) -> None:
    found = shown(project, *words)

    assert found["python"] == "3.8"
    assert "scikit-learn~=1.0.0" in found["pip"]
    assert found["host"]["python_state"] == "other version"
    assert not project.workspace.exists()  # nothing is written by looking


def test_a_registered_one_is_shown_as_it_was_and_its_drift_on_request(project: Project) -> None:
    project.write("conda.yml", CONDA)
    create = ("environment", "create", "--name", "sklearn-1.5", "--image", "python:3", "--conda-file", "conda.yml")
    created = json.loads(project.creditml(*create).out)

    assert shown(project, "-n", "sklearn-1.5") == created
    found = shown(project, "-n", "sklearn-1.5", "-v", "1", "--drift")
    assert found["image"] == "python:3"
    assert states(found)["nowhere-x"] == "missing"


def test_the_settings_say_more_of_an_environment(project: Project) -> None:
    project.write(
        "creditml.yml", {"environments": {"theirs": {"image": "a:1", "env": "uv"}}, "images": {"a": "local:2"}}
    )

    found = shown(project, "-n", "theirs", "-v", "3")

    assert (found["image"], found["env"]) == ("local:2", "uv")


def test_packages_as_a_table(project: Project) -> None:
    project.write("conda.yml", CONDA)

    table = project.creditml("environment", "show", "-f", "conda.yml", "--query", "host.packages", "-o", "table").out

    assert table.splitlines()[0].split() == ["Name", "Asked", "Installed", "State"]
    assert any(line.split() == ["nowhere-x", "==1", "missing"] for line in table.splitlines())


def test_an_unknown_name_is_told_as_before(project: Project) -> None:
    assert "There is no workspace here" in project.creditml("environment", "show", "-n", "nope", code=1).err
    project.creditml("environment", "create", "--name", "mine", "--image", "a")
    assert (
        "no environment named 'nope' in the workspace "
        in project.creditml("environment", "show", "-n", "nope", code=1).err
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- a list\n", "is not an environment"),
        ("image: a\nconda: b\n", "bad.yml:2:1: Unknown key 'conda'"),
        ("dependencies: [numpy==]\n- x", "bad.yml:"),
        ("dependencies: [1]\n", "The conda file of the environment bad.yml can't be used"),
    ],
)
def test_a_file_that_is_wrong(project: Project, content: str, said: str) -> None:
    project.write("bad.yml", content)

    assert said in project.creditml("environment", "show", "-f", "bad.yml", code=1).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show",), "-f FILE"),
        (("show", "-f", "a.yml", "-n", "b"), "-f FILE"),
        (("show", "-f", "a.yml", "-v", "1"), "can't be used together with --version"),
        (("show", "-n", "a", "-v", "1", "-l", "latest"), "can't be used together"),
        (("build", "--env", "uv"), "-f FILE"),
        (("build", "-n", "sklearn-1.5"), "--env uv or --env conda"),
        (("build", "-n", "sklearn-1.5", "--env", "host"), "invalid choice"),
        (("prune",), "--older-than DAYS"),
        (("prune", "--all", "--older-than", "3"), "--older-than DAYS"),
        (("prune", "--older-than", "x"), "'x' is not a number of days"),
        (("prune", "--older-than", "-1"), "is not a number of days"),
        (("prune", "--older-than", "nan"), "is not a number of days"),
    ],
)
def test_calls_that_can_t_be_meant(project: Project, words: tuple[str, ...], said: str) -> None:
    assert said in project.creditml("environment", *words, code=2).err


def test_there_is_nothing_to_prune(project: Project) -> None:
    done = project.creditml("environment", "prune", "--all")

    assert json.loads(done.out) == []
    assert "Removed 0 environments, 0 bytes." in done.err


def test_a_build_of_what_is_unknown_says_how_to_tell(project: Project) -> None:
    said = project.creditml("environment", "build", "-n", "nope", "--env", "uv", code=1).err

    assert "creditml.yml" in said


@pytest.mark.skipif(
    importlib.util.find_spec("creditml.environments.uv") is None, reason="what makes environments is not there"
)
def test_an_environment_is_built_shown_and_pruned(project: Project) -> None:
    project.write("conda.yml", {"dependencies": [f"python={HERE}"]})

    built = project.creditml("environment", "build", "-f", "conda.yml", "--env", "uv")

    made = json.loads(built.out)
    assert made["env"] == "uv"
    assert made["name"] == "conda.yml"
    again = json.loads(project.creditml("environment", "build", "-f", "conda.yml", "--env", "uv").out)
    assert again == made
    assert json.loads(project.creditml("environment", "prune", "--older-than", "1").out) == []
    (would,) = json.loads(project.creditml("environment", "prune", "--all", "--dry-run").out)
    assert (would["title"], would["kind"]) == ("conda.yml", "uv")
    (gone,) = json.loads(project.creditml("environment", "prune", "--all").out)
    assert gone["folder"] == made["folder"]
    assert json.loads(project.creditml("environment", "prune", "--all").out) == []
