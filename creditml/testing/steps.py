"""Steps to try launchers with, and what to look at afterwards."""

from __future__ import annotations

import fcntl
import selectors
import signal
import time
from typing import TYPE_CHECKING, Any

from creditml.seams.launcher import Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from creditml.seams.launcher import Exit, Running

PATIENCE = 60.0  # seconds after which what must happen is taken to have failed

# Holds a lock for as long as it lives, so that a test can tell whether it does.
HOLDER = """
import fcntl, time
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
open("locked", "w").close()
time.sleep(600)
"""

# Does so too, but has left its parent and the step's process group, and ignores whatever asks it to end.
STUBBORN = f"""
import os, signal
if os.fork():
    os._exit(0)
os.setsid()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
{HOLDER}
"""

# Takes its time to end when it is asked to, as a training script does that saves a checkpoint first.
HEEDFUL = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    open("checkpoint", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open("ready", "w").close()
time.sleep(600)
"""

LONG_LINE = """
import sys
for letter in "ab":
    print(letter * 10_000_000)
"""


class StepMaker:
    """Builds steps around commands. All have the same root, with the folders that the engine would make in it."""

    def __init__(self, root: Path, env: Mapping[str, str], image: str = "") -> None:
        """Make the folders."""
        self.root = root
        self._image = image
        self.cwd = root / "exe" / "wd"
        self._logs = root.parent / "logs"
        self._env = env
        self._made = 0
        for folder in (self.cwd, root / "cap" / "data-capability" / "wd", self._logs):
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, command: str, **fields: Any) -> Step:
        """Build a step with a log of its own; `fields` replace its fields."""
        self._made += 1
        step = Step(
            run_id=f"step-{self._made}",
            command=command,
            root=str(self.root),
            log=str(self._logs / f"{self._made}.txt"),
            env=self._env,
            image=self._image,
        )
        return step._replace(**fields)

    def at(self, root: Path) -> StepMaker:
        """Return a maker of steps with another root."""
        return StepMaker(root, self._env, self._image)


def log_of(step: Step) -> str:
    """Return what a step has written so far."""
    with open(step.log, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def wait_for(path: Path) -> None:
    """Wait until a step has made a file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was never made"
        time.sleep(0.01)


def is_free(lock: Path) -> bool:
    """Whether nobody holds the lock on a file any more."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def has_ended(running: Running, within: float = 0) -> bool:
    """Whether a step's descriptor is readable, or becomes so in the given seconds."""
    with selectors.DefaultSelector() as selector:
        selector.register(running, selectors.EVENT_READ)
        return bool(selector.select(within))


def was_killed(end: Exit) -> bool:
    """Whether a step was killed, in the words of a process's parent or in those of a shell (or a container)."""
    return not end.ok and (end.signal == signal.SIGKILL or end.code == 128 + signal.SIGKILL)
