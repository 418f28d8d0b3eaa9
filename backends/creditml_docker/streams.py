"""Reads what an engine sends while it works (a build, a pull, a command), so that this can be canceled at any time."""

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

_LOOK = 0.1  # seconds between two checks for cancellation
_END, _CANCELED = object(), object()


class Client(docker.APIClient):  # type: ignore[misc]  # docker has no types
    """The engine's client; it records the connections that a thread reads from, so that another thread can cut them."""

    _cut = threading.local()

    def _post(self, url: str, **arguments: Any) -> requests.Response:
        response: requests.Response = super()._post(url, **arguments)
        getattr(self._cut, "responses", []).append(response)
        return response

    def listen(self, responses: list[requests.Response]) -> None:
        """Add the responses to this thread's requests to a list from now on."""
        self._cut.responses = responses

    def cut(self, responses: list[requests.Response]) -> None:
        """Cut connections: the engine stops a build or a pull whose client is gone."""
        for response in responses:
            with suppress(Exception):  # the connection has already ended
                stream = self._get_raw_response_socket(response)
                getattr(stream, "_sock", stream).shutdown(socket.SHUT_RDWR)


def hear(
    api: Client, work: Callable[[], Iterable[Any]], canceled: Callable[[], bool], end: Callable[[], None] | None = None
) -> Iterator[Any]:
    """Yield what an engine sends, until it has finished.

    The engine's answer is read in a thread, because reading can block for minutes.

    Args:
        api: The engine's client.
        work: Sends the request to the engine, and returns the answer, item by item.
        canceled: Called now and then; whether the work is not needed any more.
        end: Called on cancellation if cutting the connection is not enough to end the work.

    Raises:
        Canceled: `canceled` returned True.
    """
    said: queue.SimpleQueue[Any] = queue.SimpleQueue()
    responses: list[requests.Response] = []

    def read() -> None:
        api.listen(responses)
        try:
            for item in work():
                said.put(item)
            said.put(_END)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that reads the queue
            said.put(error)

    threading.Thread(target=read, daemon=True).start()
    while (item := _next(said, canceled)) is not _END:
        if item is _CANCELED:
            if end is not None:
                end()
            api.cut(responses)
            raise Canceled("Canceled while the environment was being built.")
        if isinstance(item, BaseException):
            raise item
        yield item


def _next(said: queue.SimpleQueue[Any], canceled: Callable[[], bool]) -> Any:
    while not canceled():
        with suppress(queue.Empty):
            return said.get(timeout=_LOOK)
    return _CANCELED
