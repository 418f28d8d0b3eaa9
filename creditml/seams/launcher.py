"""The seam `Launcher`: one rendered command on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self


class Mount(NamedTuple):
    """A file or folder of this machine that a step reads, and must not change.

    `target` is where the step sees it, relative to the step's root; folders above it are made.
    """

    source: str
    target: str


class Step(NamedTuple):
    """One rendered command, ready to start.

    Attributes:
        run_id: The step's run, for messages and labels.
        command: What follows `bash -c`.
        root: The step's folder on this machine, with `cwd` in it already made; the step may always write there.
        cwd: The folder the command starts in, relative to `root`.
        env: The whole environment: nothing else is inherited (but bash adds its own, and a launcher may add a marker).
        mounts: What the step reads.
        protected: Further files and folders that the step must not write into, such as the workspace.
        writable: Files and folders outside its root that it may write all the same: outputs with a place of their own.
        log: The file that stdout and stderr are both appended to, as they come; its folder exists.
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
    """How a command ended. Whatever is unknown is a failure, never a success.

    Attributes:
        code: The exit code, or None if there is none (killed by a signal, or nobody knows).
        signal: The number of the signal that killed it.
        out_of_memory: The system killed it for want of memory, by the system's own account.
        vanished: What watched over it is gone, so that nobody can tell how it ended.
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
    """A command that was started, with the whole tree of processes that it starts in turn."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the command has ended, and not before.

        Take it out of every selector before calling `exit`, which gives it up: its number may then be used again.
        """
        ...

    def exit(self) -> Exit:
        """Say how the command ended, and forget it; later calls give the same answer.

        Waits if it runs still. When this returns, no process of the step is left that could write into an output, a
        background child or a daemon included.

        Raises:
            BackendError: The command could not be started after all.
        """
        ...

    def terminate(self) -> None:
        """Ask every process of the tree to end (SIGTERM), and return at once.

        The command counts as ended when the last of them has; `kill` is for those that won't.
        """
        ...

    def kill(self) -> None:
        """End the whole tree by force (SIGKILL), and return at once. This does nothing if the tree has ended."""
        ...


class Launcher(Protocol):
    """Starts commands on this machine. Not for use from several threads at once.

    Attributes:
        isolated: Whether a step sees nothing of this machine (programs, folders, variables) but what its `Step` holds.
        hosts: Names, besides those of the loopback interface, under which steps reach servers of this machine.
    """

    isolated: bool
    hosts: tuple[str, ...]

    def get_ready(self) -> None:
        """Prepare for a start that comes soon, as far as that is possible before its command is known."""
        ...

    def see(self, root: str) -> str:
        """Return the path under which a step sees its root.

        It has only characters that bash takes unquoted, since it is rendered into commands and must not be split.
        """
        ...

    def start(self, step: Step) -> Running:
        """Start a command, and return at once.

        Raises:
            BackendError: It can't be started; the message says what to do.
        """
        ...

    def close(self) -> None:
        """Kill all commands that are still running, and give everything back. Calling it again does nothing."""
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
