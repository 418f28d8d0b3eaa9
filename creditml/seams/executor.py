"""The seam `Executor`: a whole job somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from creditml.statuses import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from creditml.errors import Problem
    from creditml.model import Job
    from creditml.plan import Plan
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord


class StepState(NamedTuple):
    """How a step of a job stands; times are milliseconds since 1970, `log` is a file of this machine if there is one.

    A nested pipeline that was started counts as a step too where all nodes of a job are listed (`JobState.nodes`).
    """

    path: str
    status: str = NOT_STARTED
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
    nodes: tuple[StepState, ...]


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


class Prepared(NamedTuple):
    """A job without errors, ready to be submitted: as its backend takes it, its steps, and warnings for the user."""

    job: Job
    plan: Plan
    warnings: tuple[Problem, ...]


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

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Check a job, with what its reader has found.

        Raises:
            SpecError: there are errors; all of them, with the warnings.
        """
        ...

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """All that is wrong with a job, with what its reader has found; as far as that can be said from here."""
        ...

    def run(self, prepared: Prepared) -> Watched:
        """Submit a job to be watched."""
        ...

    def detach(self, prepared: Prepared) -> JobRecord:
        """Submit a job, and return at once."""
        ...

    def get_ready(self) -> None:
        """Expect a `run` soon. To be closed."""
        ...

    def close(self) -> None:
        """Give back what `get_ready` took; calling it again does nothing."""
        ...
