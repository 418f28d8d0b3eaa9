"""The guard: a small process between the runner and a step, which is responsible for all processes of the step.

The launcher forks a guard before its first step, and gives it one step after another. For each step the guard

* starts the command, with write protection for everything that the step may only read;
* passes on the runner's request that the step should end;
* when the command has ended, gives all other processes that the step has left running some seconds to end by
  themselves, asks them to end, kills them, and only then reports the end;
* kills the step when the runner is gone, however the runner ended: the guard sees the end of its pipe from the runner.

Why an extra process: the guard becomes the parent of every process of the step whose own parent ends. So when the guard
has no children any more, it is certain that no process of the step is left. Where the system doesn't let a process
adopt orphans, that can't be certain; there the guard looks for processes with the step's marker in their environment.

A guard keeps nothing of the runner: it closes the runner's descriptors, blocks its signals and starts its own session.
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

from creditml.seams import launcher
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

_SAMPLE = Protection((os.path.dirname(os.path.realpath(__file__)),))  # any folder that is certain to exist
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1  # seconds between two looks whether processes remain
_SHELL_SAYS_KILLED = 128 + signal.SIGKILL  # bash's exit code if the last program of the command was killed


def run_guard(orders: int, reports: int) -> NoReturn:
    """Work as a guard until the pipe of orders ends. To be called in a newly forked process with all signals blocked.

    It ends by `os._exit`. An ordinary exit would go back into the runner's code, of which this process has a copy: it
    would run the runner's `finally` blocks and write its buffered output once more.
    """
    try:
        orders, reports = _detach(orders, reports)
        Guard(orders, reports).serve()
    finally:
        os._exit(0)


def _detach(*keep: int) -> list[int]:
    """Close all descriptors that came from the runner except the given ones; return the new numbers of these.

    Other processes recognize by a free lock, or by the end of a pipe, that the runner is gone. As long as a guard had
    copies of the descriptors of these locks and pipes, the runner would still seem to be alive.
    """
    gc.disable()  # otherwise the finalizers of the runner's objects might run here too
    os.setsid()
    kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in keep]
    for descriptor in _open_descriptors():
        if descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
        # Needed if `null` already has this number: dup2 onto itself changes nothing.
        os.set_inheritable(descriptor, True)  # noqa: FBT003  the function takes no keywords
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
    """The step that a guard watches over: its first process `main`, and the marker `token` of all its processes."""

    def __init__(self, main: int, token: str) -> None:
        self.main, self.token = main, token
        self.status: int | None = None  # the wait status of `main`, once it has ended
        self.asked = False  # whether the step was asked to end, and is given time for that
        self.doomed = False  # whether the step is to be killed
        self.has_group = True  # whether the process group of `main` still has processes
        self.seen: set[int] = set()  # the processes that had the marker at the last look


class Guard:
    """Carries out the orders of one launcher, one after another."""

    def __init__(self, orders: int, reports: int) -> None:
        """Use two pipes.

        Args:
            orders: The pipe from which orders are read.
            reports: The pipe to which reports are written.
        """
        self._orders, self._reports = orders, reports
        # The root folder with the mounts of now. Logs are opened below it: in a step's mount namespace, in which this
        # process may be later, they are read-only.
        self._machine = os.open("/", os.O_RDONLY)
        self._adopts = processes.adopt_orphans()
        self._ways: list[Way] | None = None
        self._woken = _wake_on_child()
        self._events = select.poll()
        self._events.register(orders, select.POLLIN)
        self._events.register(self._woken, select.POLLIN)

    def serve(self) -> None:
        """Carry out orders until the launcher is gone, or until a step leaves processes that can't be killed."""
        while (message := messages.receive(self._orders)) is not None:
            if isinstance(message, str):  # TERMINATE and KILL come too late here: the step has just ended
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
        while step.status is None and not step.doomed:
            self._wait(step, None)
        self._let_end(step)
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

    def _let_end(self, step: _Step) -> None:
        """Give the processes that the command has left running time to end: by themselves, then when they are asked to.

        If it was the launcher that asked the step to end, the launcher decides how long that may take.
        """
        self._give_time(step, launcher.LEFT_ALONE)
        if not step.asked and not step.doomed and self._is_left(step):
            self._ask(step)
            self._give_time(step, launcher.LEFT_ASKED)

    def _give_time(self, step: _Step, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        pause = _SHORTEST_PAUSE
        while not step.doomed and self._is_left(step) and (step.asked or time.monotonic() < deadline):
            self._wait(step, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _end(self, step: _Step) -> bool:
        """Kill all processes that are left of a step; returns whether all of them are gone."""
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
        """Wait until a child ends or the launcher sends a message, and act on that."""
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
            self._ask(step)
        else:
            step.doomed = True

    def _ask(self, step: _Step) -> None:
        self._signal(step, signal.SIGTERM)
        self._signal(step, signal.SIGCONT)  # a stopped process gets SIGTERM only when it continues

    def _reap(self, step: _Step) -> bool:
        """Record the children that have ended; returns whether there are other children."""
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
            if step.has_group:  # otherwise the system may have given the group's number to another one
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(step.main, number)
            processes.send(number, self._find_marked(step))

    @staticmethod
    def _find_marked(step: _Step) -> set[int]:
        step.seen = processes.marked(step.token) | processes.alive(step.seen)
        return step.seen


def _was_killed(status: int | None) -> bool:
    return status is not None and os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, _SHELL_SAYS_KILLED)
