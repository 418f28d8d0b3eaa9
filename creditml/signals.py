"""Receives the signals that end a job (Ctrl-C, TERM, HUP) through a descriptor, for use with a selector."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """The ending signals that this process handles. A signal that is ignored stays ignored, as `nohup` requires."""
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]


class Signals:
    """Receives the ending signals from its creation until `close`. It must be created in the main thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {
            number: signal.signal(number, lambda *_: None) for number in heeded()
        }

    def fileno(self) -> int:
        """A descriptor that is readable when a signal has arrived."""
        return self._read

    def received(self) -> int:
        """The number of signals since the last call; call it when `fileno` is readable."""
        return sum(number in self._before for number in os.read(self._read, 64))

    def close(self) -> None:
        """Restore the earlier signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)
