"""`creditml run` on a real terminal: a table that moves, and what signals do."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from typing import TYPE_CHECKING

import pytest
from project import PATIENCE, Project, eventually, pipeline, processes, single, step

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

OUT = {"out": {"type": "uri_folder"}}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
CTRL_C = b"\x03"


class Terminal:
    """A real terminal with a command in its foreground."""

    def __init__(self, project: Project, *words: str, size: tuple[int, int] = (30, 120)) -> None:
        """`size` is lines and columns."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process: subprocess.Popen[str] = project.start(
            *words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = ""

    def __enter__(self) -> Self:
        """Close it at the end of a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the terminal away."""
        self.process.kill()
        self.process.wait()
        self.hang_up()

    @property
    def text(self) -> str:
        """What it has shown, without the signs that move the cursor."""
        return ESCAPE.sub("", self.raw)

    def see(self, words: str) -> None:
        """Read until some words are shown."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            self._read()

    def end(self) -> int:
        """Read until the command has ended; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self._read()
        self._read()
        return self.process.returncode

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _read(self) -> None:
        while select.select([self._master], [], [], 0.05)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # nobody has it open any more
                return
            self.raw += data.decode(errors="replace")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project whose commands believe in their terminal, and leave nothing running."""
    project = Project(tmp_path / "project", TERM="xterm-256color")
    yield project
    left = processes(str(tmp_path))
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert not left


def endless(project: Project, tmp_path: Path) -> Path:
    """Write a job with a stubborn grandchild and a sibling; the file appears when it runs."""
    ready = tmp_path / "ready"
    stubborn = (
        f"setsid bash -c 'trap \"\" TERM INT HUP; echo > {ready}; while :; do sleep 0.1; done' & echo started; wait"
    )
    jobs = {
        "a": step(stubborn, outputs=OUT),
        "b": step(f"sleep 3600 # {tmp_path}"),
        "c": step("ls ${{inputs.d}}", inputs={"d": "${{parent.jobs.a.outputs.out}}"}),
    }
    project.write("job.yml", pipeline(jobs))
    return ready


def the_job(project: Project) -> dict[str, str]:
    """Its name, its status, and those of its steps."""
    (job,) = project.json("job", "list")
    steps = project.json("job", "list", "-p", job["name"])
    return {"": job["status"], **{child["node"]: child["status"] for child in steps}}


def test_a_terminal_shows_each_step_with_its_last_line(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"touch {go}; echo first words; echo last words; while test -e {go}; do sleep 0.01; done"
    jobs = {"prep": step(wait, outputs=OUT), "train": step("true", inputs={"d": "${{parent.jobs.prep.outputs.out}}"})}
    project.write("job.yml", pipeline(jobs))

    with Terminal(project, "run", "job.yml", "--name", "mine") as terminal:
        terminal.see("last words")
        during = terminal.text
        eventually(go.exists)
        go.unlink()
        code = terminal.end()

    assert code == 0
    assert "\x1b[" in terminal.raw
    assert re.search(r"prep +Running +\d+\.\ds +last words", during)
    assert re.search(r"train +prep +NotStarted", during)
    assert re.search(r"train +prep +Completed +\d+\.\ds", terminal.text)
    assert "mine: Completed in" in terminal.text
    assert terminal.raw.count("\x1b[?25l") == terminal.raw.count("\x1b[?25h"), "the cursor is shown again"


def test_a_small_terminal_shows_what_runs(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    jobs = {f"step{number:02}": step("true") for number in range(30)}
    jobs["slow"] = step(f"touch {go}; echo still at it; while test -e {go}; do sleep 0.01; done")
    project.write("job.yml", pipeline(jobs))

    with Terminal(project, "run", "job.yml", "--max-parallel", "2", size=(10, 60)) as terminal:
        terminal.see("still at it")
        eventually(go.exists)
        go.unlink()

        assert terminal.end() == 0

    assert "more steps" in terminal.text


@pytest.mark.parametrize("width", [36, 50])
def test_a_narrow_terminal_shows_states_and_times_whole(project: Project, tmp_path: Path, width: int) -> None:
    go = tmp_path / "go"
    wait = f"touch {go}; echo words; while test -e {go}; do sleep 0.01; done"
    jobs = {"prepare": step(wait, outputs=OUT), "b": step("true", inputs={"d": "${{parent.jobs.prepare.outputs.out}}"})}
    project.write("job.yml", pipeline(jobs))

    with Terminal(project, "run", "job.yml", size=(20, width)) as terminal:
        terminal.see("Running")
        eventually(go.exists)
        go.unlink()
        assert terminal.end() == 0

    assert re.search(r"prepare +Completed +\d+\.\ds", terminal.text)
    assert re.search(r"b +(prepare +)?NotStarted", terminal.text)


def test_a_long_line_leaves_room_for_the_state(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write(
        "job.yml",
        pipeline({"a": step(f"printf 'x%.0s' $(seq 300); touch {go}; while test -e {go}; do sleep 0.01; done")}),
    )

    with Terminal(project, "run", "job.yml", size=(20, 70)) as terminal:
        terminal.see("xxxxxx")
        shown = terminal.text
        eventually(go.exists)
        go.unlink()
        terminal.end()

    assert re.search(r"● +a +Running +\d+\.\ds +xxx", shown)


def test_a_log_cannot_steer_the_terminal(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    line = r"\033[2J\033[31mred\033[0m \007bell [bold]x[/nope] \033]0;title\007 shown"
    project.write(
        "job.yml", pipeline({"a": step(f"printf '{line}'; touch {go}; while test -e {go}; do sleep 0.01; done")})
    )

    with Terminal(project, "run", "job.yml") as terminal:
        terminal.see("shown")
        eventually(go.exists)
        go.unlink()
        terminal.end()

    assert "\x1b[2J" not in terminal.raw
    assert "\x1b]0;" not in terminal.raw
    assert "\x07" not in terminal.raw
    assert "[bold]x[/nope]" in terminal.text


def test_a_streamed_log_cannot_steer_the_terminal_and_is_whole_in_a_file(project: Project) -> None:
    line = r"\033[2J\033[31mred\033[0m\033]0;title\007 10%%\r99%% shown\n"
    job = project.run(single(f"printf '{line}'"))

    with Terminal(project, "job", "stream", "-n", job.name) as terminal:
        terminal.see("Execution Summary")
        terminal.end()

    assert "\x1b" not in terminal.raw
    assert "\x07" not in terminal.raw
    assert "\n99% shown\r\n" in terminal.raw
    assert "\x1b[2J\x1b[31mred\x1b[0m\x1b]0;title\x07 10%" in project.creditml("job", "stream", "-n", job.name).out


def test_yaml_cannot_steer_the_terminal(project: Project) -> None:
    evil = "\x1b]0;title\x07\x9b2J"
    project.write("job.yml", json.dumps({**single("true"), evil: 1, "display_name": evil, "tags": {evil: evil}}))
    for words in (("job", "validate", "-f", "job.yml"), ("parity", "job.yml"), ("run", "job.yml")):
        done = project.creditml(*words, code=None)
        assert not {"\x1b", "\x07", "\x9b"} & {*done.out, *done.err}, words
        assert r"\x1b]0;title" in done.out + done.err
    project.write(
        "job.yml", json.dumps({**single("true"), "display_name": evil, "description": evil, "tags": {"a": evil}})
    )
    project.creditml("run", "job.yml", "--name", "mine")
    for output in ("json", "yaml", "table", "tsv", "jsonc"):
        done = project.creditml("job", "show", "-n", "mine", "-o", output)
        assert not {"\x1b", "\x07", "\x9b"} & {*done.out, *done.err}, output
    assert project.json("job", "show", "-n", "mine")["display_name"] == evil


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_plain_lines(project: Project, term: str) -> None:
    project.variables["TERM"] = term
    project.write("job.yml", pipeline({"a": step("echo hi")}))

    with Terminal(project, "run", "job.yml") as terminal:
        assert terminal.end() == 0

    assert "\x1b" not in terminal.raw
    assert "a: Running" in terminal.text


def test_ctrl_c_cancels_the_job_and_a_second_one_kills_what_is_left(project: Project, tmp_path: Path) -> None:
    ready = endless(project, tmp_path)

    with Terminal(project, "run", "job.yml", "--max-parallel", "2") as terminal:
        eventually(ready.exists)
        terminal.see("started")
        terminal.press(CTRL_C)
        terminal.see("Canceled")
        first = terminal.process.poll()
        terminal.press(CTRL_C)
        code = terminal.end()

    assert first is None, "the grandchild has time to end"
    assert code == 130
    assert the_job(project) == {"": "Canceled", "a": "Canceled", "b": "Canceled"}
    assert "Traceback" not in terminal.text


def test_one_ctrl_c_is_enough_for_steps_that_end(project: Project, tmp_path: Path) -> None:
    said = tmp_path / "said"
    project.write(
        "job.yml", single(f"trap 'echo bye > {said}; exit 5' TERM; echo started; while :; do sleep 0.1; done")
    )

    with Terminal(project, "run", "job.yml") as terminal:
        terminal.see("started")
        terminal.press(CTRL_C)
        code = terminal.end()

    assert code == 130
    assert said.exists(), "a step is asked before it is killed"
    assert the_job(project) == {"": "Canceled"}


@pytest.mark.parametrize("end", ["SIGTERM", "SIGHUP", "closing the window"])
def test_the_job_is_canceled_whatever_ends_the_run(project: Project, end: str) -> None:
    project.write("job.yml", single("echo started; sleep 3600"))

    with Terminal(project, "run", "job.yml") as terminal:
        terminal.see("started")
        if end == "closing the window":
            terminal.hang_up()
            code = terminal.process.wait(PATIENCE)
        else:
            terminal.process.send_signal(getattr(signal, end))
            code = terminal.end()

    assert code != 0
    assert the_job(project) == {"": "Canceled"}
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_is_ignored_stays_ignored(project: Project, tmp_path: Path, name: str) -> None:
    """As `nohup creditml run …` and a script's `creditml run … &` want it."""
    number, go = getattr(signal, name), tmp_path / "go"
    project.write("job.yml", single(f"touch {go}; while test -e {go}; do sleep 0.01; done; echo done"))

    with project.start("run", "job.yml", preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as running:
        eventually(go.exists)
        running.send_signal(number)
        time.sleep(0.2)
        go.unlink(missing_ok=True)
        running.communicate(timeout=PATIENCE)

    assert running.returncode == 0
    assert the_job(project) == {"": "Completed"}


def test_ctrl_c_while_streaming_only_stops_watching(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    job = project.submit(single(f"touch {go}; echo started; while test -e {go}; do sleep 0.01; done"))

    with Terminal(project, "job", "stream", "-n", job.name) as terminal:
        terminal.see("started")
        terminal.press(CTRL_C)
        code = terminal.end()
    status = job.status
    eventually(go.exists)
    go.unlink()

    assert (code, status) == (130, "Running")
    assert f"creditml job cancel -n {job.name}" in terminal.text
    assert "Traceback" not in terminal.text
    assert job.wait().status == "Completed"


def test_colours_are_for_terminals(project: Project) -> None:
    project.run(single("true"))

    with Terminal(project, "job", "list", "-o", "jsonc") as terminal:
        assert terminal.end() == 0

    assert "\x1b[" in terminal.raw
    assert '"status": "Completed"' in terminal.text


def test_a_diff_in_colours_cannot_steer_the_terminal(project: Project) -> None:
    for name, words in (("one", "echo 1"), ("two", "echo \x1b]0;title\x07")):
        project.write("src/run.sh", words)
        project.write("job.yml", single("cat run.sh", code="./src"))
        project.creditml("run", "job.yml", "--name", name)

    with Terminal(project, "diff", "one", "two", "--patch") as terminal:
        assert terminal.end() == 1

    assert "\x1b]0;" not in terminal.raw
    assert "\x07" not in terminal.raw
    assert "\x1b[32m    +echo" in terminal.raw
