"""The guard: a small process that stands between the runner and a step, and answers for the step's whole process tree.

The launcher forks a guard before its first step, and gives it one step after another. For each the guard

* starts the command, with what the step may only read write-protected;
* passes on the wish that the step should end;
* when the command has ended, ends whatever else the step has left running, and only then says so;
* kills everything when the runner is gone, however that went: the guard's pipe from it ends then.

Being the parent of every process that the step orphans, the guard can prove that nothing is left: it has no children.
Where the system doesn't let it adopt orphans there is no such proof, and it looks for the step's marker instead.

A guard keeps nothing of the runner: its descriptors are closed, its signals blocked, and it has a session of its own.
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml_local import messages, processes
from creditml_local.memory import out_of_memory_kills
from creditml_local.messages import Order, Report
from creditml_local.protection import Protection, plan, real
from creditml_local.starting import start
from creditml_local.ways import available_ways

if sys.platform == "linux":
    from creditml_local import linux

if TYPE_CHECKING:
    from typing import NoReturn

    from creditml_local.protection import Way

_SAMPLE = Protection((os.path.dirname(os.path.realpath(__file__)),))  # a folder that exists for certain
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1  # seconds, between attempts to kill what is left
_SHELL_SAYS_KILLED = 128 + signal.SIGKILL


def run_guard(orders: int, reports: int) -> NoReturn:
    """Be a guard until the pipe of orders ends. For a process just forked, with all signals blocked.

    It ends by `os._exit`. An ordinary exit would go back into the runner's code, of which this process has a copy: it
    would run the runner's `finally` blocks and write its buffered output once more.
    """
    try:
        orders, reports = _detach(orders, reports)
        Guard(orders, reports).serve()
    finally:
        os._exit(0)


def _detach(*keep: int) -> list[int]:
    """Close all descriptors that came from the runner but the given ones; return these under their new numbers.

    Others tell by a lock, or by the end of a pipe, that the runner is gone. As long as a guard had copies of those
    descriptors, the runner would seem to live.
    """
    gc.disable()  # else objects of the runner might be finalized here, too
    os.setsid()
    kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in keep]
    for descriptor in _open_descriptors():
        if descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
        os.set_inheritable(descriptor, True)  # noqa: FBT003  which dup2 onto itself leaves as it was
    os.chdir("/")
    if sys.platform == "linux":
        linux.prctl(linux.PR_SET_NAME, b"creditml-guard")
    return kept


def _open_descriptors() -> range | list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]
    return range(os.sysconf("SC_OPEN_MAX"))


def _wake_on_child() -> int:
    """Return a descriptor that becomes readable when a child ends."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {signal.SIGCHLD})
    return woken


class _Step:
    """The step that a guard watches over."""

    def __init__(self, main: int, token: str) -> None:
        self.main, self.token = main, token
        self.status: int | None = None  # the command's, once it has ended
        self.asked = False  # to end, and is given time for it
        self.doomed = False  # to be killed
        self.has_group = True  # processes of the group that the command was the first of
        self.seen: set[int] = set()  # the processes that bore its marker when it was looked for last


class Guard:
    """Carries out the orders of one launcher, one after another."""

    def __init__(self, orders: int, reports: int) -> None:
        """Get ready; the arguments are ends of pipes."""
        self._orders, self._reports = orders, reports
        self._machine = os.open("/", os.O_RDONLY)  # with the mounts of now; in a step's namespace logs are read-only
        self._adopts = processes.adopt_orphans()
        self._ways: list[Way] | None = None
        self._woken = _wake_on_child()
        self._events = select.poll()
        self._events.register(orders, select.POLLIN)
        self._events.register(self._woken, select.POLLIN)

    def serve(self) -> None:
        """Go on until the launcher is gone, or a step has left something that can't be killed."""
        while (message := messages.receive(self._orders)) is not None:
            if isinstance(message, str):  # else a wish about a step that has just ended
                if message == messages.GET_READY:
                    self._ways = available_ways(_SAMPLE)
                continue
            report = self._run(Order(*message))
            with suppress(BrokenPipeError):
                messages.send(self._reports, report)
            if not report.reusable:
                break
            for way in self._ways or ():
                way.rest()

    def _run(self, order: Order) -> Report:
        try:
            step = _Step(self._start(order), order.token)
        except (OSError, ValueError) as error:
            return Report(None, error=str(error))
        kills = out_of_memory_kills()
        self._watch(step)
        clean = self._end(step)
        return Report(
            step.status,
            out_of_memory=not step.doomed and _was_killed(step.status) and out_of_memory_kills() > kills,
            reusable=clean,
        )

    def _start(self, order: Order) -> int:
        log = os.open(real(order.log).lstrip("/"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666, dir_fd=self._machine)
        try:
            what = plan(order.protected, order.writable, (order.log, order.env.get("TMPDIR", "")))
            if self._ways is None:
                self._ways = available_ways(what)
            mounts = tuple((real(source), link) for source, link in order.mounts)
            return start(order, log, what._replace(mounts=mounts), self._ways)
        finally:
            os.close(log)
            os.chdir("/")

    def _watch(self, step: _Step) -> None:
        """Wait for the command to end and, if the step was asked to end, for all processes that it has started."""
        while not step.doomed and (step.status is None or (step.asked and self._is_left(step))):
            self._wait(step, None if step.status is None else _LONGEST_PAUSE)

    def _end(self, step: _Step) -> bool:
        """Kill what is left of a step; say whether it is gone."""
        deadline = time.monotonic() + processes.PATIENCE
        pause = _SHORTEST_PAUSE
        while self._is_left(step):
            if time.monotonic() > deadline:
                return False
            self._signal(step, signal.SIGKILL)
            self._wait(step, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    def _wait(self, step: _Step, seconds: float | None) -> None:
        """Wait until a child ends or the launcher sends a message, and deal with it."""
        for descriptor, _ in self._events.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._woken:
                os.read(descriptor, 4096)
            else:
                self._obey(step)
        self._reap(step)

    def _obey(self, step: _Step) -> None:
        wish = messages.receive(self._orders)
        if wish is None:
            self._events.unregister(self._orders)
        if wish == messages.TERMINATE:
            step.asked = True
            self._signal(step, signal.SIGTERM)
            self._signal(step, signal.SIGCONT)  # a process that is stopped doesn't get the other signal
        else:
            step.doomed = True

    def _reap(self, step: _Step) -> bool:
        """Take note of the children that have ended; say whether there are others."""
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    return True
                if process == step.main:
                    step.status = status
        return False

    def _is_left(self, step: _Step) -> bool:
        """Whether any process of the step is left."""
        if self._reap(step):
            return True
        step.has_group = step.has_group and processes.is_group(step.main)
        return not self._adopts and (step.has_group or bool(self._find_marked(step)))

    def _signal(self, step: _Step, number: int) -> None:
        if self._adopts:
            processes.send(number, processes.descendants(os.getpid()))
        else:
            if step.has_group:  # else the number may be that of another group by now
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(step.main, number)
            processes.send(number, self._find_marked(step))

    @staticmethod
    def _find_marked(step: _Step) -> set[int]:
        step.seen = processes.marked(step.token) | processes.alive(step.seen)
        return step.seen


def _was_killed(status: int | None) -> bool:
    return status is not None and os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, _SHELL_SAYS_KILLED)
