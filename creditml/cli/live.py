"""Shows a running job: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from creditml.cli.guarded import unguarded
from creditml.secrets import disarmed, without_escapes
from creditml.statuses import CANCEL_REQUESTED, CANCELED, COMPLETED, FAILED, NOT_STARTED, RUNNING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from creditml.seams.executor import StepState, Watched

_COLOURS = {COMPLETED: "green", FAILED: "bold red", CANCELED: "yellow", RUNNING: "cyan", NOT_STARTED: "dim"}
_MARKS = {COMPLETED: "✓", FAILED: "✗", CANCELED: "■", RUNNING: "●", NOT_STARTED: "·"}
_TAIL_BYTES = 2048
_IDLE = 3600.0
_COLUMNS = (("", ""), ("step", ""), ("after", "dim"), ("state", ""), ("time", ""), ("last line", "dim"))
_AFTER, _LAST_LINE = 2, 5
_LEAST = {_AFTER: 48, _LAST_LINE: 60}  # the smallest width of a terminal, in characters, that shows the column
_FIXED_WIDTH = 1 + 14 + 7 + 6  # mark, state, time and the gaps between columns


class View(Protocol):
    """Shows the job of a runner; `refresh` has to be called every `period` seconds."""

    period: float

    def __enter__(self) -> Self:
        """Start to show the job."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave the last state on the screen."""
        ...

    def refresh(self) -> None:
        """Show the current state."""
        ...


def view_of(runner: Watched) -> View:
    """The view for stdout: a live table if it is a terminal, else plain lines."""
    if sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        return LiveTable(runner)
    return PlainLines(runner)


def seconds(state: StepState) -> float | None:
    """The seconds that a step has taken so far, or took in total; None if it has not started."""
    if state.started_at is None:
        return None
    return ((state.ended_at or time.time_ns() // 1_000_000) - state.started_at) / 1000


def duration(value: float | None) -> str:
    """A duration in seconds as a short text: `0.4s`, `12.3s`, `2m05s`, `1h02m`; empty for None."""
    if value is None:
        return ""
    if value < 60:  # noqa: PLR2004  a minute
        return f"{value:.1f}s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


class PlainLines:
    """Prints a line for each change of a status, with the time since the start."""

    period = _IDLE

    def __init__(self, runner: Watched) -> None:
        self._runner, self._seen, self._start = runner, dict[str, str](), time.monotonic()
        self._canceling = False

    def __enter__(self) -> Self:
        """Print the job's name and the number of its steps."""
        record = self._runner.record
        count = len(self._runner.plan.steps)
        print(
            f"{record.name}: {count} step{'s' if count != 1 else ''}, experiment {record.experiment_name}", flush=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: all lines are printed."""

    def refresh(self) -> None:
        """Print a line for each change since the last call."""
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
    """A table of the steps in the order of the graph, each with its state, its time and the last line of its log."""

    period = 0.2

    def __init__(self, runner: Watched) -> None:
        from rich.console import Console
        from rich.live import Live

        self._runner = runner
        self._live: Any = Live(
            console=Console(file=unguarded()), auto_refresh=False, transient=False, vertical_overflow="ellipsis"
        )

    def __enter__(self) -> Self:
        """Draw the table below the cursor."""
        self._live.__enter__()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave the last state on the screen."""
        self._live.__exit__(kind, error, trace)

    def refresh(self) -> None:
        """Draw the table again."""
        for line in self._runner.messages():
            self._live.console.print(disarmed(line), style="dim", markup=False, highlight=False)
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        runner = self._runner
        table = Table(
            box=None,
            pad_edge=False,
            title=f"{runner.record.name}  {runner.status}"
            + (f": {disarmed(runner.last_words)}" if runner.status == CANCEL_REQUESTED else ""),
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
        """The paths of all steps if the terminal has room, else running and failed steps first, then the next ones."""
        room = max(3, self._live.console.size.height - 5)
        states = self._runner.states
        if len(states) <= room:
            return list(states)
        rank = {RUNNING: 0, FAILED: 1, CANCELED: 1, NOT_STARTED: 2, COMPLETED: 3}
        chosen = sorted(states, key=lambda path: rank.get(states[path].status, 2))[:room]
        keep = set(chosen)
        return [path for path in states if path in keep]


def _cut(text: str, width: int) -> Any:
    """A text, cut to a width in characters."""
    from rich.text import Text

    shown = Text(disarmed(text))
    shown.truncate(width, overflow="ellipsis")
    return shown


def last_line(log: str) -> str:
    """The last line of a log that is not empty, without control characters."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
            lines = stream.read().decode(errors="replace").replace("\r", "\n").split("\n")
    except OSError:
        return ""
    shown = (without_escapes(line).strip() for line in reversed(lines))
    return next((line for line in shown if line), "")
