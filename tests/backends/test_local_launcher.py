"""The local launcher: the contract of all launchers, and what only processes of this machine can show."""

from __future__ import annotations

import os
import re
import resource
import signal
import sqlite3
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.errors import BackendError
from creditml.seams import launcher as times
from creditml.seams.launcher import Exit, Mount
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import PATIENCE, STUBBORN, StepMaker, has_ended, is_free, log_of, wait_for
from creditml_local import guard, landlock, processes, protection
from creditml_local.launcher import LocalLauncher
from creditml_local.ways import available_ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import InChild

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NOBODY = 65534


@pytest.fixture
def without_adoption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have guards go by markers, as on a system where they can't adopt orphans."""
    monkeypatch.setattr(processes, "adopt_orphans", lambda: False)


def guards() -> set[int]:
    """Return the guards of this process."""
    names = {process: Path(f"/proc/{process}/comm").read_text() for process in processes.descendants(os.getpid())}
    return {process for process, name in names.items() if name == "creditml-guard\n"}


class TestLocalLauncher(LauncherContract):
    """With the best protection that this machine offers."""

    python = sys.executable

    @pytest.fixture
    def launcher(self) -> Iterator[LocalLauncher]:
        with LocalLauncher() as launcher:
            yield launcher

    @pytest.fixture
    def protects(self, tmp_path: Path, in_child: InChild) -> None:
        def protects_fully() -> bool:
            return len(available_ways(protection.plan([str(tmp_path)], [], []))) > 1

        if not in_child(protects_fully):
            pytest.skip("this machine has no way to protect files in a folder for temporary ones")


@needs_linux
class TestWithLandlock(TestLocalLauncher):
    """With the protection that needs no privilege."""

    @pytest.fixture(autouse=True)
    def _landlock_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        try:
            way = landlock.Landlock()
        except OSError as error:
            pytest.skip(f"no Landlock: {error}")
        monkeypatch.setattr(guard, "available_ways", lambda _: [way])
        monkeypatch.setattr(protection, "TEMPORARY", ())  # that's where the tests' files are

    @pytest.fixture
    def protects(self) -> None:
        """Landlock does."""


@pytest.mark.usefixtures("without_adoption")
class TestWithoutLinux(TestLocalLauncher):
    """As on a system that has neither a way of protection nor a parent for orphans."""

    @pytest.fixture(autouse=True)
    def _unprotected(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "available_ways", lambda _: [])

    @pytest.fixture
    def protects(self) -> None:
        pytest.skip("nothing protects here")


