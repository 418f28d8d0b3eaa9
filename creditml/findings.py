"""Collects the problems of a job, with their key paths and positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import Problem

if TYPE_CHECKING:
    from creditml.model import Job


class Findings:
    """The problems of one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.problems: list[Problem] = []

    def error(self, path: tuple[str, ...], message: str, *, warning: bool = False, refused: bool = False) -> None:
        """Note a problem at a key path."""
        source = self.job.source
        place = source.place(path) if source else None
        # a component that is defined within its node has no key `component` in the file
        if source:
            keys = [key for n, key in enumerate(path) if key != "component" or source.holds(path[: n + 1])]
        else:
            keys = list(path[1:] if path[:1] == ("component",) else path)
        self.problems.append(Problem(message, ".".join(keys), place, warning, refused))

    def warn(self, path: tuple[str, ...], message: str, *, refused: bool = False) -> None:
        """Note a warning at a key path; `refused` marks what Azure ML refuses although it runs on this machine."""
        self.error(path, message, warning=True, refused=refused)

    def unread(self, *path: str) -> bool:
        """Whether the reader has reported why a key is missing from the job.

        That is so if the file has the key, or has something else than a mapping where the key should be.
        """
        source = self.job.source
        return bool(source and (source.holds(path) or source.instead(path[:-1])))

    @property
    def failed(self) -> bool:
        """Whether there is at least one error."""
        return any(not problem.warning for problem in self.problems)
