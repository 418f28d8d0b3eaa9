"""The code that steps run: a copy of what was submitted, and of nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, pipeline, single, step

if TYPE_CHECKING:
    from pathlib import Path

OUT = {"out": {"type": "uri_folder"}}
FROM_A = {"data": "${{parent.jobs.a.outputs.out}}"}


def test_a_step_works_in_its_own_copy_of_the_code(project: Project) -> None:
    script = project.write("src/run.sh", "echo changed > run.sh; rm other.sh; ls\n")
    other = project.write("src/other.sh", "true\n")
    spec = pipeline({name: step("bash run.sh", code="./src") for name in "ab"})

    job = project.run(spec, "--max-parallel", "1")

    assert (job.log("a"), job.log("b")) == ("logs\noutputs\nrun.sh\n",) * 2
    assert script.read_text(encoding="utf-8").startswith("echo changed > run.sh")
    assert other.exists()


def test_code_may_hold_files_named_as_the_artifact_folders(project: Project) -> None:
    project.write("src/outputs", "mine")
    project.write("src/logs/deep/x.txt", "kept")

    job = project.run(single("cat outputs; ls logs", code="./src"))

    assert job.log() == "minedeep\n"


def test_what_runs_is_the_code_as_it_was_submitted(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write("src/run.sh", "echo old\n")
    first = step(f"touch {go}; while test -e {go}; do sleep 0.01; done", outputs=OUT)
    job = project.submit(pipeline({"a": first, "b": step("bash run.sh", code="./src", inputs=FROM_A)}))
    eventually(go.exists)

    project.write("src/run.sh", "echo new\n")
    go.unlink()

    assert job.wait().log("b") == "old\n"


def test_no_workspace_is_ever_part_of_the_code(project: Project) -> None:
    project.write("main.sh", "find . -name .creditml\n")
    spec = single("bash main.sh", code=".")
    project.run(spec)
    inside = project.run(spec)

    project.variables["CREDITML_HOME"] = str(project.folder.parent / "elsewhere")
    project.creditml("run", "job.yml", "-n", "outside")
    outside = project.folder.parent / "elsewhere/jobs/outside/artifacts/user_logs/std_log.txt"

    assert inside.log() == ""
    assert outside.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("kind", ["dangling link", "named pipe"])
def test_a_file_that_cannot_be_code_is_named(project: Project, kind: str) -> None:
    project.write("src/main.py", "print(1)\n")
    place = project.folder / "src/.#main.py"
    if kind == "named pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("user@host.1234")

    project.write("job.yml", single("python main.py", code="./src"))
    done = project.creditml("run", "job.yml", code=None)

    assert done.code == 0 or ".#main.py" in done.err
    assert "No such file" not in done.err
