"""The part of the launchers' contract about the end of commands: terminated, killed, and several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.seams import launcher as times
from creditml.seams.launcher import Exit
from creditml.testing.fixtures import LauncherFixtures
from creditml.testing.steps import (
    HEEDFUL,
    HOLDER,
    PATIENCE,
    STUBBORN,
    StepMaker,
    has_ended,
    is_free,
    log_of,
    wait_for,
    was_killed,
)

if TYPE_CHECKING:
    from creditml.seams.launcher import Launcher


class EndContract(LauncherFixtures):
    """The tests of how commands end; `LauncherContract` inherits them."""

    # Ending a command

    def test_terminate_reaches_children_and_gives_them_time(self, launcher: Launcher, make_step: StepMaker) -> None:
        running = launcher.start(make_step(self.script(make_step, "heedful.py", HEEDFUL) + "; exit 0"))
        wait_for(make_step.cwd / "ready")
        running.terminate()
        assert not running.exit().ok
        assert (make_step.cwd / "checkpoint").exists()

    def test_terminate_wakes_what_is_stopped(self, launcher: Launcher, make_step: StepMaker) -> None:
        running = launcher.start(make_step("touch ready; kill -STOP $$"))
        wait_for(make_step.cwd / "ready")
        running.terminate()
        assert has_ended(running, within=PATIENCE)
        assert not running.exit().ok

    def test_kill_ends_what_ignores_being_asked(self, launcher: Launcher, make_step: StepMaker) -> None:
        stubborn = self.script(make_step, "stubborn.py", STUBBORN)
        running = launcher.start(make_step(f"trap '' TERM; {stubborn}; while :; do sleep 0.1; done"))
        wait_for(make_step.cwd / "locked")
        running.terminate()
        assert not has_ended(running, within=0.3)
        running.kill()
        running.kill()
        assert was_killed(running.exit())
        assert is_free(make_step.cwd / "lock")

    def test_after_its_end_terminate_and_kill_do_nothing(self, launcher: Launcher, make_step: StepMaker) -> None:
        ended = launcher.start(make_step("exit 5"))
        assert has_ended(ended, within=PATIENCE)
        ended.kill()
        assert ended.exit() == Exit(code=5)
        running = launcher.start(make_step("touch ready; while [ ! -e go ]; do sleep 0.01; done"))
        wait_for(make_step.cwd / "ready")
        ended.terminate()
        ended.kill()
        assert not has_ended(running, within=0.1)
        (make_step.cwd / "go").touch()
        assert running.exit().ok

    # What it leaves running

    def test_a_log_through_a_pipe_is_whole(self, launcher: Launcher, make_step: StepMaker) -> None:
        tee = "mkdir -p outputs; exec > >(sleep 0.3; tee outputs/run.log) 2>&1"
        step = make_step(f"{tee}; seq 1 2000; echo LAST; exit 3")
        assert launcher.start(step).exit() == Exit(code=3)
        expected = "".join(f"{number}\n" for number in range(1, 2001)) + "LAST\n"
        assert log_of(step) == expected
        assert (make_step.cwd / "outputs" / "run.log").read_text(encoding="utf-8") == expected

    def test_background_processes_get_time_to_end(self, launcher: Launcher, make_step: StepMaker) -> None:
        late = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; sleep 0.3; echo late)"
        apart = self.script(make_step, "apart.py", "import os, time; os.setsid(); time.sleep(0.3); os.mkdir('apart')")
        step = make_step(f"{late} & {apart} & echo early")
        assert launcher.start(step).exit().ok
        assert log_of(step) == "early\nlate\n"
        assert (make_step.cwd / "apart").exists()

    @pytest.mark.usefixtures("hasty")
    def test_then_they_are_asked_to_end(
        self, launcher: Launcher, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(times, "LEFT_ASKED", PATIENCE)
        heedful = self.script(make_step, "heedful.py", HEEDFUL)
        assert launcher.start(make_step(f"{heedful} & while [ ! -e ready ]; do sleep 0.01; done; exit 0")).exit().ok
        assert (make_step.cwd / "checkpoint").exists()

    @pytest.mark.usefixtures("patient")
    def test_what_has_ended_is_not_waited_for(self, launcher: Launcher, make_step: StepMaker) -> None:
        running = launcher.start(make_step("sleep 0.1 & exit 0"))
        assert has_ended(running, within=PATIENCE)
        assert running.exit().ok

    @pytest.mark.usefixtures("patient")
    @pytest.mark.parametrize("wish", ["terminate", "kill"])
    def test_they_can_be_ended_at_once(self, launcher: Launcher, make_step: StepMaker, wish: str) -> None:
        running = launcher.start(make_step("sleep 600 & touch ready; exit 0"))
        wait_for(make_step.cwd / "ready")
        assert not has_ended(running, within=0.3)
        getattr(running, wish)()
        assert has_ended(running, within=PATIENCE)
        running.exit()

    @pytest.mark.usefixtures("hasty")
    def test_nothing_that_a_command_leaves_behind_outlives_it(self, launcher: Launcher, make_step: StepMaker) -> None:
        stubborn = self.script(make_step, "stubborn.py", STUBBORN)
        wait = "while [ ! -e locked ]; do sleep 0.01; done"
        assert launcher.start(make_step(f"sleep 600 & {stubborn}; {wait}; exit 0")).exit().ok
        assert is_free(make_step.cwd / "lock")

    @pytest.mark.usefixtures("hasty")
    def test_not_even_what_has_another_environment(self, launcher: Launcher, make_step: StepMaker) -> None:
        holder = self.script(make_step, "holder.py", HOLDER)
        wait = "while [ ! -e locked ]; do sleep 0.01; done"
        assert launcher.start(make_step(f"env -i PATH=$PATH {holder} & {wait}; exit 0")).exit().ok
        assert is_free(make_step.cwd / "lock")

    def test_close_ends_what_runs(self, launcher: Launcher, make_step: StepMaker) -> None:
        stubborn = self.script(make_step, "stubborn.py", STUBBORN)
        running = launcher.start(make_step(f"{stubborn}; sleep 600"))
        wait_for(make_step.cwd / "locked")
        launcher.close()
        launcher.close()
        assert is_free(make_step.cwd / "lock")
        assert was_killed(running.exit())

    # Several commands

    def test_steps_run_side_by_side(self, launcher: Launcher, make_step: StepMaker) -> None:
        meet = "touch {0}; while [ ! -e {1} ]; do sleep 0.01; done; exit {2}"
        first = launcher.start(make_step(meet.format("a", "b", 3)))
        second = launcher.start(make_step(meet.format("b", "a", 4)))
        assert second.exit() == Exit(code=4)
        assert first.exit() == Exit(code=3)

    @pytest.mark.usefixtures("hasty")
    def test_the_end_of_one_leaves_the_other_alone(self, launcher: Launcher, make_step: StepMaker) -> None:
        stubborn = self.script(make_step, "stubborn.py", STUBBORN)
        other = launcher.start(make_step(f"{stubborn}; while [ ! -e go ]; do sleep 0.01; done"))
        wait_for(make_step.cwd / "locked")
        assert launcher.start(make_step("sleep 600 & exit 0")).exit().ok
        killed = launcher.start(make_step("sleep 600"))
        killed.kill()
        assert was_killed(killed.exit())
        assert not is_free(make_step.cwd / "lock")
        (make_step.cwd / "go").touch()
        assert other.exit().ok
        assert is_free(make_step.cwd / "lock")

    def test_many_steps_one_after_another(self, launcher: Launcher, make_step: StepMaker) -> None:
        codes = [launcher.start(make_step(f"exit {number % 3}")).exit().code for number in range(30)]
        assert codes == [number % 3 for number in range(30)]
