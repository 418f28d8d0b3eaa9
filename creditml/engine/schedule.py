"""Which steps may run: pure bookkeeping over a plan, without processes or clocks."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from creditml.plan import Plan, PlannedStep

_LOOKED_AT = 16  # steps after one that runs, in search of the upcoming one


class Schedule:
    """Hands out steps whose inputs are there.

    When a step fails, those that need its outputs are skipped, but not those that could do without them (an optional
    input). With `go_on` independent branches run to their ends (Azure ML docs: continue_on_step_failure), else nothing
    new starts.
    """

    def __init__(self, plan: Plan, *, go_on: bool = True) -> None:
        """Every step without needs is ready."""
        self._go_on = go_on
        self._needs: dict[
            str, dict[str, bool]
        ] = {}  # of each step: those that haven't ended; whether it can do without
        self._users: dict[str, list[str]] = {}
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._well: dict[str, bool] = {}  # how steps have ended; skipped ones not well
        self.skipped: list[str] = []
        self.stopped = False
        self.add(plan.steps.values())

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing will."""
        return not self._running and not self._ready and not self._waiting

    def add(self, steps: Iterable[PlannedStep]) -> list[str]:
        """Add steps, each of which needs only steps that are known by then, even ones that have ended.

        Returns:
            Those of them that will never run: after a stop, or since they need one that failed or was skipped.

        Raises:
            ValueError: a step is known already, or needs one that isn't.
        """
        before = len(self.skipped)
        for step in steps:
            needs: dict[str, bool] = {}
            for need, optional in step.needs():
                needs[need] = needs.get(need, True) and optional
            if step.path in self._needs or not needs.keys() <= self._needs.keys():
                message = f"The step '{step.path}' can't be added: it is known already, or needs one that isn't."
                raise ValueError(message)
            self._place(step.path, needs)
        return self.skipped[before:]

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

    def ended(self, path: str, *, well: bool) -> list[str]:
        """A running step has ended.

        Returns:
            The steps that will never run because of that.
        """
        before = len(self.skipped)
        self._running.discard(path)
        if not well and not self._go_on:
            self.stop()
        self._settle(path, well=well)
        return self.skipped[before:]

    def stop(self) -> list[str]:
        """Start nothing more.

        Returns:
            The steps that will never run because of that.
        """
        self.stopped = True
        left = [*self._ready, *(path for path in self._needs if path in self._waiting)]
        self._ready.clear()
        self._waiting.clear()
        self._well.update(dict.fromkeys(left, False))
        self.skipped += left
        return left

    def _place(self, path: str, needs: dict[str, bool]) -> None:
        """A new step waits, is ready, or is skipped at once."""
        open_needs = {need: optional for need, optional in needs.items() if need not in self._well}
        self._needs[path] = open_needs
        if self.stopped or any(self._well.get(need) is False and not optional for need, optional in needs.items()):
            self._skip(path)
        elif open_needs:
            self._waiting.add(path)
            for need in open_needs:
                self._users.setdefault(need, []).append(path)
        else:
            self._ready.append(path)

    def _skip(self, path: str) -> None:
        self._well[path] = False
        self.skipped.append(path)

    def _settle(self, path: str, *, well: bool) -> None:
        """Tell the users of a step, and those of users that are skipped, that it has ended."""
        self._well[path] = well
        todo = [path]
        while todo:
            ended = todo.pop()
            for user in self._users.get(ended, ()):
                if user not in self._waiting:
                    continue
                optional = self._needs[user].pop(ended)
                if not self._well[ended] and not optional:
                    self._waiting.discard(user)
                    self._skip(user)
                    todo.append(user)
                elif not self._needs[user]:
                    self._waiting.discard(user)
                    self._ready.append(user)
