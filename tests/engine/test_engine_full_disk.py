"""A disk that fills while a job runs: the job says which one, and nothing that is half there looks whole."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from project import Project, pipeline, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUT = {"out": {"type": "uri_folder"}}
FILL = "head -c 100M /dev/zero > {}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def project(disk: Path) -> Project:
    """A project whose workspace lies on that disk."""
    return Project(disk / "project")


def filling(command: str) -> dict[str, object]:
    """A job with a step that does well, one that fills the disk, and one that comes after it."""
    return pipeline(
        {
            "well": step("echo some > ${{outputs.out}}/x", outputs=OUT),
            "fill": step(command, inputs={"data": "${{parent.jobs.well.outputs.out}}"}, outputs=OUT),
            "then": step("echo", inputs={"data": "${{parent.jobs.fill.outputs.out}}"}),
        }
    )


def test_a_step_that_fills_the_disk_fails_with_its_name(project: Project, disk: Path) -> None:
    job = project.run(filling(FILL.format("${{outputs.out}}/big")), code=1)

    words = f"The disk {disk} is full. Free some space on it, and run the job again."
    assert job.status == "Failed"
    assert words in job.show("error.message")
    assert words in job.done.err
    assert {"well": "Completed", "fill": "Failed"}.items() <= job.statuses().items()
    assert not (job.folder("fill") / "outputs").exists()


def test_a_disk_that_others_fill_leaves_room_to_say_so(project: Project, disk: Path) -> None:
    job = project.submit(filling(FILL.format(f"{disk}/big") + "; true")).wait()

    assert job.show("[status, error.code]") == ["Failed", "DiskFull"]
    assert str(disk) in job.show("error.message")
    assert job.statuses()["well"] == "Completed"
    assert (job.folder("well") / "outputs/out/x").read_text() == "some\n"
    assert (job.folder() / "runner.log").read_text() == ""
    assert not (job.folder() / "cr").exists()

    (disk / "big").unlink()
    assert project.run(filling("true")).status == "Completed"
