"""The protocol `Launcher`, which a backend implements to run a step's command on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self


LEFT_ALONE = 5.0
"""Seconds that processes which a command has left running get to end by themselves, before they are asked to."""
LEFT_ASKED = 2.0
"""Seconds that they get after they were asked to end (SIGTERM), before they are killed."""


class Mount(NamedTuple):
    """A file or folder of this machine that a step may read, but not change.

    `target` is the path under which the step sees it, relative to the step's root; missing parent folders are created.
    """

    source: str
    target: str


class Step(NamedTuple):
    """One rendered command, ready to start.

    Attributes:
        run_id: The id of the step's run, for messages and labels.
        command: The argument of `bash -c`.
        root: The step's folder on this machine; `cwd` exists in it. The step may always write there.
        cwd: The folder in which the command starts, relative to `root`.
        env: All environment variables of the command. It inherits no others, but bash adds its own ones, and a launcher
            may add one to mark its processes.
        mounts: The files and folders that the step reads.
        protected: Further files and folders that the step must not write into, such as the workspace.
        writable: Files and folders outside `root` that the step may write, such as outputs with an explicit path.
        log: The file to which stdout and stderr are appended as they are written; its folder exists.
        image: The image to run in, for launchers that run containers.
        resources: The spec's `resources` (`shm_size`, `docker_args`), for launchers that run containers.
    """

    run_id: str
    command: str
    root: str
    log: str
    env: Mapping[str, str]
    cwd: str = "exe/wd"
    mounts: tuple[Mount, ...] = ()
    protected: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    image: str = ""
    resources: Mapping[str, Any] | None = None


class Exit(NamedTuple):
    """How a command ended. If that is unknown, it counts as a failure, never as a success.

    Attributes:
        code: The exit code; None if the command was killed by a signal, or if its end is unknown.
        signal: The number of the signal that killed the command.
        out_of_memory: Whether the system reports that it killed the command because memory ran out.
        vanished: Whether the process or container that watched over the command is gone, so that its end is unknown.
    """

    code: int | None
    signal: int | None = None
    out_of_memory: bool = False
    vanished: bool = False

    @property
    def ok(self) -> bool:
        """Whether the command ended by itself with exit code 0."""
        return self == Exit(code=0)


class Running(Protocol):
    """A command that was started, together with all processes that it starts directly or indirectly."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the command has ended, and not before.

        Unregister it from every selector before calling `exit`, which closes it: the system may then use its number for
        another file.
        """
        ...

    def exit(self) -> Exit:
        """Wait until the command has ended, release its resources, and return how it ended.

        When this returns, no process of the step is left that could write into an output, not even a background process
        or a daemon. What the command leaves running gets `LEFT_ALONE` seconds to end by itself (the `tee` of
        `exec > >(tee log)` still has to write the last lines), then SIGTERM, and `LEFT_ASKED` seconds later SIGKILL. A
        command that leaves nothing running ends at once. The exit code is the command's in every case. Later calls
        return the same result.

        Raises:
            BackendError: It turned out only after `start` had returned that the command can't be started.
        """
        ...

    def terminate(self) -> None:
        """Ask all processes of the command to end (SIGTERM), and return at once.

        The command has ended when the last of them has ended; `kill` ends processes that ignore the signal. Both also
        end what a command that has ended by itself has left running.
        """
        ...

    def kill(self) -> None:
        """Kill all processes of the command (SIGKILL), and return at once; does nothing if the command has ended."""
        ...


class Launcher(Protocol):
    """Starts commands on this machine. Must not be used from several threads at the same time.

    Attributes:
        isolated: Whether a step sees only what its `Step` contains, and no other programs, folders or environment
            variables of this machine.
        hosts: Host names, besides those of the loopback interface, under which steps reach servers on this machine.
    """

    isolated: bool
    hosts: tuple[str, ...]

    def get_ready(self) -> None:
        """Prepare for a start that will follow soon.

        The runner calls this while it still has other work, so that preparations that don't depend on the command take
        no time when the command is started.
        """
        ...

    def see(self, root: str) -> str:
        """Return the path under which a step sees its folder `root`.

        The path has only characters that bash does not interpret, because it is inserted into commands without quotes.
        """
        ...

    def start(self, step: Step) -> Running:
        """Start a command, and return at once.

        Raises:
            BackendError: The command can't be started; the message says what to do.
        """
        ...

    def close(self) -> None:
        """Kill all commands that are still running, and release all resources. Calling it again does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return the launcher itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the launcher."""
        ...
