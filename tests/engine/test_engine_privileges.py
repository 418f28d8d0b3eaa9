"""Whoever runs it, steps run, and the user's data stays what it was: only the way of protecting it differs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from project import Project, pipeline, step

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534
WAYS = {
    "as now": (),
    "root of a container": ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"),
    "ordinary user": ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
}
OUT = {"out": {"type": "uri_folder"}}


@pytest.fixture(params=WAYS)
def restricted(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project whose commands run with fewer rights than this process may have."""
    project = Project(tmp_path / "project")
    project.prefix = WAYS[request.param]
    if project.prefix:
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            pytest.skip("only root can give up rights")
        probe = [*project.prefix, sys.executable, "-c", "import creditml.cli"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("the interpreter isn't there for others")
    if request.param == "ordinary user":
        for folder in (project.folder, *project.folder.parents):  # pytest's own temporary folders are closed to others
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(0o755)
        os.chown(project.folder, NOBODY, NOBODY)
        project.variables["HOME"] = str(project.folder)
    return project


def test_step_after_step_runs(restricted: Project) -> None:
    restricted.write("data/one.txt", "one\n")
    jobs = {"s0": step("cp ${{inputs.data}}/* ${{outputs.out}}/", inputs={"data": {"path": "./data"}}, outputs=OUT)}
    for number in range(1, 6):
        before = {"data": f"${{{{parent.jobs.s{number - 1}.outputs.out}}}}"}
        command = f"cp ${{{{inputs.data}}}}/* ${{{{outputs.out}}}}/; echo {number} >> ${{{{outputs.out}}}}/one.txt"
        jobs[f"s{number}"] = step(command, inputs=before, outputs=OUT)

    job = restricted.run(pipeline(jobs))

    assert set(job.statuses().values()) == {"Completed"}
    assert (job.folder("s5") / "outputs/out/one.txt").read_text(encoding="utf-8") == "one\n1\n2\n3\n4\n5\n"


def test_an_input_is_not_changed_or_the_step_fails(restricted: Project) -> None:
    data = restricted.write("data/one.txt", "one\n")
    data.chmod(0o666)
    command = "echo more >> ${{inputs.data}}/one.txt; echo more >> ${{inputs.data}}/new.txt; true"

    job = restricted.run(pipeline({"a": step(command, inputs={"data": {"path": "./data"}})}), code=None)

    untouched = data.read_text(encoding="utf-8") == "one\n" and os.listdir(data.parent) == ["one.txt"]
    assert untouched or "one.txt" in job.step("a")["error"]["message"]


def test_a_step_may_close_what_it_wrote(restricted: Project) -> None:
    write = "mkdir d; echo hi > d/f; chmod 0 d/f; chmod 0 d; chmod 500 ."
    jobs = {
        "a": step(f"mkdir x; chmod 0 x; (cd outputs; {write}); cd ${{{{outputs.out}}}}; {write}", outputs=OUT),
        "b": step("cat ${{inputs.data}}/d/f", inputs={"data": "${{parent.jobs.a.outputs.out}}"}),
    }

    job = restricted.run(pipeline(jobs))

    assert job.log("b") == "hi\n"
    assert (job.folder("a") / "artifacts/outputs/d/f").exists()
    assert not (job.folder() / "cr").exists()
