"""The behaviour that every launcher must have, as tests to inherit.

A backend's tests subclass `LauncherContract` and define one fixture:

    class TestMyLauncher(LauncherContract):
        @pytest.fixture
        def launcher(self):
            with MyLauncher() as launcher:
                yield launcher

Steps may run in another system than the tests, such as a container. Then override `python` and the other attributes of
`LauncherFixtures` as needed. The steps must see the folders of the tests, and share file locks with them.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from creditml.errors import BackendError
from creditml.seams.launcher import Exit, Mount
from creditml.testing.endings import EndContract
from creditml.testing.steps import (
    LONG_LINE,
    PATIENCE,
    StepMaker,
    has_ended,
    log_of,
    wait_for,
    was_killed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.seams.launcher import Launcher


class LauncherContract(EndContract):
    """The tests; a subclass has to define the fixture `launcher`."""

    # How a command ends

    @pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 255])
    def test_the_exit_code_is_the_commands(self, launcher: Launcher, make_step: StepMaker, code: int) -> None:
        end = launcher.start(make_step(f"exit {code}")).exit()
        assert end == Exit(code=code)
        assert end.ok == (code == 0)

    def test_the_last_command_decides(self, launcher: Launcher, make_step: StepMaker) -> None:
        assert launcher.start(make_step("false\ntrue")).exit().ok
        assert launcher.start(make_step("true\nfalse")).exit() == Exit(code=1)

    def test_a_command_that_is_not_there_says_so(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step("no-such-command --at all")
        assert launcher.start(step).exit() == Exit(code=127)
        assert "no-such-command: command not found" in log_of(step)

    def test_a_file_that_is_no_program_says_so(self, launcher: Launcher, make_step: StepMaker) -> None:
        (make_step.cwd / "data.csv").touch(mode=0o644)
        step = make_step("./data.csv")
        assert launcher.start(step).exit() == Exit(code=126)
        assert "Permission denied" in log_of(step)

    def test_death_by_a_signal_is_no_success(self, launcher: Launcher, make_step: StepMaker) -> None:
        assert was_killed(launcher.start(make_step("kill -KILL $$")).exit())

    def test_a_childs_death_by_a_signal_is_the_shells_exit_code(self, launcher: Launcher, make_step: StepMaker) -> None:
        assert launcher.start(make_step("bash -c 'kill -KILL $$'; exit $?")).exit() == Exit(code=137)

    def test_what_is_unknown_is_no_success(self) -> None:
        assert not Exit(code=None).ok
        assert not Exit(code=0, vanished=True).ok
        assert not Exit(code=0, out_of_memory=True).ok

    def test_asking_again_gives_the_same_answer(self, launcher: Launcher, make_step: StepMaker) -> None:
        running = launcher.start(make_step("exit 3"))
        assert running.exit() == running.exit() == Exit(code=3)

    def test_its_descriptor_is_readable_when_it_has_ended_and_not_before(
        self, launcher: Launcher, make_step: StepMaker
    ) -> None:
        running = launcher.start(make_step("touch ready; while [ ! -e go ]; do sleep 0.01; done"))
        wait_for(make_step.cwd / "ready")
        assert not has_ended(running, within=0.1)
        (make_step.cwd / "go").touch()
        assert has_ended(running, within=PATIENCE)
        assert running.exit().ok

    # What a command writes

    def test_both_outputs_are_in_the_log_in_order(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
        launcher.start(step).exit()
        assert log_of(step) == "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"

    def test_the_log_is_appended_to(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step("echo second")
        with open(step.log, "w", encoding="utf-8") as log:
            log.write("first\n")
        launcher.start(step).exit()
        assert log_of(step) == "first\nsecond\n"

    def test_the_log_grows_while_the_command_runs(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step("echo early; touch ready; while [ ! -e go ]; do sleep 0.01; done")
        running = launcher.start(step)
        wait_for(make_step.cwd / "ready")
        deadline = time.monotonic() + PATIENCE
        while not log_of(step) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log_of(step) == "early\n"
        (make_step.cwd / "go").touch()
        assert running.exit().ok

    def test_much_output_is_kept_whole(self, launcher: Launcher, make_step: StepMaker, tmp_path: Path) -> None:
        step = make_step("head -c 50000000 /dev/zero; echo end", log=str(tmp_path / "much.txt"))
        assert launcher.start(step).exit().ok
        content = (tmp_path / "much.txt").read_bytes()
        assert len(content) == 50_000_004
        assert content.endswith(b"\0end\n")

    def test_long_lines_are_kept_whole(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step(self.script(make_step, "long.py", LONG_LINE))
        assert launcher.start(step).exit().ok
        assert log_of(step) == "a" * 10_000_000 + "\n" + "b" * 10_000_000 + "\n"

    def test_any_bytes_are_kept(self, launcher: Launcher, make_step: StepMaker, tmp_path: Path) -> None:
        program = "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 2)"
        step = make_step(self.script(make_step, "bytes.py", program), log=str(tmp_path / "bytes.txt"))
        assert launcher.start(step).exit().ok
        assert (tmp_path / "bytes.txt").read_bytes() == bytes(range(256)) * 2

    def test_the_outputs_can_be_opened_by_name(self, launcher: Launcher, make_step: StepMaker, tmp_path: Path) -> None:
        step = make_step("echo one >> /dev/stdout; echo two >> /dev/stderr", protected=(str(tmp_path),))
        assert launcher.start(step).exit().ok
        assert log_of(step) == "one\ntwo\n"

    # What a command sees

    def test_quotes_and_other_alphabets_arrive_as_they_are(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step(
            """printf '%s|' 'it'"'"'s' "a \\"b\\"" $'tab\\t' 'Größe 😀' "$NAME" `echo hi`; echo""",
            env=self._env(NAME="x  y"),
        )
        assert launcher.start(step).exit().ok
        assert log_of(step) == 'it\'s|a "b"|tab\t|Größe 😀|x  y|hi|\n'

    def test_the_environment_is_what_was_given(
        self, launcher: Launcher, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OF_THE_RUNNER", "must not leak")
        given = self._env(
            PYTHONCOERCECLOCALE="0",
            EMPTY="",
            SPACED=" a  b ",
            LINES_="1\n2",
            EQUALS="a=b=c",
            QUOTED="'\"$HOME`",
            ALPHABET="Größe 😀",
        )
        program = "import json, os\nprint(json.dumps(dict(os.environ)))"
        step = make_step(self.script(make_step, "environment.py", program), env=given)
        assert launcher.start(step).exit().ok
        seen = json.loads(log_of(step))
        assert {name: value for name, value in seen.items() if name not in self.additions} == given

    def test_its_input_is_empty(self, launcher: Launcher, make_step: StepMaker) -> None:
        step = make_step("if read line; then echo read something; fi; [ -t 0 ] || echo no terminal")
        assert launcher.start(step).exit().ok
        assert log_of(step) == "no terminal\n"

    def test_it_starts_in_its_working_folder(self, launcher: Launcher, make_step: StepMaker) -> None:
        assert launcher.start(make_step("touch here")).exit().ok
        assert (make_step.cwd / "here").exists()
        (make_step.cwd / "a b").mkdir()
        assert launcher.start(make_step("touch there", cwd="exe/wd/a b")).exit().ok
        assert (make_step.cwd / "a b" / "there").exists()

    @pytest.mark.parametrize("name", ["plain", "with space", "it's $HOME; *", "Größe"])
    def test_its_root_can_be_named_without_quotes(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path, name: str
    ) -> None:
        make_step = make_step.at(tmp_path / name / "cr")
        root = launcher.see(str(make_step.root))
        assert launcher.see(str(make_step.root)) == root
        step = make_step(f"touch {root}/exe/wd/found; cd $PWD && echo inside")
        assert launcher.start(step).exit().ok
        assert log_of(step) == "inside\n"
        assert (make_step.cwd / "found").exists()

    # What a command reads

    def test_files_and_folders_are_mounted(self, launcher: Launcher, make_step: StepMaker, tmp_path: Path) -> None:
        folder, file = self._inputs(tmp_path)
        data = "cap/data-capability/wd"
        mounts = (Mount(str(folder), f"{data}/INPUT_raw"), Mount(str(file), f"{data}/INPUT_file/a table.csv"))
        root = launcher.see(str(make_step.root))
        step = make_step(
            f"cat {root}/{data}/INPUT_raw/part/1.csv {root}/{data}/'INPUT_file/a table.csv'", mounts=mounts
        )
        assert launcher.start(step).exit().ok
        assert log_of(step) == "1\n2\n"

    @pytest.mark.usefixtures("protects")
    @pytest.mark.parametrize(
        "harm",
        [
            "echo x >> raw/part/1.csv",
            "echo x > raw/part/1.csv",
            ": > raw/part/1.csv",
            "rm raw/part/1.csv",
            "rm -r raw/part",
            "mv raw/part/1.csv raw/part/2.csv",
            "mv raw/part/1.csv .",
            "mv raw/part moved",
            "touch raw/new",
            "mkdir raw/new",
            "ln -s / raw/new",
            "echo x > mine; mv mine raw/new",
            "ln raw/part/1.csv mine && echo x >> mine",
            "chmod -R a+rwx raw; echo x >> raw/part/1.csv",
            "ln -s raw/part/1.csv link; echo x >> link",
            "echo x >> table.csv",
        ],
    )
    def test_what_is_mounted_cant_be_changed(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path, harm: str
    ) -> None:
        folder, file = self._inputs(tmp_path)
        mounts = (Mount(str(folder), "exe/wd/raw"), Mount(str(file), "exe/wd/table.csv"))
        before = self._contents(folder, file)
        end = launcher.start(make_step(harm, mounts=mounts)).exit()
        assert self._contents(folder, file) == before
        assert not end.ok

    @pytest.mark.usefixtures("protects")
    def test_what_is_protected_cant_be_changed_but_the_root_in_it_can(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        (tmp_path / "workspace.db").write_text("precious")
        command = (
            "echo x > ../../../workspace.db; touch ../../../new; echo $?; echo fine > ../../cap/data-capability/wd/out"
        )
        step = make_step(command, protected=(str(tmp_path),))
        launcher.start(step).exit()
        assert (tmp_path / "workspace.db").read_text() == "precious"
        assert not (tmp_path / "new").exists()
        assert (make_step.root / "cap/data-capability/wd/out").read_text() == "fine\n"

    def test_what_is_protected_but_writable_can_be_changed(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        checkpoints = tmp_path / "checkpoints"
        checkpoints.mkdir()
        step = make_step(f"touch '{checkpoints}/1'", protected=(str(tmp_path),), writable=(str(checkpoints),))
        assert launcher.start(step).exit().ok
        assert (checkpoints / "1").exists()

    # What can't be started

    def test_a_missing_input_is_an_error_that_names_it(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        missing = tmp_path / "gone.csv"
        with pytest.raises(BackendError, match=r"gone\.csv"):
            launcher.start(make_step("true", mounts=(Mount(str(missing), "exe/wd/in.csv"),))).exit()

    def test_a_missing_working_folder_is_an_error_that_names_it(self, launcher: Launcher, make_step: StepMaker) -> None:
        with pytest.raises(BackendError, match="nowhere"):
            launcher.start(make_step("true", cwd="exe/nowhere")).exit()

    def test_an_input_outside_of_the_root_is_an_error(
        self, launcher: Launcher, make_step: StepMaker, tmp_path: Path
    ) -> None:
        with pytest.raises(BackendError, match="outside"):
            launcher.start(make_step("true", mounts=(Mount(str(tmp_path), "../outside"),))).exit()

    def test_a_command_that_is_too_long_is_an_error(self, launcher: Launcher, make_step: StepMaker) -> None:
        with pytest.raises(BackendError, match="bytes"):
            launcher.start(make_step("true " + "x" * 200_000)).exit()
        assert launcher.start(make_step("true " + "x" * 100_000)).exit().ok

    def _env(self, **more: str) -> dict[str, str]:
        return {**self.environment, **more}

    @staticmethod
    def _inputs(tmp_path: Path) -> tuple[Path, Path]:
        folder, file = tmp_path / "raw data", tmp_path / "table.csv"
        (folder / "part").mkdir(parents=True)
        (folder / "part" / "1.csv").write_text("1\n")
        file.write_text("2\n")
        return folder, file

    @staticmethod
    def _contents(*paths: Path) -> dict[Path, str]:
        files = [file for path in paths for file in (path, *path.rglob("*"))]
        return {file: file.read_text() if file.is_file() else "" for file in files}
