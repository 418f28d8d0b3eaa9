"""Starts steps as processes on this machine, each under a guard that is responsible for all its processes."""

from __future__ import annotations

import os
import signal
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from creditml.errors import BackendError
from creditml.seams.launcher import Exit
from creditml.seams.start_checks import make_mount_places
from creditml_local import messages, processes
from creditml_local.messages import Order, Report
from creditml_local.preparing import Links, check, is_safe

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from creditml.seams.launcher import Step


class LocalLauncher:
    """Starts steps as processes on this machine; see `creditml.seams.launcher.Launcher`.

    A guard whose step has ended takes the next step. So about as many guards are forked (some 2 ms each) as steps run
    at the same time.

    As long as a launcher is open, this process must not fork without executing another program: the forked process
    would have copies of the guards' pipes, and the guards would not notice the end of this process.
    """

    isolated = False
    hosts: tuple[str, ...] = ()

    def __init__(self) -> None:
        """Make a launcher; no process is started before `get_ready` or `start`."""
        self._token = os.urandom(8).hex()
        self._started = 0
        self._idle: list[_Guard] = []
        self._running: dict[str, LocalRunning] = {}
        self._links = Links(f"creditml-{self._token}")

    def get_ready(self) -> None:
        """Make sure that there is a guard that waits for an order."""
        if not self._idle:
            with suppress(BackendError, BrokenPipeError):  # if no guard can be forked then either, `start` raises
                guard = _Guard()
                self._idle.append(guard)
                messages.send(guard.orders, messages.GET_READY)

    def see(self, root: str) -> str:
        """Return the root, or a link to it if its path has characters that bash interprets."""
        return root if is_safe(root) else self._links.to(root)

    def start(self, step: Step) -> LocalRunning:
        """Start a command; see `creditml.seams.launcher.Launcher.start`.

        Errors that occur in the guard (for example, the system allows no more processes) are raised by `exit`.
        """
        shell = check(step)
        make_mount_places(step)
        self._started += 1
        token = f"{self._token}-{self._started}"
        order = Order(
            shell=shell,
            command=step.command,
            cwd=os.path.join(step.root, step.cwd),
            env={
                **step.env,
                "PWD": os.path.normpath(os.path.join(self.see(step.root), step.cwd)),
                processes.MARKER: token,
            },
            token=token,
            log=step.log,
            protected=(*step.protected, *(mount.source for mount in step.mounts)),
            writable=(step.root, *step.writable),
            mounts=tuple((mount.source, os.path.join(step.root, mount.target)) for mount in step.mounts),
        )
        guard = self._give(order)
        running = LocalRunning(step.run_id, token, guard, partial(self._take_back, token, guard))
        self._running[token] = running
        return running

    def _give(self, order: Order) -> _Guard:
        while True:
            guard = self._pick(order.cwd)
            try:
                messages.send(guard.orders, order)
            except BrokenPipeError:  # another process has killed the guard while it was idle
                guard.dismiss()
            else:
                guard.cwd = order.cwd
                return guard

    def _pick(self, cwd: str) -> _Guard:
        """An idle guard, or a new one if there is none.

        The guard of the last step in the same folder is preferred: its mount namespace may still fit.
        """
        if not self._idle:
            return _Guard()
        known = {guard.cwd: guard for guard in reversed(self._idle)}
        guard = known.get(cwd) or known.get("") or self._idle[0]
        self._idle.remove(guard)
        return guard

    def _take_back(self, token: str, guard: _Guard, reusable: bool) -> None:  # noqa: FBT001  called in one place, by LocalRunning
        del self._running[token]
        if reusable:
            self._idle.append(guard)
        else:
            guard.dismiss()

    def close(self) -> None:
        """Kill all running steps, and end the guards; see `creditml.seams.launcher.Launcher.close`."""
        running = list(self._running.values())
        for step in running:
            step.kill()
        for step in running:
            with suppress(BackendError):
                step.exit()
        for guard in self._idle:
            guard.release()
        while self._idle:
            self._idle.pop().dismiss()
        self._links.remove()

    def __enter__(self) -> Self:
        """Return the launcher itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the launcher."""
        self.close()


