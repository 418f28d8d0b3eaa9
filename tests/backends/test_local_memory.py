"""Steps that the system kills for want of memory, and those that only look so."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.seams.launcher import Exit
from creditml_local import guard

if TYPE_CHECKING:
    from creditml.testing.steps import StepMaker
    from creditml_local.launcher import LocalLauncher

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_a_step_that_was_killed_on_purpose_was_not_killed_for_want_of_memory(
    launcher: LocalLauncher, make_step: StepMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter(range(100))
    monkeypatch.setattr(guard, "out_of_memory_kills", lambda: next(kills))  # others are killed all the time
    running = launcher.start(make_step("sleep 600"))
    running.kill()
    assert running.exit() == Exit(None, signal.SIGKILL)


def _remove(group: Path) -> None:
    """Remove a control group: the kernel lets go of it only some time after its last process has ended."""
    for _ in range(500):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.01)
    group.rmdir()


_HOG = """
open("/proc/self/oom_score_adj", "w").write("1000")
b = bytearray(1 << 30)
b[::4096] = b"x" * len(b[::4096])
"""
# A process of its own: the kernel ends the largest one of a group, which would be a fork of this test runner.
_LAUNCHING = """
import json, os, pickle, sys
from creditml_local import LocalLauncher
open(sys.argv[1], "w").write(str(os.getpid()))
with LocalLauncher() as launcher:
    print(json.dumps([launcher.start(step).exit() for step in pickle.load(sys.stdin.buffer)]))
"""


@needs_linux
@needs_root
def test_a_step_that_the_system_killed_for_want_of_memory_says_so(make_step: StepMaker, tmp_path: Path) -> None:
    of_memory = Path("/sys/fs/cgroup/memory")
    group = (of_memory if of_memory.exists() else of_memory.parent) / f"{tmp_path.name}-{os.getpid()}"
    (make_step.cwd / "hog.py").write_text(_HOG)
    steps = [make_step(f"{sys.executable} hog.py{rest}") for rest in ("", "; exit $?")] + [make_step("kill -9 $$")]
    try:
        group.mkdir()
        limit = next(path for name in ("memory.max", "memory.limit_in_bytes") if (path := group / name).exists())
        limit.write_text("200000000")
    except (OSError, StopIteration) as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group for memory: {error!r}")
    try:
        command = [sys.executable, "-c", _LAUNCHING, str(group / "cgroup.procs")]
        done = subprocess.run(command, input=pickle.dumps(steps), stdout=subprocess.PIPE, check=True)
    finally:
        _remove(group)
    assert [Exit(*end) for end in json.loads(done.stdout)] == [
        Exit(None, signal.SIGKILL, out_of_memory=True),
        Exit(137, out_of_memory=True),
        Exit(None, signal.SIGKILL),
    ]
