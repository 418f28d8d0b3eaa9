"""Commands that are started without bash must not be able to tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import StepMaker, log_of
from creditml_local import direct, starting
from creditml_local.launcher import LocalLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from creditml.seams.launcher import Exit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only done on Linux")

REPORT = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "arguments": [line.decode() for line in open("/proc/self/cmdline", "rb").read().split(bytes(1))],
    "environment": {name: value for name, value in os.environ.items() if name != "CREDITML_GUARD"},
    "folder": os.getcwd(),
    "leader": os.getpid() == os.getsid(0) == os.getpgrp(),
    "parent": open(f"/proc/{os.getppid()}/comm").read(),
    "signals": [status["SigBlk"], status["SigIgn"]],
    "descriptors": sorted(os.listdir("/proc/self/fd")),
}))
sys.exit(7)
"""

OURS = {"HOME": "/", "LANG": "C"}  # and none that whoever runs the tests happens to have
KNOWN = sorted(
    set(subprocess.check_output(["/bin/bash", "-c", "compgen -v"], text=True, env=OURS).split()) - {"PATH"},
)
"""The variables that mean something to bash."""


class Launchers(NamedTuple):
    """One whose guards start programs themselves where they can, and one whose guards always start bash."""

    direct: LocalLauncher
    bash: LocalLauncher


@pytest.fixture(scope="module")
def launchers() -> Iterator[Launchers]:
    with LocalLauncher() as direct, LocalLauncher() as bash:
        yield Launchers(direct, bash)


class Bench:
    """Runs commands with and without bash."""

    def __init__(self, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch, launchers: Launchers) -> None:
        self.make_step, self._monkeypatch, self._launchers = make_step, monkeypatch, launchers
        self.env = {**make_step("").env, "PYTHONCOERCECLOCALE": "0"}

    def run(self, command: str, **more: str) -> tuple[Exit, str]:
        step = self.make_step(command, env={**self.env, **more})
        return self._launchers.direct.start(step).exit(), log_of(step)

    def run_with_bash(self, command: str, **more: str) -> tuple[Exit, str]:
        step = self.make_step(command, env={**self.env, **more})
        with self._monkeypatch.context() as patch:
            patch.setattr(starting, "as_program", lambda *_: None)
            return self._launchers.bash.start(step).exit(), log_of(step)

    def is_direct(self, command: str, env: Mapping[str, str]) -> bool:
        folder = os.getcwd()
        os.chdir(self.make_step.cwd)
        try:
            return direct.as_program(command, {**self.env, **env}) is not None
        finally:
            os.chdir(folder)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launchers: Launchers) -> Bench:
    make_step = StepMaker(tmp_path / "cr", LauncherContract.environment)
    (make_step.cwd / "report.py").write_text(REPORT)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    (make_step.cwd / "python").symlink_to(sys.executable)
    script = make_step.cwd / "script"
    script.write_text(f"#!{sys.executable}\n{REPORT}")
    script.chmod(0o755)
    bench = Bench(make_step, monkeypatch, launchers)
    bench.env["PATH"] = f"/nowhere:{programs}:{bench.env['PATH']}"
    return bench


def check_same(bench: Bench, command: str, **more: str) -> Any:  # what JSON makes of it
    by_bash, directly = bench.run_with_bash(command, **more), bench.run(command, **more)
    assert directly[0] == by_bash[0]
    try:
        answers = [json.loads(log) for _, log in (by_bash, directly)]
    except ValueError:
        assert directly[1] == by_bash[1]
        return directly[1]
    assert answers[1] == answers[0]
    return answers[1]


@pytest.mark.parametrize(
    "command",
    [
        f"{sys.executable} report.py",
        "python report.py a b",
        "./python   report.py --lr=0.01 -x a/b,c:d@e%f+g  ",
        "./script a",
        "../wd/script",
    ],
)
def test_a_program_cant_tell(bench: Bench, command: str) -> None:
    assert bench.is_direct(command.rstrip(), {})
    answer = check_same(bench, command.rstrip(), SOME="thing", EMPTY="", **{"in.valid-name": "x"})
    assert answer["environment"]["SOME"] == "thing"
    assert answer["arguments"][-2] in command  # the last one is empty


@pytest.mark.parametrize("name", [name for name in KNOWN if direct.as_program("/bin/true", {name: "5"})])
def test_no_variable_that_bash_knows_makes_a_difference(bench: Bench, name: str) -> None:
    check_same(bench, "python report.py", **{name: "5"})


@pytest.mark.parametrize(
    "more",
    [
        {"PS4": "5"},
        {"BASH_FUNC_python%%": "() { echo function; }"},
        {"BASH_ENV": "report.sh"},
        {"LC_ALL": "xx_YY.UTF-8"},
        {"LANG": "xx_YY.UTF-8"},
        {"LC_CTYPE": "C"},
        {"OLDPWD": "/nowhere"},
        {"SHELLOPTS": "braceexpand:noglob:xtrace"},
        {"POSIXLY_CORRECT": "1"},
        {"PATH": ".:/usr/bin"},
        {"PATH": ":/usr/bin"},
        {"PATH": "~/bin:/usr/bin"},
        {"PATH": "/nowhere"},
        {"PATH": ""},
        {"PWD": "/"},
        {"SHLVL": "8"},
    ],
)
def test_no_other_variable_makes_a_difference(bench: Bench, more: dict[str, str]) -> None:
    (bench.make_step.cwd / "report.sh").write_text("echo sourced\n")
    check_same(bench, "python report.py", **more)
    check_same(bench, f"{sys.executable} report.py", **more)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("./nowhere a", 127),
        ("python9 a", 127),
        ("./data.csv", 126),
        ("/tmp", 126),
        ("./no_interpreter", 126),
        ("./no_shebang a", 3),
        ("./", 126),
    ],
)
def test_what_goes_wrong_is_said_by_bash(bench: Bench, command: str, code: int) -> None:
    for name, text, mode in (
        ("data.csv", "1,2", 0o644),
        ("no_interpreter", "#!/no/such/program\n", 0o755),
        ("no_shebang", "echo $1 $0; exit 3\n", 0o755),
    ):
        (bench.make_step.cwd / name).write_text(text)
        (bench.make_step.cwd / name).chmod(mode)
    if command == "./no_interpreter" and bench.run_with_bash(command)[0].code != code:
        code = 127  # as newer bashes have it
    assert bench.run_with_bash(command)[0].code == code
    check_same(bench, command)


@pytest.mark.parametrize(
    "command",
    [
        "echo a",
        "cd /",
        "exit",
        "A=1 ./script",
        "A=./script",
        "./script; true",
        "./script &",
        "./script $HOME",
        "./script ~",
        "./script *",
        "./script {a,b}",
        "./script 'a'",
        "./script > out",
        "./script # comment",
        "./script\n",
        "./script\ttab",
        "! ./script",
        " ./script",
        "%1",
        ".",
        ":",
        "",
    ],
)
def test_whatever_may_need_a_shell_gets_one(bench: Bench, command: str) -> None:
    assert not bench.is_direct(command, {})