class LocalRunning:
    """A step that a guard watches over; see `creditml.seams.launcher.Running`."""

    def __init__(self, run_id: str, token: str, guard: _Guard, give_back: Callable[[bool], None]) -> None:
        """Use a guard that has the step's order.

        Args:
            run_id: The step's run, for messages.
            token: The marker of the step's processes.
            guard: The guard that runs the step.
            give_back: Called when the step has ended, with whether the guard can be used again.
        """
        self._run_id, self._token, self._guard, self._give_back = run_id, token, guard, give_back
        self._exit: Exit | None = None
        self._error = ""

    def fileno(self) -> int:
        """Return the descriptor through which the guard reports the step's end."""
        return self._guard.reports

    def exit(self) -> Exit:
        """Wait for the guard's report; see `creditml.seams.launcher.Running.exit`."""
        if self._exit is None:
            message = messages.receive(self._guard.reports)
            if message is None:  # the guard was killed, so the step's processes are found by their marker
                processes.end_marked(self._token, processes.PATIENCE)
            report = Report(*message) if message else Report(None, reusable=False)
            self._exit, self._error = _exit(report, vanished=message is None), report.error
            self._give_back(report.reusable)
        if self._error:
            message = f"{self._run_id}: the command can't be started: {self._error}"
            raise BackendError(message)
        return self._exit

    def terminate(self) -> None:
        """Let the guard send SIGTERM to all processes of the step; see `creditml.seams.launcher.Running.terminate`."""
        self._tell(messages.TERMINATE)

    def kill(self) -> None:
        """Let the guard kill all processes of the step; see `creditml.seams.launcher.Running.kill`."""
        self._tell(messages.KILL)

    def _tell(self, wish: str) -> None:
        if self._exit is None:
            with suppress(BrokenPipeError):  # the guard was killed: `exit` kills the step's processes
                messages.send(self._guard.orders, wish)


class _Guard:
    """A guard as the launcher sees it: its process, the ends of two pipes, and the folder of its last step."""

    cwd = ""

    def __init__(self) -> None:
        """Fork a guard.

        Raises:
            BackendError: The system allows no further process or no further pipes.
        """
        ends: list[int] = []
        try:
            ends += os.pipe()
            ends += os.pipe()
            order_end, self.orders, self.reports, report_end = ends
            self._process = _fork_guard(order_end, report_end)
        except OSError as error:
            for end in ends:
                os.close(end)
            message = f"no further step can be started: {error.strerror}. Run fewer steps at once (--max-parallel)"
            raise BackendError(message) from error
        os.close(order_end)
        os.close(report_end)

    def release(self) -> None:
        """Close the guard's pipes, so that it ends."""
        if self.orders >= 0:
            os.close(self.orders)
            os.close(self.reports)
            self.orders = self.reports = -1

    def dismiss(self) -> None:
        """Close the guard's pipes, and wait until it has ended."""
        self.release()
        with suppress(ChildProcessError):  # another part of this process has already waited for it
            os.waitpid(self._process, 0)


def _fork_guard(orders: int, reports: int) -> int:
    # Without this, a signal that reaches the guard before it is detached would run the runner's handlers there.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns if a process with threads forks, since locks may be held; the guard uses none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            try:
                from creditml_local.guard import run_guard  # imported in the guard, to save the runner's time

                run_guard(orders, reports)
            finally:
                # This process is a copy of the runner: after an ordinary exit, the runner's `finally` blocks and exit
                # handlers would run in it a second time.
                os._exit(1)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process


def _exit(report: Report, *, vanished: bool) -> Exit:
    if report.status is None:
        return Exit(None, vanished=vanished)
    code = os.waitstatus_to_exitcode(report.status)
    if code < 0:
        return Exit(None, signal=-code, out_of_memory=report.out_of_memory)
    return Exit(code, out_of_memory=report.out_of_memory)
