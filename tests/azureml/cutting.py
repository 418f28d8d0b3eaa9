"""A connection that tests can cut: an HTTPS proxy (CONNECT) between this process and the service."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

_CHUNK = 16384


class Wire:
    """A proxy that forwards connections; between `cut` and `mend` it forwards nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut = False
        self._when: Callable[[], bool] = lambda: False
        self._left: float = float("inf")
        self.received = 0
        """How many bytes the service has sent."""

    def cut(self) -> None:
        """Cut all connections now."""
        with self._lock:
            self._cut, self._when, self._left = True, lambda: False, float("inf")
            ends, self._open = self._open, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut_when(self, condition: Callable[[], bool]) -> None:
        """Cut all connections before the next data from the service that arrive while the condition is true."""
        self._when = condition

    def cut_after(self, size: int) -> None:
        """Cut all connections when the service has sent so many more bytes."""
        self._left = size

    def mend(self) -> None:
        """Forward connections again."""
        self._cut = False

    @property
    def is_cut(self) -> bool:
        return self._cut

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                client.close()
            else:
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = client.recv(_CHUNK)
            if not more:
                client.close()
                return
            asked += more
        host, _, port = asked.split()[1].decode().rpartition(":")
        server = socket.create_connection((host, int(port)))
        with self._lock:
            self._open |= {client, server}
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
        self._pass(server, client, inward=True)

    def _pass(self, source: socket.socket, target: socket.socket, *, inward: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if inward:
                    if self._when() or len(data) > self._left:
                        self.cut()
                        return
                    self._left -= len(data)
                    self.received += len(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
