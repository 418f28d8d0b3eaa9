"""Which steps may run: pure bookkeeping over a plan, without processes or clocks."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml.plan import Plan

_LOOKED_AT = 16  # steps after one that runs, in search of the upcoming one


class Schedule:
    """Hands out steps whose inputs are there.

    A failed step takes those that need its outputs with it, but not one that could do without (an optional input).
    With `go_on` independent branches run to their ends (Azure ML docs: continue_on_step_failure), else nothing new
    starts.
    """

    def __init__(self, plan: Plan, *, go_on: bool = True) -> None:
        """Every step without needs is ready."""
        self._go_on = go_on
        self._needs: dict[str, dict[str, bool]] = {}
        self._users: dict[str, list[str]] = {}
        for path, step in plan.steps.items():
            needs: dict[str, bool] = {}
            for need, optional in step.needs():
                needs[need] = needs.get(need, True) and optional
            self._needs[path] = needs
            for need in needs:
                self._users.setdefault(need, []).append(path)
        self._ready = deque(path for path, needs in self._needs.items() if not needs)
        self._waiting = {path for path, needs in self._needs.items() if needs}
        self._running: set[str] = set()
        self.skipped: list[str] = []
        self.stopped = False

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing will."""
        return not self._running and not self._ready and not self._waiting

    def take(self) -> str | None:
        """A step to start now; it counts as running."""
        if not self._ready:
            return None
        path = self._ready.popleft()
        self._running.add(path)
        return path

    def upcoming(self) -> str | None:
        """The step that will be taken next if all goes well: a ready one, or one that waits only for what runs."""
        if self._ready:
            return self._ready[0]
        for path in self._running:
            for user in islice(self._users.get(path, ()), _LOOKED_AT):
                if user in self._waiting and self._needs[user].keys() <= self._running:
                    return user
        return None

    def ended(self, path: str, *, well: bool) -> None:
        """A running step has ended."""
        self._running.discard(path)
        if not well and not self._go_on:
            self.stop()
        self._settle(path, well=well)

    def stop(self) -> None:
        """Start nothing more."""
        self.stopped = True
        self.skipped += [*self._ready, *(path for path in self._needs if path in self._waiting)]
        self._ready.clear()
        self._waiting.clear()

    def _settle(self, path: str, *, well: bool) -> None:
        todo = [(path, well)]
        while todo:
            ended, good = todo.pop()
            for user in self._users.get(ended, ()):
                if user not in self._waiting:
                    continue
                optional = self._needs[user].pop(ended)
                if not good and not optional:
                    self._waiting.discard(user)
                    self.skipped.append(user)
                    todo.append((user, False))
                elif not self._needs[user]:
                    self._waiting.discard(user)
                    self._ready.append(user)
