"""The steps that run, and the selector that tells what has happened."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

from creditml.engine.nodes import new_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from creditml.engine.context import Context
    from creditml.engine.run import Run


class RunningSteps:
    """What runs in a job at the moment, and the step that is prepared to be the next."""

    def __init__(self, context: Context, places: int) -> None:
        """At most `places` steps run at once."""
        self.selector = selectors.DefaultSelector()
        """For all that the runner waits for: what a key has as its data is called when there is something to do."""
        self.abandoned = False
        """Whether work of some step goes on in a thread, though nobody waits for it any more."""
        self._context, self._places = context, places
        self._runs: dict[str, Run] = {}
        self._next: Run | None = None

    @property
    def full(self) -> bool:
        """Whether no further step may start now."""
        return len(self._runs) >= self._places

    def __bool__(self) -> bool:
        return bool(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(list(self._runs.values()))

    def prepare(self, path: str | None) -> None:
        """Prepare the step that will probably be the next; None if there is none."""
        if self._next is not None and self._next.step.path != path:
            self._next.give_up()
            self._next = None
        if self._next is None and path is not None:
            self._next = new_run(self._context, self._context.plan.steps[path])
            self._next.prepare()

    def make(self, path: str) -> Run:
        """The run of a step that begins now: the one that was prepared, if it is that step's."""
        run, self._next = self._next, None
        if run is not None and run.step.path == path:
            return run
        if run is not None:
            run.give_up()
        return new_run(self._context, self._context.plan.steps[path])

    def watch(self, run: Run, advance: Callable[[Run], None]) -> None:
        """Have `advance` called with a run when it is to go on."""
        self._runs[run.step.path] = run
        self.selector.register(run, selectors.EVENT_READ, lambda: self._attend(run, advance))

    def abandon(self, run: Run) -> None:
        """Watch a run no more, though a thread is at work for it."""
        self._remove(run)
        self.abandoned = True

    def deadlines(self) -> list[float]:
        """Those that there are."""
        return [run.deadline for run in self._runs.values() if run.deadline is not None]

    def _attend(self, run: Run, advance: Callable[[Run], None]) -> None:
        if self._runs.get(run.step.path) is run:  # else it was abandoned by what has happened just before
            self._remove(run)
            advance(run)

    def _remove(self, run: Run) -> None:
        self.selector.unregister(run)
        del self._runs[run.step.path]
