"""The two seams: `Launcher` runs one command on this machine, `Executor` a whole job somewhere.

A launcher starts one rendered command at a time on this machine (a subprocess, a container) and keeps hold of all that
the command starts in turn. It knows nothing of jobs, specs or stores. `creditml.testing.launchers` holds the
behaviours that every launcher must have, as tests to inherit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.plan import Plan
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord


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
        """End the whole tree by force (SIGKILL), and return at once. Calling it again, or too late, does nothing."""
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
        """Expect a start soon: what can be done before its command is known is best done now, beside other work."""
        ...

    def see(self, root: str) -> str:
        """Return the path under which a step sees its root.

        Has only characters that bash takes as they are, unquoted: what is rendered into a command must not be split.
        """
        ...

    def start(self, step: Step) -> Running:
        """Start a command, and return at once.

        Raises:
            BackendError: It can't be started; the message says what to mend.
        """
        ...

    def close(self) -> None:
        """Kill what runs still, and give everything back. Calling it again does nothing."""
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


class NodeState(NamedTuple):
    """A node of a job that was started; times are milliseconds since 1970."""

    path: str
    run_id: str
    status: str
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""


class StepState(NamedTuple):
    """A step of a job that is watched; times are milliseconds since 1970, `log` is a file of this machine."""

    path: str
    status: str = "NotStarted"
    run_id: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""
    log: str = ""


class JobState(NamedTuple):
    """A job as it is now, with its nodes in the order in which they started."""

    name: str
    status: str
    started_at: int | None
    ended_at: int | None
    error: str
    nodes: tuple[NodeState, ...]


class Executor(Protocol):
    """Runs a whole job somewhere. Nobody is called back: callers poll."""

    def submit(self, job: Job) -> str:
        """Check a job and begin it; returns its name at once.

        Raises:
            SpecError: the job has errors.
        """
        ...

    def poll(self, job: str) -> JobState:
        """The job and every node that was started.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def logs(self, job: str, node: str = "") -> Iterator[str]:
        """The lines of a node's log (of the job's own without a node) as they come, until it has ended."""
        ...

    def fetch(self, job: str, node: str | None, output: str, to: Path) -> Path:
        """Copy an output to a folder, and return the folder.

        Raises:
            NotFound: there is no such output.
        """
        ...

    def cancel(self, job: str) -> None:
        """Ask for the job's end. Calling it again, or too late, does nothing."""
        ...


class Checked(Protocol):
    """A job that can be submitted, and what was noticed on the way."""

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is no reason not to submit it."""
        ...


class Examined(NamedTuple):
    """What is wrong with a job; `unasked` says why the place where it is to run wasn't asked, if it wasn't."""

    problems: tuple[Problem, ...]
    unasked: str = ""


class Watched(Protocol):
    """A job that runs while somebody looks on: a context manager, to be advanced until it has ended.

    Attributes:
        record: The job, as it was recorded at the beginning.
        plan: Its steps.
        states: Every step as it is now, by its path.
        status: The job's own status.
        reason: Why no step could start, if so.
        warnings: What is to be said at the end.
        interrupted: Whether somebody asked this process to end it.
        measured: Whether its steps may have logged metrics.
        last_words: What a second interrupt does, for whoever has interrupted once.
    """

    record: JobRecord
    plan: Plan
    states: Mapping[str, StepState]
    status: str
    reason: str | None
    warnings: list[str]
    interrupted: bool
    last_words: str

    @property
    def measured(self) -> bool:
        """See above."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        """Whatever happened: give everything back."""
        ...

    def advance(self, timeout: float = ...) -> bool:
        """Wait at most so many seconds for something to happen; False when the job has ended."""
        ...

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps whose states have changed since the last call."""
        ...

    def told(self) -> list[str]:
        """What was said of preparations since the last call, for people."""
        ...


class Jobs(Executor, Protocol):
    """An executor as the command line uses it: it also says what is wrong beforehand, and lets look on."""

    workspace: Workspace

    @property
    def place(self) -> str:
        """Where jobs are sent to, for people; empty if they run here."""
        ...

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Checked:
        """Check a job, with what its reader has found.

        Raises:
            SpecError: there are errors; all of them, with the warnings.
        """
        ...

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """All that is wrong with a job, with what its reader has found; as far as that can be said from here."""
        ...

    def run(self, prepared: Any) -> Watched:  # noqa: ANN401  what `prepare` gave
        """Submit a job to be watched."""
        ...

    def detach(self, prepared: Any) -> JobRecord:  # noqa: ANN401  what `prepare` gave
        """Submit a job, and return at once."""
        ...

    def get_ready(self) -> None:
        """Expect a `run` soon. To be closed."""
        ...

    def close(self) -> None:
        """Give back what `get_ready` took; calling it again does nothing."""
        ...
