"""Finds the processes of a step, and sends them signals.

On Linux a guard adopts the orphans of its step (`adopt_orphans`). So all processes that the step starts stay
descendants of the guard, even in another session. On other systems, and if a guard was killed, processes are recognized
by a marker in the environment that they were started with; one that was started with a new environment is not found.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARKER = "CREDITML_GUARD"
PATIENCE = 5.0  # seconds to wait until killed processes are gone; those that stay can't be killed, and are left alone
PS = ("ps", "-axwwE", "-o", "pid=,command=")  # macOS: -E adds the environment to the command


def adopt_orphans() -> bool:
    """Make the calling process the parent of every descendant whose own parent ends.

    Returns:
        Whether the system supports that, and lists processes in /proc.
    """
    if sys.platform == "linux":
        from creditml_local import linux

        try:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        except OSError:
            return False
        return os.path.exists("/proc/self/stat")
    return False


def descendants(ancestor: int) -> list[int]:
    """Return the ids of all descendants of a process, parents before their children. Needs /proc.

    In this order a shell gets a signal before the child that it waits for, so that its trap runs.
    """
    children: dict[int, list[int]] = {}
    for process in _all():
        children.setdefault(_parent(process), []).append(process)
    found: dict[int, None] = {}
    new = [ancestor]
    while new:
        new = [child for process in new for child in sorted(children.get(process, ())) if child not in found]
        found |= dict.fromkeys(new)
    return list(found)


def marked(token: str) -> set[int]:
    """Return the ids of the processes that were started with a marker, among those that this user may inspect.

    A process that is ending is not found any more, although its files may still be open; see `alive`.
    """
    if not os.path.exists("/proc/self/environ"):
        return marked_by_ps(token)
    entry = f"{MARKER}={token}".encode()
    return {process for process in _all() if entry in _read(process, "environ").split(b"\0")}


def alive(processes: Iterable[int]) -> set[int]:
    """Return the processes among these that still exist and are not zombies."""
    return {process for process in processes if _exists(process) and _state(process) not in (b"Z", b"X")}


def is_group(group: int) -> bool:
    """Whether a process group has members; on some systems, processes that have ended don't count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send(number: int, processes: Iterable[int]) -> None:
    """Send a signal to each of the processes that still exists and belongs to this user."""
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def end_marked(token: str, patience: float) -> None:
    """Kill the processes that were started with a marker, and wait until they are gone, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    seen: set[int] = set()
    while (left := marked(token) | alive(seen)) and time.monotonic() < deadline:
        seen |= left
        send(signal.SIGKILL, left)
        time.sleep(0.01)


def marked_by_ps(token: str, command: tuple[str, ...] = PS) -> set[int]:
    """Do the same as `marked` with the output of `ps`.

    A marker can't be confused with a word of a command, because tokens are random.
    """
    import subprocess  # takes milliseconds, and only some systems need it

    listing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    lines = listing.stdout.decode(errors="replace").splitlines()
    return {int(words[0]) for words in map(str.split, lines) if f"{MARKER}={token}" in words[1:]}


def _all() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(process: int, name: str) -> bytes:
    try:
        with open(f"/proc/{process}/{name}", "rb", buffering=0) as file:
            return file.read()
    except OSError:  # the process has ended, or belongs to another user
        return b""


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def _state(process: int) -> bytes:
    return _status(process)[0]


def _parent(process: int) -> int:
    return int(_status(process)[1])


def _status(process: int) -> list[bytes]:
    """Return the fields of /proc/<process>/stat from the process's state on; an empty state and parent 0 if unknown."""
    # The program's name before them is in parentheses, and may contain parentheses itself: split at the last one.
    return _read(process, "stat").rpartition(b")")[2].split() or [b"", b"0"]
