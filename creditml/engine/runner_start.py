"""What the process of a detached runner is told as it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.engine.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB_VARIABLE = "CREDITML_JOB"
"""Names the job to whose runner a process belongs."""

OPTIONS_VARIABLE = "CREDITML_RUNNER_OPTIONS"
"""Holds the options of a runner. They may contain the password of an index, and everybody can see a command line."""

_SUBMITTERS = ("AZUREML_ROOT_RUN_ID", JOB_VARIABLE)  # a step has the first

NONE = -1
"""Stands for a descriptor that doesn't exist."""


def submitters(environment: Mapping[str, str]) -> list[str]:
    """The jobs that a process with that environment may be part of."""
    return [environment[name] for name in _SUBMITTERS if environment.get(name)]


class Start(NamedTuple):
    """What the process of a detached runner is told. Descriptors are inherited, or `NONE`.

    Attributes:
        root: The workspace's folder.
        job: The job's name.
        lock: The descriptor of the job's lock.
        wake: That of its wake-up pipe.
        place: That of its place, or of its position in the line.
        position: The name of its position, if it has to wait.
        places: How many there are.
        executor: The backend's executor: `module:name`.
        options: How the job is run, as `Options.dump` has it.
    """

    root: str
    job: str
    lock: int
    wake: int
    place: int
    position: str
    places: int
    executor: str
    options: str

    @classmethod
    def parse(cls, words: list[str]) -> Start:
        """Read a command line, and take the options from the environment."""
        root, job, lock, wake, place, position, places, executor = words
        options = os.environ.pop(OPTIONS_VARIABLE)
        return cls(root, job, int(lock), int(wake), int(place), position, int(places), executor, options)

    @property
    def words(self) -> list[str]:
        """The command line: all but the options."""
        return [str(word) for word in self[:-1]]

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that the process inherits."""
        return [descriptor for descriptor in (self.lock, self.wake, self.place) if descriptor != NONE]

    @property
    def queue(self) -> Queue:
        """The workspace's queue."""
        return Queue(Path(self.root), self.places)
