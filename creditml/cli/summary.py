"""Prints the summary of a job that has ended: states, times, metrics, models, and the paths of logs and outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from creditml.cli.live import duration, seconds
from creditml.references import reference
from creditml.statuses import CANCELED, FAILED
from creditml.workspace import UI_PORT
from creditml.workspace.records import PAGE, now

if TYPE_CHECKING:
    from creditml.seams.executor import Watched
    from creditml.workspace import Workspace

_MOST_METRICS = 12
_MOST_STEPS = 40


def print_summary(workspace: Workspace, runner: Watched) -> None:
    """Print the summary on stdout, and warnings and errors on stderr."""
    record = workspace.jobs.get(runner.record.name)
    took = ((record.ended_at or now()) - (record.started_at or record.created_at)) / 1000
    print(f"\n{record.name}: {record.status} in {duration(took)}")
    _steps(runner)
    if runner.measured:
        _metrics(workspace, record.root)
    for model in record.results.get("models", ()):
        print(f"  model    {model['name']}:{model['version']}  ({reference(model['name'], model['version'])})")
    for name, place in record.results.get("outputs", {}).items():
        print(f"  output   {name}: {_near(place)}")
    print(f"  logs     {_near(str(workspace.jobs.folder(record)))}")
    if PAGE in record.properties:
        print(f"  Studio   {record.properties[PAGE]}")
    else:
        print(f"  MLflow   creditml ui{'' if UI_PORT == 5000 else f' -p {UI_PORT}'}")  # noqa: PLR2004  MLflow's own default
    for warning in runner.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _failures(runner)


def _steps(runner: Watched) -> None:
    states = list(runner.states.values())
    if len(states) > _MOST_STEPS:
        counts: dict[str, int] = {}
        for state in states:
            counts[state.status] = counts.get(state.status, 0) + 1
        print("  steps    " + ", ".join(f"{count} {status}" for status, count in counts.items()))
        return
    width = max(len(state.path) for state in states)
    for state in states:
        if state.path:
            print(f"  {state.path:<{width}}  {state.status:<10}  {duration(seconds(state)):>7}")


def _metrics(workspace: Workspace, root: str) -> None:
    records = [workspace.jobs.get(root), *workspace.jobs.steps(root)]
    for record in records:
        metrics = record.results.get("metrics", {})
        shown = list(metrics.items())[:_MOST_METRICS]
        if shown:
            more = f", and {len(metrics) - len(shown)} more" if len(metrics) > len(shown) else ""
            where = f"{record.path}: " if record.path else ""
            print(f"  metrics  {where}" + ", ".join(f"{name}={value:.6g}" for name, value in shown) + more)


def _failures(runner: Watched) -> None:
    if runner.reason:
        print(f"\n{runner.record.name} failed: {runner.reason}", file=sys.stderr)
    for state in runner.states.values():
        # a step that was canceled with its job needs no reason, but one that exceeded its timeout does
        if state.status == FAILED or (state.status == CANCELED and "limits.timeout" in state.error):
            how = "failed" if state.status == FAILED else "was canceled"
            print(
                f"\n{state.path or runner.record.name} {how}: {state.error}\n  log: {_near(state.log)}",
                file=sys.stderr,
            )


def _near(path: str) -> str:
    """A path, relative to the current folder if it is inside that folder."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path
