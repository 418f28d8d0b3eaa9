"""What the launcher and its guards say to each other, over pipes."""

from __future__ import annotations

import marshal
import os
from typing import Any, NamedTuple

GET_READY, TERMINATE, KILL = "get ready", "terminate", "kill"


class Order(NamedTuple):
    """A command for a guard to start.

    Attributes:
        shell: The bash to run it with.
        command: The command.
        cwd: The folder it starts in.
        env: Its environment, which holds the marker already.
        token: The marker's value.
        log: The file its output is appended to.
        protected: What is to be protected from it.
        writable: What stays writable for it all the same.
        mounts: What it reads, each with the link to it that was made in the step's folder.
    """

    shell: str
    command: str
    cwd: str
    env: dict[str, str]
    token: str
    log: str
    protected: tuple[str, ...]
    writable: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...] = ()


class Report(NamedTuple):
    """How a step ended.

    Attributes:
        status: The command's wait status, or None if it wasn't started or can't be killed.
        out_of_memory: Whether the system killed it for want of memory.
        error: Why it wasn't started.
        reusable: Whether the guard waits for the next order; otherwise it ends.
    """

    status: int | None
    out_of_memory: bool = False
    error: str = ""
    reusable: bool = True


def send(pipe: int, message: Order | Report | str) -> None:
    """Write a message into a pipe, whole.

    Raises:
        BrokenPipeError: Nobody can read it any more.
    """
    text = marshal.dumps(message if isinstance(message, str) else tuple(message))
    rest = memoryview(len(text).to_bytes(4, "big") + text)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> Any:  # one of the above, as plain values
    """Wait for a message; None when the other end is closed."""
    head = _read(pipe, 4)
    text = _read(pipe, int.from_bytes(head, "big")) if head else b""
    return marshal.loads(text) if text else None  # noqa: S302  from our own fork


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(pipe, size - len(data))
        if not part:
            return b""
        data += part
    return data
