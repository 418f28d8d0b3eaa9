"""Steps for tests of launchers, and functions that look at their effects."""

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

PATIENCE = 60.0  # the longest wait in seconds

# A program that holds a lock as long as it is alive, so that a test can find out whether it is.
HOLDER = """
import fcntl, time
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
open("locked", "w").close()
time.sleep(600)
"""

# A program that holds the lock, but has left its parent and the step's process group, and ignores requests to end.
STUBBORN = f"""
import os, signal
if os.fork():
    os._exit(0)
os.setsid()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
{HOLDER}
"""

# A program that takes time to end after SIGTERM, like a training script that first saves a checkpoint.
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
    """Makes steps that run commands. They share a root, which has the folders that the engine would create in it.

    Args:
        root: The root of the steps.
        env: Their environment variables.
        image: Their image, for launchers that run containers.
    """

    def __init__(self, root: Path, env: Mapping[str, str], image: str = "") -> None:
        self.root = root
        self._image = image
        self.cwd = root / "exe" / "wd"
        self._logs = root.parent / "logs"
        self._env = env
        self._made = 0
        for folder in (self.cwd, root / "cap" / "data-capability" / "wd", self._logs):
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, command: str, **fields: Any) -> Step:
        """Make a step with its own log; `fields` replace fields of `Step`."""
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
        """Return a `StepMaker` with another root."""
        return StepMaker(root, self._env, self._image)


def log_of(step: Step) -> str:
    """Return the content of a step's log."""
    with open(step.log, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def wait_for(path: Path) -> None:
    """Wait until a step has created a file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was not created"
        time.sleep(0.01)


def is_free(lock: Path) -> bool:
    """Whether no process holds the lock on a file."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def has_ended(running: Running, within: float = 0) -> bool:
    """Whether a step's descriptor becomes readable within so many seconds."""
    with selectors.DefaultSelector() as selector:
        selector.register(running, selectors.EVENT_READ)
        return bool(selector.select(within))


def was_killed(end: Exit) -> bool:
    """Whether a step was killed. A parent process sees a signal; a shell or a container reports exit code 137."""
    return not end.ok and (end.signal == signal.SIGKILL or end.code == 128 + signal.SIGKILL)
