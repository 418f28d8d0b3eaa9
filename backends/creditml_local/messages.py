"""The messages between the launcher and its guards, which are sent through pipes."""

from __future__ import annotations

import marshal
import os
from typing import Any, NamedTuple

GET_READY, TERMINATE, KILL = "get ready", "terminate", "kill"


class Order(NamedTuple):
    """A command that a guard is to start.

    Attributes:
        shell: The path of bash.
        command: The command.
        cwd: The folder in which it starts.
        env: Its environment variables, including the marker.
        token: The marker's value.
        log: The file to which its output is appended.
        protected: Files and folders that it must not write to.
        writable: Files and folders that it may write to even if they are below a protected one.
        mounts: The files and folders that it reads, each with its place in the step's folder.
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
        status: The command's wait status; None if it wasn't started or can't be killed.
        out_of_memory: Whether the system killed it because memory ran out.
        error: Why it wasn't started; empty if it was.
        reusable: Whether the guard takes another order; otherwise it ends.
    """

    status: int | None
    out_of_memory: bool = False
    error: str = ""
    reusable: bool = True


def send(pipe: int, message: Order | Report | str) -> None:
    """Write a whole message into a pipe.

    Raises:
        BrokenPipeError: The reader has closed the pipe.
    """
    text = marshal.dumps(message if isinstance(message, str) else tuple(message))
    rest = memoryview(len(text).to_bytes(4, "big") + text)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> Any:
    """Wait for a message, and return it as plain values (a text, or a tuple of fields); None if the pipe has ended."""
    head = _read(pipe, 4)
    text = _read(pipe, int.from_bytes(head, "big")) if head else b""
    return marshal.loads(text) if text else None  # noqa: S302  the data come from a fork of this process


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(pipe, size - len(data))
        if not part:
            return b""
        data += part
    return data
