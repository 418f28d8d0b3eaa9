"""The protocols of executors: a backend's executor runs a whole job, on this machine or elsewhere."""

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
    """The state of a step. Times are milliseconds since 1970; `log` is a file on this machine, or empty.

    `JobState.nodes` has an entry for each nested pipeline that was started, too. `display_name` is empty if unknown.
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
    """The state of a job and its nodes, in the order in which the nodes started. Times are milliseconds since 1970."""

    name: str
    status: str
    started_at: int | None
    ended_at: int | None
    error: str
    nodes: tuple[StepState, ...]


class Executor(Protocol):
    """Runs whole jobs. There are no callbacks: callers poll."""

    def submit(self, job: Job) -> str:
        """Check and submit a job, and return its name at once.

        Raises:
            SpecError: the job has errors.
        """
        ...

    def poll(self, job: str) -> JobState:
        """The states of the job and of every node that was started.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def logs(self, job: str, node: str = "") -> Iterator[str]:
        """The lines of a node's log as they are written, until the node ends; without a node, the job's own log."""
        ...

    def fetch(self, job: str, node: str | None, output: str, to: Path) -> Path:
        """Copy an output of a node (of the job, without a node) to a folder, and return the folder.

        Raises:
            NotFound: there is no such output.
        """
        ...

    def cancel(self, job: str) -> None:
        """Request that the job is canceled. This does nothing if the job is being canceled or has ended."""
        ...


class Prepared(NamedTuple):
    """A job without errors, ready to be submitted.

    Attributes:
        job: The job in the form that the backend runs.
        plan: Its steps.
        warnings: Warnings for the user.
    """

    job: Job
    plan: Plan
    warnings: tuple[Problem, ...]


class Examined(NamedTuple):
    """The problems of a job.

    `unasked` is the reason why the service that should run the job couldn't be asked for further problems; it is empty
    if it was asked or need not be.
    """

    problems: tuple[Problem, ...]
    unasked: str = ""


class Watched(Protocol):
    """A job that is watched while it runs: a context manager whose `advance` is called until the job has ended."""

    @property
    def record(self) -> JobRecord:
        """The record of the job, as it was when the job was submitted."""
        ...

    @property
    def plan(self) -> Plan:
        """The steps of the job."""
        ...

    @property
    def states(self) -> Mapping[str, StepState]:
        """The current state of every step, by its path."""
        ...

    @property
    def status(self) -> str:
        """The status of the job itself."""
        ...

    @property
    def reason(self) -> str | None:
        """Why no step could start; None if steps could start."""
        ...

    @property
    def warnings(self) -> list[str]:
        """Messages to print when the job has ended."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether this process was asked (by Ctrl-C or a signal) to cancel the job."""
        ...

    @property
    def last_words(self) -> str:
        """A message that says what a second interrupt does; it is printed after the first one."""
        ...

    @property
    def measured(self) -> bool:
        """Whether the steps may have logged metrics."""
        ...

    def __enter__(self) -> Self:
        """Start to run or to watch the job."""
        ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        """Release all resources, after errors too."""
        ...

    def advance(self, timeout: float = ...) -> bool:
        """Wait at most `timeout` seconds for an event of the job; False when the job has ended."""
        ...

    def changes(self) -> list[tuple[str, StepState]]:
        """The steps whose states have changed since the last call."""
        ...

    def messages(self) -> list[str]:
        """Messages for the user since the last call."""
        ...


class Jobs(Executor, Protocol):
    """An executor for the command line, which also checks jobs before they are submitted and watches them."""

    workspace: Workspace

    @property
    def place(self) -> str:
        """The name of the service that jobs are sent to, for messages; empty if jobs run on this machine."""
        ...

    def prepare(self, job: Job, problems: tuple[Problem, ...] = ()) -> Prepared:
        """Check a job, and make it ready to be submitted; `problems` are those that its reader has found.

        Raises:
            SpecError: there are errors; it holds all errors and warnings.
        """
        ...

    def examine(self, job: Job, problems: tuple[Problem, ...] = ()) -> Examined:
        """Find all problems of a job; `problems` are those that its reader has found, and are included."""
        ...

    def run(self, prepared: Prepared) -> Watched:
        """Submit a job that the caller then watches."""
        ...

    def detach(self, prepared: Prepared) -> JobRecord:
        """Submit a job, and return at once."""
        ...

    def get_ready(self) -> None:
        """Prepare for a `run` that follows soon, while the job is being read; `close` releases what this acquires."""
        ...

    def close(self) -> None:
        """Release what `get_ready` has acquired. Calling it again does nothing."""
        ...


class RemoteJobs(Jobs, Protocol):
    """A backend whose jobs run in a service. The command line can ask it for any job there, other users' included."""

    def entries(self, limit: int | None, *, archived: bool | None) -> Iterator[dict[str, Any]]:
        """Submitted jobs, newest first, as `az ml job list` prints them.

        Args:
            limit: The largest number of jobs; None for all.
            archived: True for all jobs, False for jobs that are not archived, None for archived jobs only.
        """
        ...

    def view(self, job: str) -> dict[str, Any]:
        """A job with all its fields, as `az ml job show` prints it.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def state(self, job: str) -> StepState:
        """The state of the job itself, with an empty path. Unlike `poll`, this doesn't ask for the job's steps.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def steps(self, job: str) -> list[StepState]:
        """The steps and nested pipelines that were started, in the order in which they started."""
        ...

    def outputs(self, job: str) -> list[str]:
        """The names of the outputs that an ended job has written."""
        ...

    def fetch_artifacts(self, job: str, to: Path) -> Path:
        """Copy the logs and other artifacts of an ended job to a folder, and return the folder."""
        ...

    def pull(self, job: str, step: str = "", *, inputs: bool = False, tell: Callable[[str], None]) -> JobRecord:
        """Copy a job into the local workspace, or update the copy that is there, and return its record.

        Args:
            job: The name of the job.
            step: The path of a step, if only the logs and data of this step are to be copied.
            inputs: Whether the inputs of the step, or of every step, are copied too.
            tell: Called with a line of text for each item that is copied.

        Raises:
            NotFound: there is no such job or step.
        """
        ...
