"""Programs that build environments: they end when nobody waits for them, and hold the lock as long as they run."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import Canceled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LOOK = 0.1  # seconds between looks at whether somebody still waits
_GRACE = 5.0


class Done(NamedTuple):
    """How a program ended, and what it printed: its standard output, and its errors."""

    code: int
    output: str
    errors: str


def run(
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    folder: str,
    lock: int,
    hear: Callable[[str], None] = lambda _: None,
    canceled: Callable[[], bool] = lambda: False,
) -> Done:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        variables: All of its environment.
        folder: Where it runs.
        lock: A descriptor that it inherits, and whatever it starts.
        hear: Takes each line that it writes to its errors.
        canceled: Whether nobody waits for it any more.

    Raises:
        Canceled: Nobody waits for it; it has ended.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        cwd=folder,
        pass_fds=(lock,),
        start_new_session=True,
    ) as process:
        try:
            output, errors = _read(process, hear, canceled)
        except BaseException:
            _end(process)
            raise
        return Done(process.wait(), output, errors)


def _read(
    process: subprocess.Popen[bytes], hear: Callable[[str], None], canceled: Callable[[], bool]
) -> tuple[str, str]:
    assert process.stdout is not None  # noqa: S101  it has pipes
    assert process.stderr is not None  # noqa: S101  likewise
    chunks: dict[int, bytes] = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    heard = 0
    with selectors.DefaultSelector() as selector:
        for descriptor in chunks:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_LOOK):
                chunk = os.read(key.fd, 65536)
                chunks[key.fd] += chunk
                if not chunk:
                    selector.unregister(key.fd)
            end = chunks[process.stderr.fileno()].rfind(b"\n") + 1
            for line in chunks[process.stderr.fileno()][heard:end].splitlines():
                hear(line.decode(errors="replace"))
            heard = max(heard, end)
            if canceled():
                raise Canceled("Canceled while its environment was made.")
    output, errors = (text.decode(errors="replace") for text in chunks.values())
    return output, errors


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