class TestRunnersEnd:
    """Whatever happens to the runner, nothing that its steps have started goes on."""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_a_step_ends_with_the_runner(self, make_step: StepMaker, in_child: InChild, number: int) -> None:
        self._die(make_step, in_child, number)
        self._wait_until_free(make_step.cwd / "lock")

    def test_a_step_ends_with_the_runners_process_group(self, make_step: StepMaker, in_child: InChild) -> None:
        self._die(make_step, in_child, signal.SIGKILL, whole_group=True)
        self._wait_until_free(make_step.cwd / "lock")

    @pytest.mark.usefixtures("without_adoption")
    def test_a_step_ends_with_the_runner_by_its_marker(self, make_step: StepMaker, in_child: InChild) -> None:
        self._die(make_step, in_child, signal.SIGKILL)
        self._wait_until_free(make_step.cwd / "lock")

    @staticmethod
    def _die(make_step: StepMaker, in_child: InChild, number: int, *, whole_group: bool = False) -> None:
        (make_step.cwd / "stubborn.py").write_text(STUBBORN)
        steps = [make_step(f"{sys.executable} stubborn.py; sleep 600"), make_step("trap '' TERM; sleep 600; true")]

        def run() -> None:
            os.setpgid(0, 0)
            launcher = LocalLauncher()
            for step in steps:
                launcher.start(step)
            wait_for(make_step.cwd / "locked")
            signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
            os.kill(0 if whole_group else os.getpid(), number)

        assert in_child(run) == -number

    @staticmethod
    def _wait_until_free(lock: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_free(lock) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_free(lock)

    @needs_linux
    def test_the_guards_end_with_the_runner(self, make_step: StepMaker, in_child: InChild, tmp_path: Path) -> None:
        def run() -> None:
            launcher = LocalLauncher()
            running = [launcher.start(make_step("sleep 600")) for _ in range(2)]
            launcher.start(make_step("true")).exit()
            (tmp_path / "guards").write_text(" ".join(map(str, guards())))
            assert len(running) + 1 == len(guards())
            os.kill(os.getpid(), signal.SIGKILL)

        in_child(run)
        left = [int(process) for process in (tmp_path / "guards").read_text().split()]
        assert left
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(Path(f"/proc/{process}").exists() for process in left):
            time.sleep(0.01)
        assert not any(Path(f"/proc/{process}").exists() for process in left)

    def test_a_terminals_signals_dont_reach_a_step(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        step = make_step(f"{sys.executable} -c 'import os; print(os.getpid() == os.getsid(0) == os.getpgrp())'")
        assert launcher.start(step).exit().ok
        assert log_of(step) == "True\n"


@needs_linux
class TestGuardsEnd:
    """A guard that someone kills takes no step's result with it for the better, and nothing of the step survives."""

    def test_a_step_whose_guard_is_killed_has_vanished(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        (make_step.cwd / "stubborn.py").write_text(STUBBORN)
        running = launcher.start(make_step(f"{sys.executable} stubborn.py; sleep 600"))
        wait_for(make_step.cwd / "locked")
        [process] = guards()
        os.kill(process, signal.SIGKILL)
        assert has_ended(running, within=PATIENCE)
        running.terminate()
        running.kill()
        assert running.exit() == Exit(code=None, vanished=True)
        assert is_free(make_step.cwd / "lock")
        assert launcher.start(make_step("exit 3")).exit() == Exit(code=3)

    def test_an_idle_guard_that_is_killed_is_replaced(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        assert launcher.start(make_step("true")).exit().ok
        [process] = guards()
        os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{process}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        assert launcher.start(make_step("exit 3")).exit() == Exit(code=3)

    def test_as_many_guards_as_steps_at_once(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        for _ in range(3):
            running = [launcher.start(make_step("true")) for _ in range(2)]
            assert all(step.exit().ok for step in running)
        assert len(guards()) == 2

    def test_no_process_is_left_when_the_launcher_is_closed(
        self, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(times, "LEFT_ALONE", 0.1)
        before = processes.descendants(os.getpid())
        with LocalLauncher() as launcher:
            launcher.start(make_step("sleep 600 & exit 0")).exit()
            launcher.start(make_step("sleep 600"))
        assert processes.descendants(os.getpid()) == before


@needs_linux
class TestInheritance:
    """A step gets nothing of the runner but what every process gets."""

    def test_no_descriptors(self, make_step: StepMaker, tmp_path: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        database = sqlite3.connect(tmp_path / "workspace.db")
        try:
            for file in files:
                os.set_inheritable(file, True)  # noqa: FBT003  it takes no keywords
            with LocalLauncher() as launcher:
                step = make_step("ls -l /proc/$$/fd; true")
                assert launcher.start(step).exit().ok
                descriptors = re.findall(r"(\d+) -> (.*)", log_of(step))
                [process] = guards()
                held = {os.readlink(f"/proc/{process}/fd/{name}") for name in os.listdir(f"/proc/{process}/fd")}
        finally:
            database.close()
            for file in files:
                os.close(file)
        assert [number for number, _ in descriptors] == ["0", "1", "2"]
        assert [target for _, target in descriptors] == ["/dev/null", step.log, step.log]
        assert {re.sub(r":\[\d+\]", "", target) for target in held} <= {"/dev/null", "pipe", "mnt", "/"}

    def test_no_ignored_and_no_blocked_signals(self, make_step: StepMaker, in_child: InChild) -> None:
        step = make_step("grep -E '^Sig(Blk|Ign)' /proc/self/status")

        def run() -> None:
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
            with LocalLauncher() as launcher:
                launcher.start(step).exit()

        in_child(run)
        masks = {name: int(mask, 16) for name, mask in re.findall(r"(\w+):\s+(\w+)", log_of(step))}
        of_libc = 0b11 << 31  # signals 32 and 33, which glibc uses for threads
        assert {name: mask & ~of_libc for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}

    def test_the_file_mode_mask_and_the_limits(self, make_step: StepMaker, in_child: InChild) -> None:
        step = make_step("umask; ulimit -c; ulimit -n")

        def run() -> None:
            os.umask(0o027)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (345, 345))
            with LocalLauncher() as launcher:
                launcher.start(step).exit()

        in_child(run)
        assert log_of(step) == "0027\n0\n345\n"

    def test_the_runners_own_input_and_output_may_be_closed(self, make_step: StepMaker, in_child: InChild) -> None:
        step = make_step("echo fine; exit 3")

        def run() -> None:
            for descriptor in range(3):
                os.close(descriptor)
            with LocalLauncher() as launcher:
                (make_step.root / "code").write_text(str(launcher.start(step).exit().code))

        in_child(run)
        assert (make_step.root / "code").read_text() == "3"
        assert log_of(step) == "fine\n"


class TestStart:
    """What goes on in the runner."""

    def test_threads_of_the_runner_are_no_matter(self, make_step: StepMaker) -> None:
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with LocalLauncher() as launcher:
                    assert launcher.start(make_step("true")).exit().ok
        finally:
            done.set()
            thread.join()

    def test_an_environment_that_is_too_large_is_an_error(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        large = {f"V{number}": "x" * 100_000 for number in range(100)}
        running = launcher.start(make_step("true", env=large))
        for _ in range(2):
            with pytest.raises(BackendError, match=r"step-1: the command can't be started: .*too long"):
                running.exit()
        assert launcher.start(make_step("true")).exit().ok

    @pytest.mark.parametrize("command", ["true \0", "true \ud800"])
    def test_a_command_that_is_no_text_is_an_error(
        self, launcher: LocalLauncher, make_step: StepMaker, command: str
    ) -> None:
        with pytest.raises(BackendError, match="step-1"):
            launcher.start(make_step(command)).exit()
        assert launcher.start(make_step("true")).exit().ok

    def test_a_missing_folder_for_the_log_is_an_error(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        with pytest.raises(BackendError, match="nowhere"):
            launcher.start(make_step("true", log=str(make_step.root / "nowhere" / "log.txt")))

    def test_a_place_that_is_taken_is_an_error(
        self, launcher: LocalLauncher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        (make_step.cwd / "taken").touch()
        with pytest.raises(BackendError, match="taken: File exists"):
            launcher.start(make_step("true", mounts=(Mount(str(tmp_path), "exe/wd/taken"),)))

    def test_no_bash_is_an_error(
        self, launcher: LocalLauncher, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(BackendError, match="was not found: install it"):
            launcher.start(make_step("true"))

    def test_a_link_stands_in_for_an_awkward_root(self, make_step: StepMaker, tmp_path: Path) -> None:
        awkward = make_step.at(tmp_path / "a b" / "cr")
        with LocalLauncher() as launcher:
            assert launcher.see(str(make_step.root)) == str(make_step.root)
            link = Path(launcher.see(str(awkward.root)))
            assert link.resolve() == awkward.root.resolve()
            assert link.parent.stat().st_mode & 0o777 == 0o700
            other = Path(launcher.see(str(tmp_path / "c d")))
            assert other != link
        assert not link.parent.exists()


class TestProcesses:
    """Looking for processes where there is no /proc."""

    def test_ps_shows_markers(self, launcher: LocalLauncher, make_step: StepMaker) -> None:
        command = ("ps", "axeww", "-o", "pid=,command=") if sys.platform == "linux" else processes.PS
        running = launcher.start(make_step("echo $$ > pid.new; mv pid.new pid; while :; do sleep 0.1; done"))
        wait_for(make_step.cwd / "pid")
        token = next(iter(launcher._running))
        found = processes.marked_by_ps(token, command)
        running.kill()
        running.exit()
        assert int((make_step.cwd / "pid").read_text()) in found
        assert os.getpid() not in found
        assert not processes.marked_by_ps(token, command)
