"""Starts a command as fast as possible, with write protection."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from creditml_local.direct import Program, as_program
from creditml_local.protection import NoProtectionError, link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from creditml_local.messages import Order
    from creditml_local.protection import Protection, Way

_CAUGHT_OR_IGNORED = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def start(order: Order, log: int, what: Protection, ways: Iterable[Way]) -> int:
    """Start a command in its own session, protected by the first method that works, or without protection.

    The command inherits only the caller's stdin and the log (as stdout and stderr). All its signals have their default
    action, and none is blocked. The working folder of the calling process may have changed afterwards.

    Args:
        order: The command.
        log: A descriptor of the file for its output.
        what: What to protect.
        ways: The methods of protection to try.

    Returns:
        The id of the command's process, which is a child of the calling process.

    Raises:
        OSError: The command can't be started.
        ValueError: The command or a variable can't be passed to a program, for example because of a zero byte.
    """
    spawn = partial(_spawn, order, log)
    for way in ways:
        if not what.protected:
            way.leave()
            continue
        with suppress(NoProtectionError):
            return way.start(what, spawn)
    link(what.mounts)
    return spawn()


def _spawn(order: Order, log: int) -> int:
    os.chdir(order.cwd)
    program = (
        as_program(order.command, order.env) if sys.platform == "linux" else None
    )  # tested only with bash on Linux
    if program:
        with suppress(OSError):  # on an error, bash is started, which reports it
            return _execute(program, log)
    return _execute(Program(order.shell, ["bash", "-c", order.command], order.env), log)


def _execute(program: Program, log: int) -> int:
    # With posix_spawn, because fork copies the page tables first, which takes ten times as long.
    return os.posix_spawn(
        *program,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
        setsid=True,
        setsigmask=(),
        setsigdef=_CAUGHT_OR_IGNORED,
    )
