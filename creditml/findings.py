"""What the check finds, with key paths and places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import Problem

if TYPE_CHECKING:
    from creditml.model import Job


class Findings:
    """The problems of one job."""

    def __init__(self, job: Job) -> None:
        """Nothing is found yet."""
        self.job = job
        self.problems: list[Problem] = []

    def error(self, path: tuple[str, ...], message: str, *, warning: bool = False, refused: bool = False) -> None:
        """Note a problem at a key path."""
        source = self.job.source
        place = source.place(path) if source else None
        # what stands in place has no key `component`
        if source:
            keys = [key for n, key in enumerate(path) if key != "component" or source.holds(path[: n + 1])]
        else:
            keys = list(path[1:] if path[:1] == ("component",) else path)
        self.problems.append(Problem(message, ".".join(keys), place, warning, refused))

    def warn(self, path: tuple[str, ...], message: str, *, refused: bool = False) -> None:
        """Note what Azure ML tolerates too, or what it alone has `refused`."""
        self.error(path, message, warning=True, refused=refused)

    def unread(self, *path: str) -> bool:
        """Whether the file has that key, though nothing could be made of it: the reader has said why."""
        return bool(self.job.source and self.job.source.holds(path))

    @property
    def failed(self) -> bool:
        """Whether anything is an error."""
        return any(not problem.warning for problem in self.problems)
