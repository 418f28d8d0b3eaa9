"""Runs the programs that build environments: they inherit the environment's lock, and are ended on cancellation."""

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

_LOOK = 0.1  # seconds between two checks for cancellation
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL


class Done(NamedTuple):
    """A program's exit code, and what it wrote to stdout and to stderr."""

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
    """Run a program and wait for its end.

    Args:
        command: The program and its arguments.
        variables: All environment variables of the program.
        folder: The folder in which it runs.
        lock: A descriptor that the program and the processes that it starts inherit.
        hear: Called with each line that the program writes to stderr.
        canceled: Called now and then; whether the program is not needed any more.

    Raises:
        Canceled: `canceled` returned True; the program has been ended.
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
    assert process.stdout is not None  # noqa: S101  for the type checker: it was started with pipes
    assert process.stderr is not None  # noqa: S101  for the type checker: it was started with pipes
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
                raise Canceled("Canceled while the environment was being built.")
    output, errors = (text.decode(errors="replace") for text in chunks.values())
    return output, errors


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all processes that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
