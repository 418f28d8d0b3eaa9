"""`creditml step run`: a recorded step again, on the inputs that it had."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from project import pipeline, single, step

if TYPE_CHECKING:
    from project import Job, Project

OUT = {"out": {"type": "uri_folder"}}
FILE = {"out": {"type": "uri_file"}}
FROM_PREP = "${{parent.jobs.prep.outputs.out}}"


def trained(project: Project, command: str = "cat ${{inputs.data}}/one; echo ${{inputs.lr}}", **keys: object) -> Job:
    """A pipeline of two steps that has run; it was given a number, and a name to register its output under."""
    jobs = {
        "prep": step("echo first > ${{outputs.out}}/one", outputs=OUT),
        "train": step(
            command,
            inputs={"data": FROM_PREP, "lr": "${{parent.inputs.lr}}"},
            outputs={"out": {"type": "uri_folder", "name": "model_data", "version": "1"}},
            **keys,
        ),
    }
    return project.run(pipeline(jobs, inputs={"lr": 0.25}), name="job", code=None)


def again(project: Project, where: str, *flags: str, code: int = 0) -> str:
    """The log of a step that is run again."""
    project.creditml("step", "run", where, "--name", "again", *flags, code=code)
    return (project.workspace / "jobs/again/artifacts/user_logs/std_log.txt").read_text(encoding="utf-8")


def test_a_step_gets_what_it_had(project: Project) -> None:
    job = trained(project)

    assert again(project, "job/train") == "first\n0.25\n" == job.log("train")
    made = project.json("job", "show", "-n", "again")
    assert made["properties"]["creditml.again"] == "job/train"
    assert made["type"] == "command"
    assert len(project.json("data", "list", "-n", "model_data")) == 1, "nothing is registered again"


def test_a_child_s_own_name_does_too(project: Project) -> None:
    job = trained(project)

    assert again(project, job.steps()["train"]["name"]) == "first\n0.25\n"


def test_a_failure_is_one_again(project: Project) -> None:
    trained(project, "echo ${{inputs.lr}}; exit 3")

    assert again(project, "job/train", code=1) == "0.25\n"


def test_mended_code_is_tried_and_the_recorded_one_stays(project: Project) -> None:
    project.write("src/main.py", "raise SystemExit(4)")
    trained(project, "python main.py", code="./src")
    project.write("src/main.py", "print('mended')")

    assert again(project, "job/train", "--code", "src") == "mended\n"
    project.creditml("step", "run", "job/train", code=1)


def test_optional_inputs_and_files(project: Project) -> None:
    project.write(
        "c.yml",
        {
            "type": "command",
            "command": "cat ${{inputs.data}} $[[--many ${{inputs.many}}]] $[[${{inputs.data}}]]",
            "environment": {"image": "python:3.11"},
            "inputs": {"data": {"type": "uri_file"}, "many": {"type": "integer", "optional": True}},
        },
    )
    inner = {"type": "command", "component": "./c.yml", "inputs": {"data": FROM_PREP}}
    project.run(pipeline({"prep": step("echo 1 > ${{outputs.out}}", outputs=FILE), "use": inner}), name="job")

    assert again(project, "job/use") == "1\n1\n"


def test_a_step_of_a_nested_pipeline(project: Project) -> None:
    inner = {
        "type": "pipeline",
        "inputs": {"word": {"type": "string"}},
        "jobs": {"say": step("echo ${{inputs.w}}", inputs={"w": "${{parent.inputs.word}}"})},
    }
    project.write("inner.yml", inner)
    node = {"type": "pipeline", "component": "./inner.yml", "inputs": {"word": "hello"}}
    project.run(pipeline({"deep": node}), name="job")

    assert again(project, "job/deep.say") == "hello\n"


def test_a_command_job_and_a_step_run_again(project: Project) -> None:
    project.run(single("echo ${{inputs.x}}", inputs={"x": 5}), name="job")

    assert again(project, "job") == "5\n"
    project.creditml("step", "run", "again", "--name", "third")


def test_what_is_missing_is_told(project: Project) -> None:
    job = trained(project)
    shutil.rmtree(job.folder("prep") / "outputs/out")

    done = project.creditml("step", "run", "job/train", code=1)

    assert "'data'" in done.err
    assert "Run the whole job again." in done.err


def test_what_is_no_step_is_told(project: Project) -> None:
    trained(project)

    assert "'train'" in project.creditml("step", "run", "job/trian", code=1).err
    assert "job/train" in project.creditml("step", "run", "job", code=2).err
    assert "creditml pull other/x --inputs" in project.creditml("step", "run", "other/x", code=1).err
    assert "no such folder" in project.creditml("step", "run", "job/train", "--code", "nowhere", code=2).err
