"""How the runners of a workspace and its one tracking server find each other and exchange messages.

    mlflow/lock          the mutex, held for the moment in which a runner joins or starts the server, or the server ends
    mlflow/server.json   the path of the running server's control socket, and the server's process id

A runner connects to the control socket, hands over its own listening socket, and keeps the connection open: the open
connection is its lease. The system closes the connection of a runner that dies, so leases need no renewal.

A runner that finds no server binds the control socket itself and lets the new server inherit it. So there is no time at
which the socket can't be reached: runners that connect while the server is starting wait in the socket's backlog.
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
"""From a runner: serve the listening socket that comes with this message; the text is that of its `Grants`."""
GRANTS = "grants"
"""From a runner: the text of its `Grants` has changed."""
READY = "ready"
"""From the server: the runner's socket is being served."""
DRAIN = "drain"
"""From a runner: drain the outbox. The answer is DRAINED or UNDRAINED with the same number."""
DRAINED = "drained"
UNDRAINED = "undrained"
"""From the server: draining failed. The reason is in the log, and the rows are kept for another try."""
FAILED = "failed"
"""From the server: it can't start. The reason is in the log."""

REASON = "creditml: "
"""The prefix of the line in the log in which the server says why it can't start."""

_MAX_SOCKET_PATH = 100
"""The longest path of a Unix socket in bytes; the systems allow 104 (macOS) and 108 (Linux)."""
_TEMPORARY = "/tmp"  # noqa: S108  sockets are put into a new subfolder that only this user can enter
_BACKLOG = 128
_BUFFER = 65536


class Message(NamedTuple):
    """A message between a runner and the server: one line, and with SERVE a listening socket."""

    word: str
    number: int = 0
    text: str = ""
    listener: socket.socket | None = None


class Channel:
    """The runner's or the server's end of a lease's connection; none of its methods blocks."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003  the function takes no keywords
        self._connection = connection
        self._received = b""

    def fileno(self) -> int:
        """The connection's descriptor, which is readable when there is a message."""
        return self._connection.fileno()

    def send(self, message: Message) -> None:
        """Send a message; errors are ignored.

        If the other process is gone, the next `receive` tells; if it doesn't read its messages, further ones are lost.
        """
        data = f"{message.word} {message.number} {message.text}\n".encode()
        listeners = [message.listener.fileno()] if message.listener else []
        with suppress(OSError):
            socket.send_fds(self._connection, [data], listeners)

    def receive(self) -> list[Message] | None:
        """The messages that have arrived; None if the other process is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, _BUFFER, 1)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *complete, self._received = (self._received + data).split(b"\n")
        lines = [line.decode().split(" ", 2) for line in complete]
        messages = [Message(word, int(number), text) for word, number, text in lines]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003  the function takes no keywords
            messages[-1] = messages[-1]._replace(listener=socket.socket(fileno=descriptor))
        return messages

    def close(self) -> None:
        """Close the connection, which ends the lease."""
        self._connection.close()


def folder(root: Path) -> Path:
    """MLflow's folder in the workspace folder `root`."""
    return root / "mlflow"


def log(root: Path) -> Path:
    """The file with what the server prints."""
    return folder(root) / "server.log"


@contextmanager
def mutex(root: Path) -> Iterator[None]:
    """Hold the lock under which a process may look for a server, start one, or end as one.

    It is never held for longer than it takes to start a process.
    """
    descriptor = locks.wait_for(folder(root) / "lock")
    try:
        yield
    finally:
        os.close(descriptor)


def connect(root: Path) -> Channel | None:
    """Connect to the running server; None if there is none. The caller must hold the mutex."""
    path = _recorded(root)
    if path is None:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:  # a server that was killed has left server.json behind
        connection.close()
        return None
    return Channel(connection)


def publish(root: Path) -> socket.socket:
    """Bind a control socket for a new server, and record it in server.json. The caller must hold the mutex."""
    if stale := _recorded(root):
        withdraw(root, stale)
    path = f"{_private_folder()}/s"
    control = socket.socket(socket.AF_UNIX)
    control.bind(path)
    control.listen(_BACKLOG)
    _write(root, {"control": path})
    return control


def sign(root: Path, path: str) -> None:
    """Add this server's process id to server.json. The caller must hold the mutex."""
    if _recorded(root) == path:
        _write(root, {"control": path, "pid": os.getpid()})


def withdraw(root: Path, path: str) -> None:
    """Remove a control socket, and server.json if it names that socket. The caller must hold the mutex."""
    with suppress(OSError):
        if _recorded(root) == path:
            _record(root).unlink()
        os.unlink(path)
        os.rmdir(os.path.dirname(path))


def _record(root: Path) -> Path:
    return folder(root) / "server.json"


def _recorded(root: Path) -> str | None:
    """The control socket in server.json, whose server may have died; None if there is no such record."""
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
