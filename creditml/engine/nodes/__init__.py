"""How a step of each type of node is run: the table of the types of which the plan can't make commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.engine.nodes.command import CommandRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.engine.context import Context
    from creditml.engine.run import Run
    from creditml.plan import PlannedStep

RUNS: dict[str, Callable[[Context, PlannedStep], Run]] = {}
"""Makes the run of a step, by the type of its node. The plan makes commands of all types that aren't here."""


def new_run(context: Context, step: PlannedStep) -> Run:
    """The run of a step, which has not begun."""
    return RUNS.get(step.node.type, CommandRun)(context, step)
