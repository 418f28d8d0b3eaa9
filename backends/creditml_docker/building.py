"""Builds images with the engine's builder."""

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
"""The label of images that are built for environments; its value is the environment's name."""

_LAST = 20
"""How many lines of a build's output are shown in an error."""
_BUILDKIT = """
The Dockerfile needs BuildKit, which the engine's API doesn't offer: build the image yourself (docker build), and name
it in creditml.yml instead of the build context."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


def run_build(
    engine: Engine,
    arguments: dict[str, Any],
    what: str,
    say: Callable[[str], None],
    canceled: Callable[[], bool],
) -> None:
    """Let the engine build an image, and wait until it is built.

    Args:
        engine: The engine.
        arguments: The arguments of the client's `build`.
        what: The beginning of the error message, such as "The image of X".
        say: Called with the steps of the Dockerfile, for the user.
        canceled: Called now and then; whether the image is not needed any more.

    Raises:
        CreditMLError: The image can't be built; the message has the last lines of the build's output.
        Canceled: `canceled` returned True.
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
    """The lines of a build's output, each with an empty error; at the end an empty line with the error, if any."""
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
    """The network for builds: if possible this machine's, since proxies and mirrors may listen on it."""
    return "host" if engine.here else None


def proxies() -> dict[str, str]:
    """The environment variables of this process that configure proxies."""
    return {name: value for name, value in os.environ.items() if name.upper() in _PROXIES}
