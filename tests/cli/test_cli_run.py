"""`creditml run` elsewhere than on a terminal: plain lines, and a summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from project import eventually, pipeline, single, step

if TYPE_CHECKING:
    from pathlib import Path

    from project import Project

OUT = {"out": {"type": "uri_folder"}}


def test_a_run_is_told_in_plain_lines(project: Project) -> None:
    jobs = {
        "prep": step("sleep 0.5; echo 1 > ${{outputs.out}}/x", outputs={"out": "${{parent.outputs.table}}"}),
        "train": step("sleep 0.5; ls ${{inputs.data}}", inputs={"data": "${{parent.jobs.prep.outputs.out}}"}),
    }

    done = project.run(pipeline(jobs, outputs={"table": {"type": "uri_folder"}}), "--experiment-name", "credit").done

    assert done.err == ""
    assert "\x1b" not in done.out
    head, *lines = done.out.splitlines()
    assert head == "job0: 2 steps, experiment credit"
    stamp = r"\[ +\d+\.\d\ds\] "
    expected = [
        "prep: Running",
        r"prep: Completed after \d+\.\ds",
        "train: Running",
        r"train: Completed after \d+\.\ds",
    ]
    assert [bool(re.fullmatch(stamp + line, found)) for line, found in zip(expected, lines, strict=False)] == [True] * 4
    summary = done.out.partition("\n\n")[2]
    assert re.match(r"job0: Completed in \d+\.\ds\n", summary)
    assert re.search(r"^ +prep +Completed +\d+\.\ds$", summary, re.MULTILINE)
    (output,) = re.findall(r"^ +output +table: (.*)$", summary, re.MULTILINE)
    (logs,) = re.findall(r"^ +logs +(.*)$", summary, re.MULTILINE)
    assert (project.folder / output / "x").is_file()
    assert (project.folder / logs).is_dir()
    assert "creditml ui" in summary


def test_lines_come_as_things_happen(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write("job.yml", pipeline({"a": step(f"touch {go}; while test -e {go}; do sleep 0.01; done")}))

    with project.start("run", "job.yml") as running:
        assert running.stdout
        lines = [running.stdout.readline(), running.stdout.readline()]
        eventually(go.exists)
        go.unlink()
        rest = running.stdout.read()

    assert "a: Running" in lines[1]
    assert "a: Completed" in rest
    assert running.returncode == 0


def test_a_failed_run_says_why_and_where_on_stderr(project: Project) -> None:
    done = project.run(pipeline({"bad": step("echo the reason >&2; exit 4"), "good": step("true")}), code=1).done

    assert "job0: Failed in" in done.out
    assert done.err.count("bad failed: ") == 1
    assert "the reason" in done.err
    (log,) = re.findall(r"^ +log: (.*)$", done.err, re.MULTILINE)
    assert (project.folder / log).read_text(encoding="utf-8") == "the reason\n"


def test_a_step_that_never_ran_is_in_the_summary(project: Project) -> None:
    jobs = {
        "bad": step("exit 1", outputs=OUT),
        "needs": step("ls ${{inputs.x}}", inputs={"x": "${{parent.jobs.bad.outputs.out}}"}),
    }

    done = project.run(pipeline(jobs), code=1).done

    assert re.search(r"^ +needs +NotStarted", done.out, re.MULTILINE)


def test_a_run_takes_overrides(project: Project) -> None:
    job = project.run(
        single("echo ${{inputs.word}}", inputs={"word": "old"}), "--set", "inputs.word=new", "display_name=Mine"
    )

    assert job.log() == "new\n"
    assert job.show("display_name") == "Mine"


def test_a_reader_that_leaves_early_ends_the_run_quietly(project: Project) -> None:
    jobs = {
        "a": step("sleep 0.3", outputs=OUT),
        "b": step("sleep 3600", inputs={"d": "${{parent.jobs.a.outputs.out}}"}),
    }
    project.write("job.yml", pipeline(jobs))

    with project.start("run", "job.yml") as running:
        assert running.stdout
        assert running.stderr
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()

    assert said == ""
    assert running.returncode != 0
    assert [job["status"] for job in project.json("job", "list")] == ["Canceled"]
