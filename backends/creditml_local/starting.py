"""Starting a command as cheaply as can be, with protection around it."""

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
    """Start a command in a session of its own, protected by the first way that works, or by none.

    It gets nothing but the caller's stdin and the log as descriptors, the default disposition of every signal, and none
    of them blocked. The calling process's working folder may be another one afterwards.

    Args:
        order: The command.
        log: A descriptor of the file that its output goes to.
        what: What to protect.
        ways: The ways of protection to try.

    Returns:
        Its process id; it is a child of the calling process.

    Raises:
        OSError: It can't be started.
        ValueError: A zero byte in the command, or the like.
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
    program = as_program(order.command, order.env) if sys.platform == "linux" else None  # tried with Linux's bash only
    if program:
        with suppress(OSError):  # then bash says what is wrong
            return _execute(program, log)
    return _execute(Program(order.shell, ["bash", "-c", order.command], order.env), log)


def _execute(program: Program, log: int) -> int:
    # posix_spawn, since a fork would copy the page tables first: ten times as slow.
    return os.posix_spawn(
        *program,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
        setsid=True,
        setsigmask=(),
        setsigdef=_CAUGHT_OR_IGNORED,
    )
