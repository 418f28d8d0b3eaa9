"""Builds by the engine, and what all of them have in common."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from creditml.errors import CreditMLError
from creditml_docker.streams import hear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from creditml_docker.engines import Engine

REPOSITORY = "creditml/env"
"""The repository of images that are built for environments; they are never pushed."""
MADE = "creditml.environment"
"""The label of such images; its value is the environment's title."""

_LAST = 20
"""Lines of a build's output in the error."""
_BUILDKIT = """
Its Dockerfile needs BuildKit, which the engine's API doesn't offer: build it by hand (docker build), and name the image
in creditml.yml instead of the build context."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


def run_build(
    engine: Engine,
    arguments: dict[str, Any],
    what: str,
    say: Callable[[str], None],
    canceled: Callable[[], bool],
) -> None:
    """Have an image built.

    Raises:
        CreditMLError: It can't be; the message has the last lines of what the build said.
        Canceled: Nobody waits any more.
    """
    messages = hear(engine.api, lambda: engine.api.build(**arguments, rm=True, forcerm=True, decode=True), canceled)
    last: deque[str] = deque(maxlen=_LAST)
    for line, error in _lines(messages):
        if error:
            listed = "\n".join(f"  {each}" for each in last)
            hint = _BUILDKIT if "BuildKit" in error else ""
            message = f"{what} can't be built: {error}{hint}\n{listed}".rstrip()
            raise CreditMLError(message)
        last.append(line)
        if line.startswith("Step "):
            say(line)


def _lines(messages: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Lines of a build's output, and the error that ends it."""
    rest = ""
    for message in messages:
        if message.get("error"):
            if rest:
                yield rest, ""
            yield "", str(message["error"]).strip()
            return
        *lines, rest = (rest + str(message.get("stream") or "")).split("\n")
        yield from ((line, "") for line in lines if line.strip())


def network_of(engine: Engine) -> str | None:
    """The network of builds: this machine's where it can be had, since proxies and mirrors may be on it."""
    return "host" if engine.here else None


def proxies() -> dict[str, str]:
    """The variables that tell programs of proxies."""
    return {name: value for name, value in os.environ.items() if name.upper() in _PROXIES}
