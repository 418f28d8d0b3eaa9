"""The runner's side of the tracking server: a listening socket now, a server when somebody connects to it."""

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
from creditml.tracking.lease import Channel, Message

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_ATTEMPTS = 3
"""How many servers in a row may vanish without having served, until no further one is started."""
_BACKLOG = 1024
_LOG_TAIL = 12
"""Lines of the server's log in a failure message, if the server could not say why."""
_MAX_LOG = 1 << 20
"""Bytes after which a log is put aside when a server starts."""
_BUFFER = 65536
_ANSWER_TIMEOUT = 5.0
"""Seconds that a step has to send its request once the server has failed."""


class Tracking:
    """A runner's access to the workspace's MLflow server, made for a selector loop: nothing but `sync` waits.

    Register it with a selector (it has a `fileno`) and call `attend` whenever it is readable. A step's first
    connection then starts the server, or joins the one that another runner started; until it serves, connections wait
    in the backlog. A server that dies is replaced at the next connection. A forked child must `close` its copy, else
    the lease outlives the runner.
    """

    def __init__(self, root: Path, *, port: int = 0, allowed_hosts: Sequence[str] = ()) -> None:
        """Listen on 127.0.0.1 for the workspace folder `root`.

        Args:
            root: The workspace folder, `.creditml`.
            port: A fixed port, else any free one.
            allowed_hosts: Host names, besides those of the loopback interface, under which steps may reach the server.
                They count if this runner is the one that starts it.

        Raises:
            OSError: The port is taken.
        """
        self._root = root.absolute()
        self._allowed_hosts = tuple(allowed_hosts)
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
        """The number of the last DRAIN that was answered, and whether it was done."""
        self._closed = threading.Event()
        self.ready = False
        """The server serves this runner's socket."""
        self.used = False
        """A server has served this socket at some time; until then, no step can have told MLflow anything."""
        self.failure: str | None = None
        """Why the server can't start. The steps get it as the answer to their requests."""

    @property
    def uri(self) -> str:
        """MLFLOW_TRACKING_URI for the steps."""
        return self._uri

    def fileno(self) -> int:
        """A descriptor that stays the same for life; readable when `attend` has something to do."""
        # An epoll or kqueue object can itself be watched; the type stubs leave `fileno` out because `select` has none.
        return cast("selectors.EpollSelector", self._selector).fileno()

    def attend(self) -> None:
        """Start the server if a step connects; hear what the server says; notice that it died."""
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
            elif message.word == lease.FAILED:
                self._fail(self._last_words())
            else:
                self._answer = message.number, message.word == lease.DRAINED

    def start(self) -> None:
        """Start the workspace's server or join it. Returns at once; does nothing if that is done, or has failed."""
        if self._lease or self.failure:
            return
        self._attempts += 1
        try:
            lease.folder(self._root).mkdir(parents=True, exist_ok=True)
            with lease.mutex(self._root):
                channel = lease.connect(self._root) or self._spawn()
        except OSError as error:
            self._fail(str(error))
            return
        channel.send(Message(lease.SERVE, listener=self._listener))
        self._lease = channel
        self._watch(channel)

    @property
    def started(self) -> bool:
        """A server was started or joined, and has not been seen to die."""
        return self._lease is not None

    def alive(self) -> bool:
        """Whether there is a server now, serving or about to."""
        self.attend()
        return self.started

    def poke(self) -> None:
        """Let the server drain the outbox now. By itself it does so before it answers a request, and when it ends."""
        if self._lease:
            self._lease.send(Message(lease.DRAIN))

    def sync(self, timeout: float) -> bool:
        """Wait until the server has drained the outbox.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            Whether it has. True at once if no server serves yet: it will drain before it does.
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
        """Give the lease up. The server drains the outbox and ends when nobody else holds one."""
        self._closed.set()
        self._selector.close()  # nothing is unregistered: a forked child shares the kernel's list with its parent
        if self._lease:
            self._lease.close()
            self._lease = None
        self._listener.close()
        if self._starter:
            self._starter.wait()

    def __enter__(self) -> Tracking:  # noqa: PYI034  Self would need typing_extensions on Python 3.10
        """Close it at the end of a with statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _spawn(self) -> Channel:
        """Start a server that inherits a control socket, and connect to that. The mutex is held."""
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
            self._starter = subprocess.Popen(  # ends as soon as the server is a process of its own
                [*command, *self._allowed_hosts],
                cwd=lease.folder(self._root),  # never a folder of the user's, whose modules could be taken for MLflow's
                pass_fds=[control.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return channel

    def _lose(self) -> None:
        """The server is gone: wait for the next connection, unless none of them lives long enough to serve."""
        if self._attempts >= _ATTEMPTS:
            self._fail(self._last_words())
        else:
            self._release(self._listener)

    def _fail(self, reason: str) -> None:
        """Give up for good, and answer every connection with the reason."""
        log = lease.log(self._root)
        self.failure = f"MLflow's server can't start, so steps can't log to it: {reason}\nIts log is {log}"
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
        """Why the server ended: in its own words, or the end of its log."""
        try:
            text = lease.log(self._root).read_bytes()[self._log_start :].decode(errors="replace").strip()
        except OSError as error:
            return f"nobody knows why ({error})"
        _, found, reason = text.rpartition(lease.REASON)
        return reason if found else "\n".join(text.splitlines()[-_LOG_TAIL:])


def _readable(source: socket.socket | Channel, timeout: float) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _refuse(listener: socket.socket, reason: str, closed: threading.Event) -> None:
    """Answer requests with an error that MLflow's clients show. On 5xx or refusal they would try again for minutes."""
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
                    # A request left unread would reset the connection, and the client might lose the answer.
                    while connection.recv(_BUFFER):
                        pass
