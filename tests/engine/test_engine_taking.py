"""While much is copied for one step, the runner hears and sees to the others. A slow disk is mocked."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from creditml.engine import root, step_data
from creditml.submission.submit import prepare
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from creditml.engine.runner import Runner
    from creditml.engine.seen_data import SeenData
    from creditml.engine.stage import Target

LINK = "echo deep > deep.txt; ln -s $PWD/deep.txt ${{outputs.out}}/words.txt"
MANY = "cd ${{outputs.out}}; seq 2000 | xargs touch"
PATIENCE = 30.0


@pytest.fixture
def slow(mocker: MockerFixture) -> Iterator[threading.Event]:
    """The outputs of the step `a` are taken only when this is set."""
    go = threading.Event()
    real = step_data.take_outputs

    def take(
        found: dict[str, Target], root: Path, tell: Callable[[str], None], seen: SeenData | None
    ) -> dict[str, str]:
        if "/a/" in found["out"].final:
            go.wait(PATIENCE)
        return real(found, root, tell, seen)

    mocker.patch.object(step_data, "take_outputs", take)
    yield go
    go.set()


def advance_until_ended(runner: Runner, step: str) -> None:
    while runner.states[step].status in ("NotStarted", "Running"):
        assert runner.advance(1.0)


@pytest.mark.parametrize("write", [LINK, MANY], ids=["link", "many files"])
def test_other_steps_go_on(tmp_path: Path, slow: threading.Event, write: str) -> None:
    workspace = Workspace(tmp_path / "home")
    job = pipeline(node("a", write), node("b", "sleep 0.2"))

    with LocalExecutor(workspace).run(prepare(job, workspace)) as runner:
        advance_until_ended(runner, "b")
        meanwhile = runner.states["a"].status
        slow.set()
        while runner.advance():
            pass

    assert meanwhile == "Running"
    assert {path: state.status for path, state in runner.states.items()} == {"a": "Completed", "b": "Completed"}


@pytest.mark.usefixtures("slow")
def test_a_job_is_canceled_without_waiting_for_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    job = pipeline(node("a", LINK), node("b", "true"))
    began = time.monotonic()

    with LocalExecutor(workspace).run(prepare(job, workspace)) as runner:
        advance_until_ended(runner, "b")
        runner.cancel()
        while runner.advance():
            pass

    assert time.monotonic() - began < PATIENCE / 2
    assert (runner.status, runner.states["a"].status) == ("Canceled", "Canceled")


def test_other_steps_go_on_while_much_code_is_copied(tmp_path: Path, mocker: MockerFixture) -> None:
    go = threading.Event()
    mocker.patch.object(root, "copy_tree", side_effect=lambda *_: go.wait(PATIENCE))
    code = tmp_path / "src"
    code.mkdir()
    for number in range(2000):
        (code / f"{number}.py").touch()
    workspace = Workspace(tmp_path / "home")
    with_code = node("a", "true")
    with_code = with_code._replace(component=with_code.component._replace(code=str(code)))  # type: ignore[union-attr,call-arg]

    with LocalExecutor(workspace).run(prepare(pipeline(with_code, node("b", "true")), workspace)) as runner:
        advance_until_ended(runner, "b")
        meanwhile = runner.states["a"].status
        go.set()
        while runner.advance():
            pass

    assert (meanwhile, runner.status) == ("Running", "Completed")


def test_a_step_whose_code_is_being_copied_does_not_start_once_its_job_is_canceled(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    go = threading.Event()
    mocker.patch.object(root, "copy_tree", side_effect=lambda *_: go.wait(PATIENCE))
    code = tmp_path / "src"
    code.mkdir()
    for number in range(2000):
        (code / f"{number}.py").touch()
    workspace = Workspace(tmp_path / "home")
    slow = node("a", f"touch {tmp_path / 'started'}; sleep {PATIENCE}")
    slow = slow._replace(component=slow.component._replace(code=str(code)))  # type: ignore[union-attr,call-arg]

    with LocalExecutor(workspace).run(prepare(pipeline(slow, node("b", "true")), workspace)) as runner:
        advance_until_ended(runner, "b")
        runner.cancel()
        go.set()
        while runner.advance():
            pass

    assert (runner.status, runner.states["a"].status) == ("Canceled", "Canceled")
    assert not (tmp_path / "started").exists()
