"""Checks the expressions in commands against the inputs and outputs that their component declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.check.values import group
from creditml.errors import near_miss
from creditml.expressions import Optional as Block
from creditml.expressions import Reference, leftovers, parse_command

if TYPE_CHECKING:
    from creditml.findings import Findings
    from creditml.model import Command

BASH_FAILS = "bash fails on it outside single quotes ('bad substitution')"


def in_command(findings: Findings, component: Command, path: tuple[str, ...]) -> None:
    """Check every expression in a component's command; `path` is the key path of the component."""
    at = (*path, "command")
    for part in parse_command(component.command):
        for piece in part.parts if isinstance(part, Block) else (part,):
            if isinstance(piece, Reference):
                _reference(findings, piece, component, at, optional=isinstance(part, Block))
                continue
            for rest in leftovers(piece):
                what = f"Azure ML does not replace {rest}, so it stays unchanged"
                mend = "Write ${{inputs.<name>}} or ${{outputs.<name>}}, without blanks in the name."
                findings.warn(at, f"{what}, and {BASH_FAILS}. {mend}")


def _reference(
    findings: Findings, reference: Reference, component: Command, path: tuple[str, ...], *, optional: bool
) -> None:
    known = component.inputs if reference.kind == "inputs" else component.outputs
    spec = component.inputs.get(reference.name)  # none for a member of a parameter group
    if reference.parent or reference.kind not in ("inputs", "outputs"):
        findings.error(
            path,
            f"{reference.text} can't be used in a command; write ${{{{inputs.<name>}}}} or ${{{{outputs.<name>}}}}.",
        )
    elif findings.unread(*path[:-1], reference.kind, reference.name) and reference.name not in known:
        return
    elif reference.name not in known and not group(reference.name, known):
        what = reference.kind[:-1]
        hint = near_miss(reference.name, known) or f" It declares: {', '.join(known) or 'none'}."
        message = f"The command uses {reference.text}, but its component declares no {what} '{reference.name}'.{hint}"
        findings.error(path, message)
    elif optional and reference.kind == "inputs":
        if spec and not spec.optional:
            findings.warn(
                path,
                f"{reference.text} is in an optional block $[[ ]], but the input '{reference.name}' is not optional.",
            )
    elif reference.kind == "inputs" and spec and spec.optional:
        without = "; without a value it becomes the empty text here" if spec.default is None else ""
        message = f"'{reference.name}' is optional, and Azure ML refuses {reference.text} outside an optional block"
        findings.warn(path, f"{message}{without}. Write $[[… {reference.text}]].", refused=True)
