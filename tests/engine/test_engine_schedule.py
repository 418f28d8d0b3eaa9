"""Which steps run, when, and what a failure does to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from project import pipeline, step

if TYPE_CHECKING:
    from pathlib import Path

    from project import Project

OUT = {"out": {"type": "uri_folder"}}
FROM_BAD = {"data": "${{parent.jobs.bad.outputs.out}}"}


def test_independent_steps_run_at_the_same_time(project: Project, tmp_path: Path) -> None:
    meet = "touch {here}; for i in $(seq 1500); do test -e {there} && exit 0; sleep 0.02; done; exit 1"
    one, other = tmp_path / "one", tmp_path / "other"
    jobs = {"a": step(meet.format(here=one, there=other)), "b": step(meet.format(here=other, there=one))}

    job = project.run(pipeline(jobs), "--max-parallel", "2")

    assert job.statuses() == {"a": "Completed", "b": "Completed"}


@pytest.mark.parametrize("bound", [1, 2])
def test_no_more_than_max_parallel_steps_run_at_once(project: Project, tmp_path: Path, bound: int) -> None:
    running = tmp_path / "running"
    running.mkdir()
    command = f"touch {running}/$AZUREML_RUN_ID; sleep 0.05; ls {running} | wc -l; rm {running}/$AZUREML_RUN_ID"
    jobs = {name: step(command) for name in "abcdef"}

    job = project.run(pipeline(jobs), "--max-parallel", str(bound))

    assert {int(job.log(name)) for name in jobs} <= set(range(1, bound + 1))


def test_a_step_waits_for_all_that_it_reads(project: Project) -> None:
    write = "sleep 0.2; echo {} > ${{{{outputs.out}}}}/w.txt"
    jobs = {
        "join": step(
            "cat ${{inputs.one}}/w.txt ${{inputs.other}}/w.txt",
            inputs={"one": "${{parent.jobs.one.outputs.out}}", "other": "${{parent.jobs.other.outputs.out}}"},
        ),
        "one": step(write.format(1), outputs=OUT),
        "other": step(write.format(2), outputs=OUT),
    }

    job = project.run(pipeline(jobs))

    assert job.log("join") == "1\n2\n"


def failing(settings: dict[str, Any]) -> dict[str, Any]:
    """A step that fails while another runs, one that needs it, and one that comes later."""
    jobs = {
        "slow": step("for i in $(seq 20); do sleep 0.05; done; echo done", outputs=OUT),
        "bad": step("exit 3", outputs=OUT),
        "needs": step("ls ${{inputs.data}}", inputs=FROM_BAD),
        "later": step("echo later", inputs={"data": "${{parent.jobs.slow.outputs.out}}"}),
    }
    return pipeline(jobs, settings=settings)


@pytest.mark.parametrize("settings", [{}, {"continue_on_step_failure": True}], ids=["unset", "true"])
def test_independent_branches_go_on_after_a_failure(project: Project, settings: dict[str, Any]) -> None:
    job = project.run(failing(settings), "--max-parallel", "2", code=1)

    assert job.status == "Failed"
    assert job.statuses() == {"slow": "Completed", "bad": "Failed", "later": "Completed"}


def test_a_failure_stops_the_pipeline_that_says_so(project: Project) -> None:
    job = project.run(failing({"continue_on_step_failure": False}), "--max-parallel", "2", code=1)

    assert job.status == "Failed"
    assert job.statuses() == {"slow": "Canceled", "bad": "Failed"}


def test_an_optional_input_of_a_failed_step_is_left_out(project: Project) -> None:
    component = {
        "type": "command",
        "environment": "azureml:python:1",
        "inputs": {"data": {"type": "uri_folder", "optional": True}},
        "command": "echo data: $[[${{inputs.data}}]]",
    }
    project.write("needs.yml", component)
    needs = {"type": "command", "component": "./needs.yml", "inputs": FROM_BAD}

    job = project.run(pipeline({"bad": step("exit 3", outputs=OUT), "needs": needs}), code=1)

    assert job.statuses() == {"bad": "Failed", "needs": "Completed"}
    assert job.log("needs") == "data:\n"


def test_what_depends_on_a_skipped_step_does_not_run_either(project: Project) -> None:
    jobs = {
        "bad": step("exit 3", outputs=OUT),
        "next": step("ls ${{inputs.data}}", inputs=FROM_BAD, outputs=OUT),
        "last": step("ls ${{inputs.data}}", inputs={"data": "${{parent.jobs.next.outputs.out}}"}),
    }

    job = project.run(pipeline(jobs), code=1)

    assert job.statuses() == {"bad": "Failed"}


def test_a_failure_is_told_with_exit_code_log_and_last_lines(project: Project) -> None:
    job = project.run(pipeline({"bad": step("echo some words >&2; exit 3")}), code=1)

    assert "some words" in job.done.err
    assert "status code 3" in job.done.err
    assert "std_log.txt" in job.done.err
    bad = job.step("bad")
    assert bad["exit_code"] == 3
    assert "some words" in bad["error"]["message"]
    assert "'bad' failed" in job.show("error.message")


def test_a_step_that_kills_itself_has_failed(project: Project) -> None:
    job = project.run(pipeline({"bad": step("kill -9 $$")}), code=1)

    assert "signal 9" in job.step("bad")["error"]["message"]


@pytest.mark.parametrize(
    "keys",
    [
        {"command": "echo a\0b"},
        {"environment_variables": {"A=B": "x"}},
        {"environment_variables": {"A": "x\0y"}},
        {"command": "echo " + "x" * 200_000},
    ],
    ids=["zero byte", "name of a variable", "value of a variable", "too long"],
)
def test_a_step_that_cannot_be_started_fails_the_job(project: Project, keys: dict[str, Any]) -> None:
    project.write("job.yml", pipeline({"bad": step("echo hi") | keys, "good": step("echo hi")}))

    done = project.creditml("run", "job.yml", code=1)

    assert "job.yml:" in done.err or "bad failed" in done.err


def test_a_step_beyond_its_timeout_is_canceled(project: Project, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    command = f"touch {alive}; sleep 3600 & sleep 3600"

    job = project.run(pipeline({"slow": step(command, limits={"timeout": 1}), "other": step("echo hi")}), code=1)

    assert alive.exists()
    assert job.statuses() == {"slow": "Canceled", "other": "Completed"}
    assert job.status == "Failed"
    assert "limits.timeout" in job.step("slow")["error"]["message"]
    assert "slow was canceled: " in job.done.err


def test_background_children_end_with_their_step(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    child = f"setsid bash -c 'trap \"\" TERM HUP; echo $$ > {file}; sleep 3600' &"
    command = f"{child} while ! test -s {file}; do sleep 0.01; done"

    job = project.run(pipeline({"a": step(command), "b": step(f"! kill -0 $(cat {file})")}), "--max-parallel", "1")

    assert job.status == "Completed"
