"""Parses Azure ML's `${{ … }}` expressions and `$[[ … ]]` optional blocks, without giving them a meaning.

The grammar (Azure ML docs: 'Core YAML syntax', 'Expressions'; blanks are allowed inside the braces, as in the SDK's
pattern):

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
    """One `${{ … }}` expression.

    Attributes:
        text: The expression with its braces.
        kind: `inputs`, `outputs`, `search_space` or a placeholder of output paths (`name`, `output_name`,
            `default_datastore`); empty if Azure ML does not know the expression.
        name: The name of the input or output. It may contain dots (parameter groups).
        job: The node in `parent.jobs.<job>.…`; empty in other expressions.
        parent: Whether the expression begins with `parent.`.
    """

    text: str
    kind: str = ""
    name: str = ""
    job: str = ""
    parent: bool = False


class Optional(NamedTuple):
    """A `$[[ … ]]` block, without its brackets."""

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
    """Split a command into literal parts, references and optional blocks."""
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
    """Texts that look like an expression but don't parse as one, such as `${{inputs x}}`; they stay unchanged."""
    if "${{" not in text:
        return
    for part in parse(text):
        if isinstance(part, str):
            yield from _LEFTOVER.findall(part)


def single(text: str) -> Reference | None:
    """The reference if the whole text is one reference (a binding), else None."""
    parts = parse(text.strip())
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def render(template: Template, value: Callable[[Reference], str | None]) -> str:
    """Put values in place of references. As on Azure ML, no quotes are added.

    Args:
        template: What `parse_command` or `parse` returned.
        value: Returns the text for a reference, or None if the reference has no value. An optional block that contains
            a reference without a value is left out; elsewhere such a reference becomes the empty text.
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
    """An output's path with the values of `${{name}}`, `${{output_name}}` and `${{default_datastore}}`."""

    def value(reference: Reference) -> str | None:
        return {"name": run_id, "output_name": output, "default_datastore": datastore}.get(reference.kind)

    return render(parse(path), value)
