"""`creditml diff`: what differs between two jobs, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from project import pipeline, step, with_mlflow

if TYPE_CHECKING:
    from project import Json, Project

OUT = {"out": {"type": "uri_folder"}}
FROM_A = "${{parent.jobs.a.outputs.out}}"


def two_steps(**train: Json) -> Json:
    """A pipeline of two steps, the second of which is as told."""
    keys = {"inputs": {"data": FROM_A, "lr": "${{parent.inputs.lr}}"}, **train}
    command = keys.pop("command", "ls ${{inputs.data}}; echo ${{inputs.lr}}")
    jobs = {"a": step("echo 1 > ${{outputs.out}}/one", outputs=OUT), "train": step(command, **keys)}
    return pipeline(jobs, inputs={"lr": 0.1})


def compared(project: Project, *flags: str, code: int = 1) -> Json:
    return project.json("diff", "one", "two", "-o", "json", *flags, code=code)


def test_the_same_job_twice_is_equal_but_for_times(project: Project) -> None:
    for name in ("one", "two"):
        project.run(two_steps(), name=name)

    found = compared(project, code=0)

    assert found["equal"] is True
    assert not {"job", "graph", "steps"} & set(found)
    assert "no differences" in project.creditml("diff", "one", "two").out


def test_parameters_commands_and_environments(project: Project) -> None:
    project.run(two_steps(), name="one")
    environment = {"image": "python:3.11", "conda_file": {"dependencies": ["python=3.11", {"pip": ["creditml"]}]}}
    changed = two_steps(command="ls ${{inputs.data}}; echo more ${{inputs.lr}}", environment=environment)
    project.run({**changed, "inputs": {"lr": 0.2}}, name="two")

    found = compared(project)

    assert found["job"] == {"inputs": {"lr": {"a": "0.1", "b": "0.2"}}}
    assert set(found["steps"]) == {"train"}
    assert found["steps"]["train"]["command"]["b"] == "ls ${{inputs.data}}; echo more ${{inputs.lr}}"
    assert found["steps"]["train"]["environment"]["conda_file"]["a"] is None
    assert "inputs" not in found["steps"]["train"], "it is told of the job"
    assert "inputs.lr: 0.1 -> 0.2" in project.creditml("diff", "one", "two", code=1).out


def test_packages_one_by_one(project: Project) -> None:
    for name, packages in (("one", ["python", {"pip": ["creditml"]}]), ("two", ["python", "pip", {"pip": ["pytest"]}])):
        environment = {"image": "python:3.11", "conda_file": {"dependencies": packages}}
        project.run(two_steps(environment=environment), name=name)

    packages = compared(project)["steps"]["train"]["environment"]["conda_file"]

    assert packages == {"removed": ["creditml"], "added": ["pip", "pytest"]}


def test_steps_that_came_and_went_and_edges_that_moved(project: Project) -> None:
    project.run(two_steps(), name="one")
    changed = two_steps(inputs={"data": "${{parent.jobs.b.outputs.out}}", "lr": "${{parent.inputs.lr}}"})
    changed["jobs"]["b"] = step("echo 2 > ${{outputs.out}}/two", outputs=OUT)
    project.run(changed, name="two")

    graph = compared(project)["graph"]

    assert graph == {"added": ["b"], "rewired": {"train": {"data": {"a": "a.out", "b": "b.out"}}}}
    text = project.creditml("diff", "two", "one", code=1).out
    assert "  - b\n" in text
    assert "  train.data: b.out -> a.out\n" in text


def test_code_file_by_file(project: Project) -> None:
    project.write("src/main.py", "print(1)\nprint(2)\n")
    project.write("src/gone.bin", b"\0\1")
    project.run(two_steps(command="python main.py", code="./src"), name="one")
    (project.folder / "src/gone.bin").unlink()
    project.write("src/main.py", "print(1)\nprint(3)\nprint(4)\n")
    project.write("src/new.txt", "new\n")
    project.run(two_steps(command="python main.py", code="./src"), name="two")

    assert compared(project)["steps"]["train"] == {
        "code": [
            {"path": "gone.bin", "change": "removed", "binary": True},
            {"path": "main.py", "change": "changed", "added": 2, "removed": 1},
            {"path": "new.txt", "change": "added", "added": 1, "removed": 0},
        ]
    }
    assert "+print(3)" not in project.creditml("diff", "one", "two", code=1).out
    assert "    +print(3)\n" in project.creditml("diff", "one", "two", "--patch", code=1).out


def test_statuses_and_why(project: Project) -> None:
    project.run(two_steps(), name="one")
    project.run(two_steps(command="exit ${{inputs.lr}}${{inputs.lr}}"), name="two", code=1)

    found = compared(project)

    assert found["job"]["status"] == {"a": "Completed", "b": "Failed"}
    assert found["steps"]["train"]["status"] == {"a": "Completed", "b": "Failed"}
    assert found["steps"]["train"]["error"]["a"] is None


def test_the_same_failure_is_no_difference(project: Project) -> None:
    for name in ("one", "two"):
        project.run(two_steps(command="exit 3"), name=name, code=1)

    compared(project, code=0)


@pytest.mark.parametrize("name", ["three", "two"])
def test_a_job_that_is_not_here_is_trouble(project: Project, name: str) -> None:
    project.run(two_steps(), name="one")

    done = project.creditml("diff", "one", name, code=2)

    assert f"creditml pull {name}" in done.err


def test_a_step_and_what_was_made_of_it_again(project: Project) -> None:
    project.write("src/main.py", "print(1)")
    project.run(two_steps(command="python main.py ${{inputs.data}}; echo ${{inputs.lr}}", code="./src"), name="one")
    project.creditml("step", "run", "one/train", "--name", "two")
    project.write("src/main.py", "print(2)")
    project.creditml("step", "run", "one/train", "--name", "three", "--code", "src")

    same = project.json("diff", "one/train", "two", "-o", "json")
    other = project.json("diff", "one/train", "three", "-o", "json", code=1)

    assert same["equal"] is True
    assert other["steps"] == {"": {"code": [{"path": "main.py", "change": "changed", "added": 1, "removed": 1}]}}
    assert "one/a" in project.creditml("diff", "one/a", "one", code=2).err


def test_metrics_with_their_difference(project: Project) -> None:
    command = 'python -c \'import mlflow; mlflow.log_metric("auc", ${{inputs.lr}}); mlflow.log_metric("n", 3)\''
    with with_mlflow(project.workspace):
        project.run(two_steps(command=command), name="one")
        project.run({**two_steps(command=command), "inputs": {"lr": 0.35}}, name="two")

    metrics = compared(project)["steps"]["train"]["metrics"]

    assert metrics == {"auc": {"a": 0.1, "b": 0.35, "difference": pytest.approx(0.25)}}
    assert "metrics.auc: 0.1 -> 0.35 (+0.25)" in project.creditml("diff", "one", "two", code=1).out
