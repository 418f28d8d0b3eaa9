"""What an engine says while it is at work, heard in a way that can be broken off at any time."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import docker

from creditml.errors import Canceled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import requests

_LOOK = 0.1  # seconds between looks at whether somebody still waits
_END, _CANCELED = object(), object()


class Client(docker.APIClient):  # type: ignore[misc]  # docker has no types
    """The engine's client; knows the connections that a thread is reading from, for another one to cut them."""

    _cut = threading.local()

    def _post(self, url: str, **arguments: Any) -> requests.Response:
        response: requests.Response = super()._post(url, **arguments)
        getattr(self._cut, "responses", []).append(response)
        return response

    def listen(self, responses: list[requests.Response]) -> None:
        """Have this thread's responses put into a list."""
        self._cut.responses = responses

    def cut(self, responses: list[requests.Response]) -> None:
        """Cut connections: the engine gives up what it does for whoever is gone."""
        for response in responses:
            with suppress(Exception):  # it has ended by itself, or never began
                stream = self._get_raw_response_socket(response)
                getattr(stream, "_sock", stream).shutdown(socket.SHUT_RDWR)


def hear(
    api: Client, work: Callable[[], Iterable[Any]], canceled: Callable[[], bool], end: Callable[[], None] | None = None
) -> Iterator[Any]:
    """Yield what an engine says until it has finished.

    Args:
        api: The engine's client.
        work: Asks the engine for something, and returns what it says.
        canceled: Whether nobody waits any more.
        end: Ends the work, beside cutting the connection.

    Raises:
        Canceled: Nobody waits any more.
    """
    said: queue.SimpleQueue[Any] = queue.SimpleQueue()
    responses: list[requests.Response] = []

    def read() -> None:
        api.listen(responses)
        try:
            for item in work():
                said.put(item)
            said.put(_END)
        except BaseException as error:  # noqa: BLE001  raised where it can be told
            said.put(error)

    threading.Thread(target=read, daemon=True).start()
    while (item := _next(said, canceled)) is not _END:
        if item is _CANCELED:
            if end is not None:
                end()
            api.cut(responses)
            raise Canceled("Canceled while its environment was made.")
        if isinstance(item, BaseException):
            raise item
        yield item


def _next(said: queue.SimpleQueue[Any], canceled: Callable[[], bool]) -> Any:
    while not canceled():
        with suppress(queue.Empty):
            return said.get(timeout=_LOOK)
    return _CANCELED
