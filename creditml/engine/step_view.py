"""What a step sees of Azure ML: the layout of its folders, as on Azure ML's compute, and its command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.expressions import Reference, parse_command, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.plan import PlannedStep

WORKING_FOLDER = "exe/wd"
DATA_FOLDER = "cap/data-capability/wd"
LAYER = "env"
"""The folder in a root for the step's own layer over its environment, which it shares with other steps."""
INPUT_PREFIX = "INPUT_"
"""What the names of inputs in the data folder begin with."""


class Values(NamedTuple):
    """A step's inputs and outputs as texts: literals, and paths as the step sees them."""

    literals: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def command_line(step: PlannedStep, values: Values) -> str:
    """The command with its placeholders replaced, for bash. Nothing is quoted, as in Azure ML."""

    def value(reference: Reference) -> str | None:
        if reference.kind == "outputs":
            return values.outputs.get(reference.name)
        return values.literals.get(reference.name, values.inputs.get(reference.name))

    return render(parse_command(step.component.command), value)
