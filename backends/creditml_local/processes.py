"""Finding and signalling the processes that a step has left on this machine.

On Linux a guard adopts the orphans of its step (`adopt_orphans`), so that everything the step ever started stays among
the guard's descendants, whatever session it moved to. Elsewhere, and where a guard itself is gone, processes are known
by an entry of the environment that they started with: one that was started with another environment isn't found.
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
PATIENCE = 5.0  # seconds in which all that was killed must be gone; what isn't can't be killed, and is left alone
PS = ("ps", "-axwwE", "-o", "pid=,command=")  # macOS: -E adds the environment to the command


def adopt_orphans() -> bool:
    """Make the calling process the parent of every orphan among its descendants; say whether the system can do it."""
    if sys.platform == "linux":
        from creditml_local import linux

        try:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        except OSError:
            return False
        return os.path.exists("/proc/self/stat")
    return False


def descendants(ancestor: int) -> list[int]:
    """Return the process ids of all that a process has started, and of what those started: parents first. Needs /proc.

    In this order a shell gets a signal before the child that it waits for, and its trap runs.
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
    """Return the ids of the processes that were started with the given marker, as far as this user may look.

    One that is about to end isn't found any more, though its files may not be closed yet; see `alive`.
    """
    if not os.path.exists("/proc/self/environ"):
        return marked_by_ps(token)
    entry = f"{MARKER}={token}".encode()
    return {process for process in _all() if entry in _read(process, "environ").split(b"\0")}


def alive(processes: Iterable[int]) -> set[int]:
    """Return those that are there still, and can do something still."""
    return {process for process in processes if _exists(process) and _state(process) not in (b"Z", b"X")}


def is_group(group: int) -> bool:
    """Whether a process group has members; where the system tells them apart, other than ones that have ended."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send(number: int, processes: Iterable[int]) -> None:
    """Send a signal to each process that is still there and ours."""
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def end_marked(token: str, patience: float) -> None:
    """Kill the processes that were started with the given marker, for at most so many seconds."""
    deadline = time.monotonic() + patience
    seen: set[int] = set()
    while (left := marked(token) | alive(seen)) and time.monotonic() < deadline:
        seen |= left
        send(signal.SIGKILL, left)
        time.sleep(0.01)


def marked_by_ps(token: str, command: tuple[str, ...] = PS) -> set[int]:
    """Do what `marked` does by asking ps; nothing but a marker looks like one, since tokens are random."""
    import subprocess  # costs milliseconds, and only some systems need it

    listing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    lines = listing.stdout.decode(errors="replace").splitlines()
    return {int(words[0]) for words in map(str.split, lines) if f"{MARKER}={token}" in words[1:]}


def _all() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(process: int, name: str) -> bytes:
    try:
        with open(f"/proc/{process}/{name}", "rb", buffering=0) as file:
            return file.read()
    except OSError:  # gone meanwhile, or another user's
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
    """Return a process's state, its parent and more; state and parent are empty and 0 if there is no telling."""
    # The name in parentheses may hold anything, parentheses too: what is wanted stands behind the last one.
    return _read(process, "stat").rpartition(b")")[2].split() or [b"", b"0"]
