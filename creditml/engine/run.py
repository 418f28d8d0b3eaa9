"""A step while it runs, as the runner, the journal and the flusher know it. Who makes runs: `creditml.engine.nodes`."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from creditml.engine.outcome import Outcome
    from creditml.plan import PlannedStep


class Phase(Enum):
    """How far a run has come."""

    NEW = "nothing of it is there"
    PREPARED = "its folders are made, and its turn has not come"
    STAGING = "its code and data are put into place"
    RUNNING = "what it is there for is done, such as its command"
    TAKING = "what it wrote is put into place"
    ENDED = "it has an outcome, or will never begin"

    def to(self, phase: Phase) -> Phase:
        """The next phase, which must be one that may follow this one."""
        assert phase in _NEXT[self], f"{self.name} -> {phase.name}"  # noqa: S101  another order is a defect of a run
        return phase


_NEXT: Mapping[Phase, tuple[Phase, ...]] = {
    Phase.NEW: (Phase.PREPARED, Phase.STAGING, Phase.ENDED),
    Phase.PREPARED: (Phase.STAGING, Phase.ENDED),
    Phase.STAGING: (Phase.RUNNING, Phase.ENDED),
    Phase.RUNNING: (Phase.TAKING, Phase.ENDED),
    Phase.TAKING: (Phase.ENDED,),
    Phase.ENDED: (),
}
"""The phases that may follow each one."""


class Run(Protocol):
    """One step of a job that runs.

    The runner calls `begin`, and then `advance` whenever `fileno` is readable, until there is an outcome. In between it
    may ask the run to end (`terminate`), or end it (`kill`). Nothing here waits for anything.

    Attributes:
        step: What is run.
        run_id: The name under which it is recorded.
        folder: The folder of the workspace in which its logs and outputs are kept.
        log: The file with what it prints.
        phase: How far it has come.
        deadline: When `overdue` is to be called, as `time.monotonic` has it; None for never.
        outcome: How it ended, once it has.
    """

    step: PlannedStep
    run_id: str
    folder: Path
    log: Path
    phase: Phase
    deadline: float | None
    outcome: Outcome | None

    def fileno(self) -> int:
        """A descriptor that is readable when `advance` has something to do.

        It is taken out of the selector before `advance` is called, and another one may take its place afterwards.
        """
        ...

    def prepare(self) -> None:
        """Do beforehand, while other steps run, what needs no outputs of them. What fails now is tried again later."""
        ...

    def give_up(self) -> None:
        """Undo `prepare`: it will not begin."""
        ...

    def begin(self) -> None:
        """Begin; steps that this one needs have ended."""
        ...

    def advance(self) -> None:
        """Go on with the next phase, since the work of this one is done."""
        ...

    def terminate(self) -> None:
        """Ask it to end. It may take some time for that, until its deadline."""
        ...

    def kill(self) -> None:
        """End it now. It has an outcome then, or `fileno` will tell that it is over."""
        ...

    def overdue(self) -> None:
        """Its deadline has passed, so that it is to end; as for `kill` it may have an outcome then."""
        ...
