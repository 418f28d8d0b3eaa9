"""All errors that creditml raises, as one tree. The command line prints any of them without a traceback.

CreditMLError
├─ SpecError           a spec has errors: all problems at once, each with its position and a way to fix it
├─ Unsupported         the chosen backend lacks a feature; raised before anything runs
├─ NotFound            an asset, a version or a job does not exist
├─ Conflict            an existing asset or job can't be changed
├─ UsageError          invalid arguments (exit code 2)
├─ BackendError
│   ├─ BackendUnavailable      the message says what to install or start
│   └─ AuthenticationFailed
└─ JobError
    ├─ OutputMissing   an output that a later step needs was not written
    └─ Canceled
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MEANT_BY = "Was it misspelled as"


class Place(NamedTuple):
    """A position in a file. Lines and columns count from 1; line 0 stands for a source without lines."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`file:line:column`, which editors and terminals turn into a link; only `file` for a source without lines."""
        return self.file if self.line == 0 else f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One error or warning about a spec.

    Attributes:
        message: What is wrong and how to fix it.
        path: The key path (`jobs.train.inputs.data`). A job that was made with the SDK has no file, only key paths.
        place: The position in the file, if there is one.
        warning: Whether Azure ML tolerates it: where Azure ML refuses a job, this is an error.
        refused: Whether Azure ML refuses what runs on this machine. Such a problem is a warning here, and becomes an
            error when the job is sent to Azure ML.
    """

    message: str
    path: str = ""
    place: Place | None = None
    warning: bool = False
    refused: bool = False

    def __str__(self) -> str:
        """`file:line:column: message`, or `key.path: message` if there is no file."""
        where = str(self.place) if self.place else self.path
        kind = "warning: " if self.warning else ""
        return f"{where}: {kind}{self.message}" if where else f"{kind}{self.message}"


class CreditMLError(Exception):
    """The base class of all errors that creditml raises on purpose."""


class SpecError(CreditMLError):
    """A spec has at least one error.

    `problems` holds the errors and warnings in the order of the file, without duplicates.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unsupported(CreditMLError):
    """The backend lacks a feature of Azure ML."""


class NotFound(CreditMLError):
    """An asset, a version or a job does not exist."""


class Conflict(CreditMLError):
    """An asset or job exists already and can't be changed."""


class UsageError(CreditMLError):
    """A command or call has invalid arguments: flags that contradict each other, or a value of the wrong form."""


class BackendError(CreditMLError):
    """The machine or service that should run a step or job can't do so."""


class BackendUnavailable(BackendError):
    """The backend isn't installed or can't be reached; the message says what to install or start."""


class AuthenticationFailed(BackendError):
    """The backend rejects the credentials."""


class JobError(CreditMLError):
    """A job or one of its steps failed or was canceled."""


class OutputMissing(JobError):
    """A step needs an output that an earlier step did not write."""


class Canceled(JobError):
    """The job was canceled."""


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems by file (in the order in which files first occur), line and column, and drop duplicates."""
    unique = list(dict.fromkeys(problems))
    files = {file: rank for rank, file in enumerate(dict.fromkeys(p.place.file for p in unique if p.place))}

    def key(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        return (files[place.file], place.line, place.column) if place else (-1, 0, 0)

    return tuple(sorted(unique, key=key))


def near_miss(word: str, known: Iterable[str], *, ask: str = "Did you mean") -> str:
    """A sentence to append to a message that suggests a known name: ` Did you mean 'inputs'?`; empty without a match.

    Args:
        word: The name that is wrong or missing.
        known: The names to suggest from.
        ask: The beginning of the sentence. Use `MEANT_BY` where `word` is missing and `known` are the names that were
            written instead.
    """
    from difflib import get_close_matches

    candidates: Sequence[str] = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" {ask} '{candidates[0]}'?" if candidates else ""
