"""Whatever a step does to the folder that it runs in, the steps after it find theirs as new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from project import pipeline, step

if TYPE_CHECKING:
    from project import Project

FROM = {"data": {"type": "uri_file", "path": "./data.txt"}}
OUT = {"out": {"type": "uri_file"}}
LOOK = """
import hashlib, os, stat, sys
root = os.path.realpath("../..")
for folder, folders, files in sorted(os.walk(root)):
    for name in sorted((*folders, *files)):
        path = os.path.join(folder, name)
        info = os.lstat(path)
        content = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(info.st_mode) else ""
        if name in ("a.txt", "b.txt"):  # inputs: mounts have the modes of what they show
            info = None
        print(os.path.relpath(path, root), info and oct(info.st_mode), info and info.st_nlink * bool(content), content)
open(sys.argv[1], "w").write("x")
"""
SPOIL = [
    "true",
    "echo more >> look.py",
    "sed -i s/sha256/sha512/ look.py",
    'python -c \'open("sub/data.bin", "r+").write("X")\'',
    (
        'python -c \'import os; s = os.stat("sub/data.bin"); open("sub/data.bin", "r+").write("X");'
        ' os.utime("sub/data.bin", ns=(s.st_atime_ns, s.st_mtime_ns))\''
    ),
    "rm look.py",
    "rm -r sub",
    "mv sub other",
    "mv sub/data.bin sub/moved.bin",
    "touch sub/more && mkdir -p sub/deep/deeper && touch sub/deep/deeper/most",
    "touch more && mkdir folder && touch folder/file",
    "ln -sf /etc/hostname sub/data.bin",
    "ln sub/data.bin ../hard",
    "chmod 777 sub/data.bin",
    "chmod 777 sub",
    "rm -r outputs && touch outputs",
    "echo kept > outputs/kept.txt && mkdir logs/deep && touch logs/deep/log",
    "touch ../beside ../../beside && mkdir -p ../../cap/beside/deep",
    "mkdir ../../cap/data-capability/wd/INPUT_other ../../cap/data-capability/wd/more",
    "touch ../../cap/data-capability/wd/INPUT_data/beside ../../cap/data-capability/wd/out/beside",
    "chmod 755 . && chmod 000 ../../cap/data-capability/wd/out && chmod 700 ../../cap/data-capability/wd/out",
]
"""What the first two steps do to their folders."""


def looks(code: str = "./src", **keys: Any) -> dict[str, Any]:
    return step("python look.py ${{outputs.out}}", code=code, inputs=FROM, outputs=OUT, **keys)


@pytest.fixture
def as_new(project: Project) -> str:
    """What a step sees in a job of its own."""
    project.write("src/look.py", LOOK)
    project.write("src/sub/data.bin", "data")
    project.write("src/sub/more/file.txt", "data")
    project.write("data.txt", "data")
    return project.run(pipeline({"a": looks()}), "--max-parallel", "1").log("a")


@pytest.mark.parametrize("spoil", SPOIL)
def test_what_a_step_did_to_its_folder_is_gone(project: Project, as_new: str, spoil: str) -> None:
    spoils = step(f"{spoil}; echo x > ${{{{outputs.out}}}}", code="./src", inputs=FROM, outputs=OUT)
    steps = {"a": spoils, "b": spoils, "c": looks(), "d": looks(), "e": looks()}

    job = project.run(pipeline(steps), "--max-parallel", "1")

    assert [job.log(name) for name in "cde"] == [as_new] * 3


def test_a_step_with_other_code_and_data_finds_nothing_of_the_others(project: Project, as_new: str) -> None:
    project.write("other/look.py", LOOK)
    project.write("b.txt", "b")
    other = step(
        "python look.py ${{outputs.result}}",
        code="./other",
        inputs={"data": {"type": "uri_folder", "path": "./other"}, "b": {"type": "uri_file", "path": "./b.txt"}},
        outputs={"result": {"type": "uri_file"}},
    )
    alone = project.run(pipeline({"b": other}), "--max-parallel", "1").log("b")

    job = project.run(pipeline({f"{name}{n}": looks() if name == "a" else other for n in range(4) for name in "aab"}))

    assert {job.log(f"a{n}") for n in range(4)} == {as_new}
    assert {job.log(f"b{n}") for n in range(4)} == {alone}


def test_a_place_that_was_made_for_another_step_is_in_nobodys_way(project: Project) -> None:
    """While `a` runs, `folder` is prepared; it never runs, and `file` takes over its folder."""
    given = {"data": "${{parent.jobs.a.outputs.out}}"}
    project.write(
        "file.yml",
        {
            **step("echo x > ${{outputs.out}}"),
            "name": "file",
            "inputs": {"data": {"type": "uri_file", "optional": True}},
            "outputs": OUT,
        },
    )
    steps = {
        "a": step("sleep 0.3; exit 1", outputs=OUT),
        "folder": step("true", inputs=given, outputs={"out": {"type": "uri_folder"}}),
        "file": {"type": "command", "component": "./file.yml", "inputs": given},
    }

    job = project.run(pipeline(steps), "--max-parallel", "1", code=1)

    assert job.statuses() == {"a": "Failed", "file": "Completed"}, job.log("file")
