"""What can go wrong, as one tree. The command line prints any of these without a traceback.

CreditMLError
├─ SpecError           a spec has problems: all of them at once, each with its place and a mend
├─ Unsupported         a feature that the chosen backend can't serve, raised before anything runs
├─ NotFound            an asset, a version or a job that isn't there
├─ Conflict            an immutable thing would be changed
├─ UsageError          a call that can't be meant (exit code 2)
├─ BackendError
│   ├─ BackendUnavailable      names what to install or start
│   └─ AuthenticationFailed
└─ JobError
    ├─ OutputMissing   an output that a later step needs was not written
    └─ Canceled
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MEANT_BY = "Is it meant by"


class Place(NamedTuple):
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`file:line:column`, as editors and terminals link it; the name alone of what has no lines."""
        return self.file if self.line == 0 else f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One thing that is wrong with a spec.

    `path` is the key path (`jobs.train.inputs.data`), which is all there is to go by for a job that an SDK object made.
    A warning is what Azure ML tolerates too; an error is what it refuses. What it refuses though nothing hinders it
    here is a warning that is `refused`.
    """

    message: str
    path: str = ""
    place: Place | None = None
    warning: bool = False
    refused: bool = False

    def __str__(self) -> str:
        """`file:line:column: message`, or `key.path: message` where there is no file."""
        where = str(self.place) if self.place else self.path
        kind = "warning: " if self.warning else ""
        return f"{where}: {kind}{self.message}" if where else f"{kind}{self.message}"


class CreditMLError(Exception):
    """The root of every error that creditml raises on purpose."""


class SpecError(CreditMLError):
    """A spec with at least one error; `problems` holds errors and warnings in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, sorted by place and without repetitions."""
        self.problems: tuple[Problem, ...] = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unsupported(CreditMLError):
    """A feature that Azure ML has and the backend has not."""


class NotFound(CreditMLError):
    """No such asset, version or job."""


class Conflict(CreditMLError):
    """It exists already and may not be changed."""


class UsageError(CreditMLError):
    """The call itself can't be meant: a contradiction of flags, a value of the wrong form."""


class BackendError(CreditMLError):
    """The machine or service that should run a step refuses to."""


class BackendUnavailable(BackendError):
    """The backend isn't installed or can't be reached; the message says how to get it."""


class AuthenticationFailed(BackendError):
    """The backend doesn't accept the credentials."""


class JobError(CreditMLError):
    """A job, or a step of it, did not end well."""


class OutputMissing(JobError):
    """A step needs an output that its producer did not write."""


class Canceled(JobError):
    """The job was canceled."""


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems by file (the order of first sight), line and column, and drop repetitions."""
    unique = list(dict.fromkeys(problems))
    files = {file: rank for rank, file in enumerate(dict.fromkeys(p.place.file for p in unique if p.place))}

    def key(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        return (files[place.file], place.line, place.column) if place else (-1, 0, 0)

    return tuple(sorted(unique, key=key))


def near_miss(word: str, known: Iterable[str], *, ask: str = "Did you mean") -> str:
    """Say which known name was probably meant, as a sentence to append: ` Did you mean 'inputs'?` or nothing.

    Where something is missing and `known` is what was written instead, ask `MEANT_BY`.
    """
    from difflib import get_close_matches

    candidates: Sequence[str] = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" {ask} '{candidates[0]}'?" if candidates else ""
