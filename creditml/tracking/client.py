"""The runner's side of tracking: it listens at once, and starts the server only when a step connects."""

from __future__ import annotations

import json
import select
import selectors
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from creditml.tracking import lease
from creditml.tracking.access import Grant, Grants
from creditml.tracking.lease import Channel, Message

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_ATTEMPTS = 3
"""After so many servers in a row that died before they served, no further one is started."""
_BACKLOG = 1024
_LOG_TAIL = 12
"""How many lines of the server's log go into the message if the server did not report why it failed."""
_MAX_LOG = 1 << 20
"""The size in bytes above which an old log is renamed when a server starts."""
_BUFFER = 65536
_ANSWER_TIMEOUT = 5.0
"""Seconds to wait for a step's request, after the server has failed, before it gets the answer."""


class Tracking:
    """A runner's access to the workspace's MLflow server, for use in a selector loop: only `sync` blocks.

    Register the object with a selector (it has a `fileno`), and call `attend` whenever it is readable. The first
    connection of a step then starts the server, or joins the server that another runner started. Until the server is
    ready, connections wait in the socket's backlog. A server that dies is replaced at the next connection.

    A forked child must `close` its copy; otherwise the server believes that the runner is still alive.
    """

    def __init__(self, root: Path, *, port: int = 0, allowed_hosts: Sequence[str] = ()) -> None:
        """Listen on 127.0.0.1 for the workspace folder `root`.

        Args:
            root: The workspace folder, `.creditml`.
            port: The port; 0 for any free one.
            allowed_hosts: Host names, besides those of the loopback interface, under which steps may reach the server.

        Raises:
            OSError: The port is taken.
        """
        self._root = root.absolute()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._uri = "http://{}:{}".format(*self._listener.getsockname())
        self._selector = selectors.DefaultSelector()
        self._watched: socket.socket | Channel | None = None
        self._watch(self._listener)
        self._lease: Channel | None = None
        self._starter: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._attempts = 0
        self._requests = 0
        self._answer = (0, True)
        """The number of the last DRAIN message that was answered, and whether draining succeeded."""
        self._closed = threading.Event()
        self._grants = Grants(allowed_hosts)
        self.ready = False
        """Whether the server is serving this runner's socket."""
        self.used = False
        """Whether a server has ever served this socket; if not, no step can have logged anything."""
        self.failure: str | None = None
        """Why the server can't start, or None. Steps get this text as the answer to their requests."""

    @property
    def uri(self) -> str:
        """The value of MLFLOW_TRACKING_URI for steps."""
        return self._uri

    def admit(self, run_id: str, root: str) -> str:
        """A token with which a step may use the server, until it is dismissed or this runner ends.

        Args:
            run_id: The step's run.
            root: The run of its job, to whose runs the step may write.
        """
        return self._grants.give(Grant(run_id, root))

    def dismiss(self, run_id: str) -> None:
        """End the token of a step, if it has one."""
        if self._grants.end(run_id) and self._lease and self.ready:
            self._lease.send(Message(lease.GRANTS, text=self._grants.text))

    def fileno(self) -> int:
        """The descriptor to watch: it never changes, and is readable when `attend` should be called."""
        # An epoll or kqueue object can itself be watched; the type stubs leave `fileno` out because `select` has none.
        return cast("selectors.EpollSelector", self._selector).fileno()

    def attend(self) -> None:
        """Start the server if a step has connected, read the server's messages, and notice whether the server died."""
        if self._lease is None:
            if _readable(self._listener, 0):
                self.start()
            return
        messages = self._lease.receive()
        if messages is None:
            self._lose()
            return
        for message in messages:
            if message.word == lease.READY:
                self.ready = self.used = True
                self._attempts = 0
                self._lease.send(Message(lease.GRANTS, text=self._grants.text))
            elif message.word == lease.FAILED:
                self._fail(self._last_words())
            else:
                self._answer = message.number, message.word == lease.DRAINED

    def start(self) -> None:
        """Start the workspace's server, or join it if it is running; returns without waiting for it.

        Does nothing if this was done before, or if the server can't start.
        """
        if self._lease or self.failure:
            return
        self._attempts += 1
        try:
            lease.folder(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)
            with lease.mutex(self._root):
                channel = lease.connect(self._root) or self._spawn()
        except OSError as error:
            self._fail(str(error))
            return
        channel.send(Message(lease.SERVE, text=self._grants.text, listener=self._listener))
        self._lease = channel
        self._watch(channel)

    @property
    def started(self) -> bool:
        """Whether a server was started or joined, and its death has not been noticed."""
        return self._lease is not None

    def alive(self) -> bool:
        """Whether there is a server now, which is serving or still starting."""
        self.attend()
        return self.started

    def poke(self) -> None:
        """Ask the server to drain the outbox now. Otherwise it does so before it answers a request, and at its end."""
        if self._lease:
            self._lease.send(Message(lease.DRAIN))

    def sync(self, timeout: float) -> bool:
        """Wait until the server has drained the outbox.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            Whether the outbox was drained. True at once if no server is ready yet: a server drains before it serves.
        """
        if not self._lease or not self.ready:
            return True
        self._requests += 1
        self._lease.send(Message(lease.DRAIN, self._requests))
        deadline = time.monotonic() + timeout
        while self._lease and self._answer[0] < self._requests:
            if not _readable(self._lease, max(0, deadline - time.monotonic())):
                return False
            self.attend()
        return self._answer == (self._requests, True)

    def close(self) -> None:
        """Give up the lease. When the last runner has done so, the server drains the outbox and ends."""
        self._closed.set()
        # Closed without unregistering: a forked child shares the kernel's list of watched descriptors with its parent,
        # so unregistering in the child would make the parent blind.
        self._selector.close()
        if self._lease:
            self._lease.close()
            self._lease = None
        self._listener.close()
        if self._starter:
            self._starter.wait()

    def __enter__(self) -> Tracking:  # noqa: PYI034  Self would need typing_extensions on Python 3.10
        """Return the object itself, which is closed at the end of the `with` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _spawn(self) -> Channel:
        """Start a server that inherits a control socket, and connect to that socket. The caller holds the mutex."""
        import subprocess  # 3 ms, and many jobs need no server

        log = lease.log(self._root)
        with suppress(FileNotFoundError):
            if log.stat().st_size > _MAX_LOG:
                log.replace(log.with_suffix(".log.1"))
        with lease.publish(self._root) as control, log.open("ab") as output:
            channel = lease.connect(self._root)
            if channel is None:
                message = f"the control socket {control.getsockname()} can't be reached"
                raise OSError(message)
            self._log_start = output.tell()
            command = [sys.executable, "-m", "creditml.tracking.server", str(self._root), str(control.fileno())]
            self._starter = subprocess.Popen(  # this process forks the server, and ends at once
                command,
                cwd=lease.folder(self._root),  # not the user's folder, whose modules could hide MLflow's
                pass_fds=[control.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return channel

    def _lose(self) -> None:
        """The server has died: wait for the next connection, or give up after several servers that never served."""
        if self._attempts >= _ATTEMPTS:
            self._fail(self._last_words())
        else:
            self._release(self._listener)

    def _fail(self, reason: str) -> None:
        """Start no further server, and answer every connection with the reason."""
        log = lease.log(self._root)
        self.failure = f"MLflow's server can't start, so steps can't log to MLflow: {reason}\nThe server's log is {log}"
        self._release(None)
        arguments = self._listener.dup(), self.failure, self._closed
        threading.Thread(target=_refuse, args=arguments, daemon=True).start()

    def _release(self, watch: socket.socket | None) -> None:
        self._watch(watch)
        self.ready = False
        if self._lease:
            self._lease.close()
            self._lease = None
        if self._starter:
            self._starter.poll()

    def _watch(self, wanted: socket.socket | Channel | None) -> None:
        if self._watched:
            self._selector.unregister(self._watched)
        if wanted:
            self._selector.register(wanted, selectors.EVENT_READ)
        self._watched = wanted

    def _last_words(self) -> str:
        """Why the server ended: the reason that it wrote, or else the end of its log."""
        try:
            text = lease.log(self._root).read_bytes()[self._log_start :].decode(errors="replace").strip()
        except OSError as error:
            return f"its log can't be read ({error})"
        _, found, reason = text.rpartition(lease.REASON)
        return reason if found else "\n".join(text.splitlines()[-_LOG_TAIL:])


def _readable(source: socket.socket | Channel, timeout: float) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _refuse(listener: socket.socket, reason: str, closed: threading.Event) -> None:
    """Answer all requests with an error that MLflow's clients show to the user.

    If the connection were refused, or the status were 5xx, MLflow's clients would retry for minutes.
    """
    body = json.dumps({"error_code": "INVALID_STATE", "message": reason}).encode()
    head = "HTTP/1.1 424 Failed Dependency\r\nContent-Type: application/json\r\nConnection: close\r\n"
    answer = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with listener:
        listener.settimeout(1)
        while not closed.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(_ANSWER_TIMEOUT)
                    connection.recv(_BUFFER)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    # Read the request to its end: closing with unread data resets the connection, and the answer may
                    # be lost.
                    while connection.recv(_BUFFER):
                        pass
