"""Azure ML's `${{ … }}` expressions and `$[[ … ]]` optional blocks: how they are parsed, not what they mean.

The grammar (Azure ML docs: 'Core YAML syntax', 'Expressions'; blanks inside the braces as the SDK's own pattern takes
them):

    ${{inputs.x}}  ${{outputs.x}}  ${{search_space.x}}              in a component's command
    ${{parent.inputs.x}}  ${{parent.outputs.x}}                     in a node's inputs and outputs
    ${{parent.jobs.step.inputs.x}}  ${{parent.jobs.step.outputs.x}}
    ${{name}}  ${{output_name}}  ${{default_datastore}}             in an output's path
    $[[--flag ${{inputs.x}}]]                                       kept only if every input inside has a value
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EXPRESSION = re.compile(r"\$\{\{\s*(\S*?)\s*\}\}")
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_LEFTOVER = re.compile(r"\$\{\{.*?(?:\}\}|$)", re.MULTILINE)
_PLACEHOLDERS = ("name", "output_name", "default_datastore")


class Reference(NamedTuple):
    """What stands between the braces.

    `kind` is inputs, outputs, search_space, one of the placeholders of output paths, or empty if the expression is
    none that Azure ML knows. `parent` tells the two contexts apart; `job` is set for `parent.jobs.<job>.…` alone.
    A `name` may hold dots (parameter groups).
    """

    text: str
    kind: str = ""
    name: str = ""
    job: str = ""
    parent: bool = False


class Optional(NamedTuple):
    """A `$[[ … ]]` block, brackets stripped."""

    parts: tuple[Part, ...]


Part = Union[str, Reference]
Template = tuple[Union[str, Reference, Optional], ...]


def parse(text: str) -> tuple[Part, ...]:
    """Split a text into its literal parts and its references."""
    if "${{" not in text:
        return (text,) if text else ()
    parts: list[Part] = []
    at = 0
    for match in _EXPRESSION.finditer(text):
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(_reference(match.group(), match.group(1)))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def parse_command(text: str) -> Template:
    """Split a command as `parse` does, its optional blocks told apart."""
    parts: list[str | Reference | Optional] = []
    at = 0
    for match in _OPTIONAL.finditer(text):
        parts += parse(text[at : match.start()])
        parts.append(Optional(parse(match.group(1))))
        at = match.end()
    return (*parts, *parse(text[at:]))


def references(text: str) -> Iterator[Reference]:
    """Every reference in a text, inside optional blocks too."""
    return (part for part in parse(text) if isinstance(part, Reference))


def leftovers(text: str) -> Iterator[str]:
    """What looks like a reference and is none, so that it stays as it is: `${{inputs x}}`."""
    if "${{" not in text:
        return
    for part in parse(text):
        if isinstance(part, str):
            yield from _LEFTOVER.findall(part)


def single(text: str) -> Reference | None:
    """The reference, if the whole text is one (a binding) and nothing else."""
    parts = parse(text.strip())
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def render(template: Template, value: Callable[[Reference], str | None]) -> str:
    """Put values in place of references; no quoting is added, as on Azure ML.

    Args:
        template: what `parse_command` or `parse` returned.
        value: gives a reference's text, or None if it has none: an optional block with such a reference vanishes,
            elsewhere nothing is put in its place.
    """
    pieces: list[str] = []
    for part in template:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Reference):
            pieces.append(value(part) or "")
        else:
            inside = [p if isinstance(p, str) else value(p) for p in part.parts]
            if None not in inside:
                pieces.append("".join(p for p in inside if p is not None))
    return "".join(pieces)


def _reference(text: str, inner: str) -> Reference:
    parts = inner.split(".")
    match parts:
        case ["parent", "jobs", job, ("inputs" | "outputs") as kind, *name] if job and all(name) and name:
            return Reference(text, kind, ".".join(name), job, parent=True)
        case ["parent", ("inputs" | "outputs") as kind, *name] if all(name) and name:
            return Reference(text, kind, ".".join(name), parent=True)
        case [("inputs" | "outputs" | "search_space") as kind, *name] if all(name) and name:
            return Reference(text, kind, ".".join(name))
        case [word] if word in _PLACEHOLDERS:
            return Reference(text, word)
    return Reference(text)


def placeholders(path: str, run_id: str, output: str, datastore: str) -> str:
    """An output's path with `${{name}}`, `${{output_name}}` and `${{default_datastore}}` put in."""

    def value(reference: Reference) -> str | None:
        return {"name": run_id, "output_name": output, "default_datastore": datastore}.get(reference.kind)

    return render(parse(path), value)
