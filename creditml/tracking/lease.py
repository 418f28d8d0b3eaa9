"""How the runners of a workspace and its one tracking server find each other and talk.

    mlflow/lock          held for the moments in which a runner joins or starts the server, or the server leaves
    mlflow/server.json   where the control socket of the running server is, and its process id

A runner connects to the control socket, hands over its own listening socket, and holds the connection: that is its
lease. The system closes the connection of a runner that dies, so a lease needs no renewal. The runner that finds no
server binds the control socket itself and lets the new server inherit it; whoever connects meanwhile waits in its
backlog.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from creditml import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = "serve"
"""Runner: serve the listening socket that comes with this message."""
READY = "ready"
"""Server: it is being served."""
DRAIN = "drain"
"""Runner: drain the outbox; answered with DRAINED or UNDRAINED and the same number."""
DRAINED = "drained"
UNDRAINED = "undrained"
"""Server: draining failed, the reason is in the log; the rows are kept for another try."""
FAILED = "failed"
"""Server: it can't start, the reason is in the log."""

REASON = "creditml: "
"""Begins the last words in the log of a server that can't start."""

_MAX_SOCKET_PATH = 100
"""The system's limit for the path of a Unix socket is 104 (macOS) or 108 bytes (Linux)."""
_TEMPORARY = "/tmp"  # noqa: S108  a folder is made there for this user alone
_BACKLOG = 128
_BUFFER = 65536


class Message(NamedTuple):
    """One line on a lease."""

    word: str
    number: int = 0
    listener: socket.socket | None = None


class Channel:
    """Either end of a lease. Nothing here waits."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over the connection."""
        connection.setblocking(False)  # noqa: FBT003  takes no keywords
        self._connection = connection
        self._received = b""

    def fileno(self) -> int:
        """Readable when there is something to receive."""
        return self._connection.fileno()

    def send(self, message: Message) -> None:
        """Send a message. A peer that is gone shows up in `receive`; one that doesn't read gets no more."""
        data = f"{message.word} {message.number}\n".encode()
        listeners = [message.listener.fileno()] if message.listener else []
        with suppress(OSError):
            socket.send_fds(self._connection, [data], listeners)

    def receive(self) -> list[Message] | None:
        """What has come; None if the peer is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, _BUFFER, 1)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *complete, self._received = (self._received + data).split(b"\n")
        messages = [Message(word.decode(), int(number)) for word, number in map(bytes.split, complete)]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003  takes no keywords
            messages[-1] = messages[-1]._replace(listener=socket.socket(fileno=descriptor))
        return messages

    def close(self) -> None:
        """End the lease."""
        self._connection.close()


def folder(root: Path) -> Path:
    """MLflow's folder in the workspace folder `root`."""
    return root / "mlflow"


def log(root: Path) -> Path:
    """What the server prints."""
    return folder(root) / "server.log"


@contextmanager
def mutex(root: Path) -> Iterator[None]:
    """One at a time may look for a server, start one, or leave; nobody for longer than a process takes to start."""
    descriptor = locks.wait_for(folder(root) / "lock")
    try:
        yield
    finally:
        os.close(descriptor)


def connect(root: Path) -> Channel | None:
    """Connect to the running server; None if there is none. Call it under the mutex."""
    path = _recorded(root)
    if path is None:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:  # a server that was killed leaves its record
        connection.close()
        return None
    return Channel(connection)


def publish(root: Path) -> socket.socket:
    """Bind a control socket for a new server and record it. Call it under the mutex."""
    if stale := _recorded(root):
        withdraw(root, stale)
    path = f"{_private_folder()}/s"
    control = socket.socket(socket.AF_UNIX)
    control.bind(path)
    control.listen(_BACKLOG)
    _write(root, {"control": path})
    return control


def sign(root: Path, path: str) -> None:
    """Add this process to the record of its control socket. Call it under the mutex."""
    if _recorded(root) == path:
        _write(root, {"control": path, "pid": os.getpid()})


def withdraw(root: Path, path: str) -> None:
    """Remove a control socket, and the record if it is of that one. Call it under the mutex."""
    with suppress(OSError):
        if _recorded(root) == path:
            _record(root).unlink()
        os.unlink(path)
        os.rmdir(os.path.dirname(path))


def _record(root: Path) -> Path:
    return folder(root) / "server.json"


def _recorded(root: Path) -> str | None:
    """The control socket of the last server, which need not run any more."""
    try:
        return str(json.loads(_record(root).read_bytes())["control"])
    except (OSError, ValueError):
        return None


def _write(root: Path, content: dict[str, str | int]) -> None:
    draft = folder(root) / f"server.json.{os.getpid()}"
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(_record(root))


def _private_folder() -> str:
    """A new folder that only this user can enter, with a path short enough for a Unix socket."""
    name = f"creditml-{os.urandom(8).hex()}"
    path = os.path.join(os.environ.get("TMPDIR") or _TEMPORARY, name)
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH - len("/s"):
        path = os.path.join(_TEMPORARY, name)
    os.mkdir(path, 0o700)
    return path
