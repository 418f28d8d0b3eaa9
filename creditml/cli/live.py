"""A running job as it is seen: a table that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from creditml.statuses import CANCEL_REQUESTED, CANCELED, COMPLETED, FAILED, NOT_STARTED, RUNNING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from creditml.seams.executor import StepState, Watched

_COLOURS = {COMPLETED: "green", FAILED: "bold red", CANCELED: "yellow", RUNNING: "cyan", NOT_STARTED: "dim"}
_MARKS = {COMPLETED: "✓", FAILED: "✗", CANCELED: "■", RUNNING: "●", NOT_STARTED: "·"}
_TAIL_BYTES = 2048
_CONTROL = r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\].*?(?:\x07|\x1b\\)|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
_IDLE = 3600.0
_COLUMNS = (("", ""), ("step", ""), ("after", "dim"), ("state", ""), ("time", ""), ("last line", "dim"))
_AFTER, _LAST_LINE = 2, 5
_LEAST = {_AFTER: 48, _LAST_LINE: 60}  # a terminal narrower than this has no room for that column
_FIXED_WIDTH = 1 + 14 + 7 + 6  # mark, state, time and what is between the columns


class View(Protocol):
    """Shows a runner's job; `period` is how often, in seconds."""

    period: float

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state to be read."""
        ...

    def refresh(self) -> None:
        """Show what has changed."""
        ...


def view_of(runner: Watched) -> View:
    """What fits where stdout goes."""
    if sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        return LiveTable(runner)
    return PlainLines(runner)


def seconds(state: StepState) -> float | None:
    """How long a step took, or has taken so far."""
    if state.started_at is None:
        return None
    return ((state.ended_at or time.time_ns() // 1_000_000) - state.started_at) / 1000


def duration(value: float | None) -> str:
    """A duration for people: `0.4s`, `12.3s`, `2m05s`, `1h02m`."""
    if value is None:
        return ""
    if value < 60:  # noqa: PLR2004  a minute
        return f"{value:.1f}s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


class PlainLines:
    """One line a transition, with its time since the start."""

    period = _IDLE

    def __init__(self, runner: Watched) -> None:
        self._runner, self._seen, self._start = runner, dict[str, str](), time.monotonic()
        self._canceling = False

    def __enter__(self) -> Self:
        """Say what runs."""
        record = self._runner.record
        count = len(self._runner.plan.steps)
        print(
            f"{record.name}: {count} step{'s' if count != 1 else ''}, experiment {record.experiment_name}", flush=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to show."""

    def refresh(self) -> None:
        """Print what has changed."""
        if self._runner.status == CANCEL_REQUESTED and not self._canceling:
            self._canceling = True
            print(f"CancelRequested: {self._runner.last_words}", flush=True)
        for line in self._runner.messages():
            print(f"[{time.monotonic() - self._start:7.2f}s] {line}", flush=True)
        for path, state in self._runner.changes():
            if self._seen.get(path) != state.status:
                self._seen[path] = state.status
                took = f" after {duration(seconds(state))}" if state.ended_at else ""
                name = path or self._runner.record.display_name
                print(f"[{time.monotonic() - self._start:7.2f}s] {name}: {state.status}{took}", flush=True)


class LiveTable:
    """The graph in order, each step with its state, elapsed time and last log line."""

    period = 0.2

    def __init__(self, runner: Watched) -> None:
        from rich.console import Console
        from rich.live import Live

        self._runner = runner
        self._live: Any = Live(console=Console(), auto_refresh=False, transient=False, vertical_overflow="ellipsis")

    def __enter__(self) -> Self:
        """Take the lower part of the terminal."""
        self._live.__enter__()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state to be read."""
        self._live.__exit__(kind, error, trace)

    def refresh(self) -> None:
        """Draw again."""
        for line in self._runner.messages():
            self._live.console.print(line, style="dim", markup=False, highlight=False)
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        runner = self._runner
        table = Table(
            box=None,
            pad_edge=False,
            title=f"{runner.record.name}  {runner.status}"
            + (f": {runner.last_words}" if runner.status == CANCEL_REQUESTED else ""),
            title_justify="left",
            title_style="bold",
        )
        shown = self._shown()
        needs = {path: ", ".join(dict.fromkeys(need for need, _ in runner.plan.steps[path].needs())) for path in shown}
        third = self._live.console.width // 3
        steps = min(third, max(len("command"), *map(len, shown)))
        after = min(third // 2, max(len("after"), *map(len, needs.values())))
        room = max(0, self._live.console.width - steps - after - _FIXED_WIDTH)
        columns = [number for number in range(len(_COLUMNS)) if self._live.console.width >= _LEAST.get(number, 0)]
        for number in columns:
            title, style = _COLUMNS[number]
            table.add_column(title, style=style, no_wrap=True)
        for path in shown:
            state = runner.states[path]
            colour = _COLOURS.get(state.status, "")
            cells = (
                Text(_MARKS.get(state.status, " "), style=colour),
                _cut(path or "command", steps),
                _cut(needs[path], after),
                Text(f"{state.status:<10}", style=colour),
                f"{duration(seconds(state)):>6}",
                _cut(last_line(state.log) if state.log else "", room),
            )
            table.add_row(*(cells[number] for number in columns))
        hidden = len(runner.states) - table.row_count
        if hidden:
            table.caption = f"and {hidden} more steps"
        return table

    def _shown(self) -> list[str]:
        """All steps if they fit, else first those that run or failed, and the next ones."""
        room = max(3, self._live.console.size.height - 5)
        states = self._runner.states
        if len(states) <= room:
            return list(states)
        rank = {RUNNING: 0, FAILED: 1, CANCELED: 1, NOT_STARTED: 2, COMPLETED: 3}
        chosen = sorted(states, key=lambda path: rank.get(states[path].status, 2))[:room]
        keep = set(chosen)
        return [path for path in states if path in keep]


def _cut(text: str, width: int) -> Any:
    """A text that takes no more than a width."""
    from rich.text import Text

    shown = Text(text)
    shown.truncate(width, overflow="ellipsis")
    return shown


def last_line(log: str) -> str:
    """The last line of a log that says something."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
            lines = stream.read().decode(errors="replace").replace("\r", "\n").split("\n")
    except OSError:
        return ""
    shown = (re.sub(_CONTROL, "", line).strip() for line in reversed(lines))
    return next((line for line in shown if line), "")
