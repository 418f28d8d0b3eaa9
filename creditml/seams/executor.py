"""The seam `Executor`: a whole job somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from creditml.statuses import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
    `display_name` is empty where it isn't known.
    """

    path: str
    status: str = NOT_STARTED
    run_id: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    error: str = ""
    log: str = ""
    display_name: str = ""


class JobState(NamedTuple):
    """A job as it is now, with its nodes in the order in which they started."""

    name: str
    status: str
    started_at: int | None
    ended_at: int | None
    error: str
    nodes: tuple[StepState, ...]


class Executor(Protocol):
    """Runs whole jobs somewhere. There are no callbacks: callers poll."""

    def submit(self, job: Job) -> str:
        """Check and submit a job, and return its name at once.

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
        """Ask for the job to be canceled. This does nothing for a job that is being canceled or has ended."""
        ...


class Prepared(NamedTuple):
    """A job without errors, ready to be submitted: as its backend takes it, its steps, and warnings for the user."""

    job: Job
    plan: Plan
    warnings: tuple[Problem, ...]


class Examined(NamedTuple):
    """The problems of a job; `unasked` is the reason if the place where it is to run couldn't be asked for more."""

    problems: tuple[Problem, ...]
    unasked: str = ""


class Watched(Protocol):
    """A job that is watched while it runs: a context manager, to be advanced until the job has ended."""

    @property
    def record(self) -> JobRecord:
        """The job, as it was recorded at the beginning."""
        ...

    @property
    def plan(self) -> Plan:
        """The steps of the job."""
        ...

    @property
    def states(self) -> Mapping[str, StepState]:
        """How every step stands now, by its path."""
        ...

    @property
    def status(self) -> str:
        """The status of the job itself."""
        ...

    @property
    def reason(self) -> str | None:
        """Why no step could start, if none could."""
        ...

    @property
    def warnings(self) -> list[str]:
        """Messages for the user when the job has ended."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether this process was asked (by Ctrl-C or a signal) to cancel the job."""
        ...

    @property
    def last_words(self) -> str:
        """What a second interrupt does, for a user who has interrupted once."""
        ...

    @property
    def measured(self) -> bool:
        """Whether the steps may have logged metrics."""
        ...

    def __enter__(self) -> Self:
        """Begin to run or to watch the job."""
        ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        """Give back everything that was taken, whatever has happened."""
        ...

    def advance(self, timeout: float = ...) -> bool:
        """Wait at most so many seconds for something to happen; False when the job has ended."""
        ...

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps whose states have changed since the last call."""
        ...

    def messages(self) -> list[str]:
        """Messages for the user since the last call."""
        ...


class Jobs(Executor, Protocol):
    """An executor as the command line uses it: it also tells problems beforehand, and lets the user watch a job."""

    workspace: Workspace

    @property
    def place(self) -> str:
        """Where jobs are sent to, as messages name it; empty if they run on this machine."""
        ...

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Check a job, and make it ready to be submitted; `problems` are those that its reader has found.

        Raises:
            SpecError: there are errors; all of them, with the warnings.
        """
        ...

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """All problems of a job, those that its reader has found (`problems`) included."""
        ...

    def run(self, prepared: Prepared) -> Watched:
        """Submit a job, to watch it."""
        ...

    def detach(self, prepared: Prepared) -> JobRecord:
        """Submit a job, and return at once."""
        ...

    def get_ready(self) -> None:
        """Prepare for a `run` that comes soon, while the job is being read; `close` gives back what this takes."""
        ...

    def close(self) -> None:
        """Give back what `get_ready` took; calling it again does nothing."""
        ...


class RemoteJobs(Jobs, Protocol):
    """A backend whose jobs run elsewhere: the command line can ask it for any job there, also for those of others."""

    def entries(self, limit: int | None, *, archived: bool | None) -> Iterator[dict[str, Any]]:
        """Submitted jobs, newest first, as `az ml job list` prints them.

        Args:
            limit: at most so many; None for all.
            archived: True for archived jobs too, False for none of them, None for archived jobs alone.
        """
        ...

    def view(self, job: str) -> dict[str, Any]:
        """A job with all its fields, as `az ml job show` prints it.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def state(self, job: str) -> StepState:
        """How a job itself stands (its path is empty); unlike `poll`, this doesn't ask for its steps.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def steps(self, job: str) -> list[StepState]:
        """The steps and nested pipelines that were started, in the order in which they began."""
        ...

    def outputs(self, job: str) -> list[str]:
        """The names of the outputs that an ended job has written."""
        ...

    def fetch_artifacts(self, job: str, to: Path) -> Path:
        """Copy the logs and other artifacts of an ended job to a folder, and return the folder."""
        ...

    def pull(self, job: str, step: str = "", *, inputs: bool = False, tell: Callable[[str], None]) -> JobRecord:
        """Bring a job into the local workspace, and return its record; one that is there already is brought up to date.

        Args:
            job: its name.
            step: the path of a step; only its logs and data are brought.
            inputs: bring the inputs of the step, or of every step, too.
            tell: takes a line of text for each thing that is brought.

        Raises:
            NotFound: there is no such job or step.
        """
        ...
