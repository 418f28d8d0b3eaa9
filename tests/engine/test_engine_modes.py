"""How an input arrives: as its node says, else as its component does, else read-only where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inside import run, steps

from creditml.model import Command, ComponentInput, Data, Literal, Node
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEEN = "case ${{inputs.data}} in file://*) echo direct;; *) echo place;; esac"
CHANGE = "echo more >> ${{inputs.data}}/words.txt && echo copy || echo read only"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


@pytest.mark.parametrize("produced", [True, False], ids=["of a step", "of the user"])
@pytest.mark.parametrize(
    ("of_node", "of_component", "direct"),
    [
        ("direct", "download", True),
        ("download", "direct", False),
        ("ro_mount", "direct", False),
        (None, "direct", True),
        ("direct", None, True),
        (None, None, False),
    ],
)
def test_the_node_s_mode_comes_before_the_component_s(
    workspace: Workspace,
    tmp_path: Path,
    of_node: str | None,
    of_component: str | None,
    direct: bool,  # noqa: FBT001  a parameter of the test
    produced: bool,  # noqa: FBT001  likewise
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "words.txt").write_text("words\n", encoding="utf-8")
    output = Literal("${{parent.jobs.a.outputs.out}}", of_node)
    given = output if produced else Data(str(folder), "uri_folder", of_node)
    component = Command(SEEN, "azureml:any@latest", inputs={"data": ComponentInput("uri_folder", mode=of_component)})
    writer = node("a", "echo words > ${{outputs.out}}/words.txt")

    job = run(pipeline(writer, Node("b", component, inputs={"data": given}, compute="serverless")), workspace)

    log = workspace.jobs.folder(steps(workspace, job)["b"]) / "artifacts/user_logs/std_log.txt"
    assert job.status == "Completed"
    assert (log.read_text(encoding="utf-8") == "direct\n") is direct


@pytest.mark.parametrize(("mode", "copied"), [("download", True), ("ro_mount", False), (None, False)])
def test_what_is_downloaded_is_the_step_s_own(
    workspace: Workspace,
    tmp_path: Path,
    mode: str | None,
    copied: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/words.txt"
    file.write_text("words\n", encoding="utf-8")
    component = Command(CHANGE, "azureml:any@latest", inputs={"data": ComponentInput("uri_folder")})
    given = {"data": Data(str(tmp_path / "data"), "uri_folder", mode)}

    job = run(pipeline(Node("a", component, inputs=given, compute="serverless")), workspace)

    step = steps(workspace, job)["a"]
    log = (workspace.jobs.folder(step) / "artifacts/user_logs/std_log.txt").read_text(encoding="utf-8")
    if copied:
        assert (job.status, log) == ("Completed", "copy\n")
    else:  # what can't be protected is noticed
        assert log.endswith("read only\n") or (step.error or {})["code"] == "InputChanged"
    assert not copied or file.read_text(encoding="utf-8") == "words\n"
