"""Values: literals against the inputs they arrive at, types across edges, and what a shell would make of it all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from creditml.errors import near_miss
from creditml.expressions import Optional as Block
from creditml.expressions import Reference, parse_command
from creditml.model import LITERAL_TYPES, MODEL_TYPES, ComponentInput, Data, Literal
from creditml.plan import Given

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.findings import Findings
    from creditml.plan import PlannedStep

_HAZARDS = {"": re.compile(r"[\s\"'`$\\|&;<>()*?\[\]{}#~!]"), '"': re.compile(r"[\"`$\\]"), "'": re.compile(r"'")}


class Values:
    """Looks at what inputs are given."""

    def __init__(self, findings: Findings) -> None:
        """Findings go to `findings`."""
        self._findings = findings
        self._hazards: set[tuple[str, ...]] = set()
        self._commands: dict[str, list[tuple[Reference, str]]] = {}

    def step(self, step: PlannedStep) -> None:
        """Literals against the types and limits of the inputs they arrive at, and what a shell would make of them."""
        for name, spec in step.component.inputs.items():
            if name not in step.inputs and required(spec) and not members(name, step.node.inputs):
                message = f"The input '{name}' ({spec.type}) is required, and what it is bound to has no value."
                self._findings.error((*step.origin, "inputs", name), message)
        for name, bound in step.inputs.items():
            if isinstance(bound, Given) and isinstance(bound.value, Literal):
                spec = step.component.inputs[name]
                path = bound.origin or (*step.origin, "inputs", name)
                if spec.type in LITERAL_TYPES:
                    if bound.origin:
                        self.literal(bound.value.value, spec, name, path)
                    self._shell(step, name, bound.value.value, path)
                else:
                    mend = f"write {{type: {spec.type}, path: {bound.value.value}}}"
                    self._findings.error(
                        path,
                        f"The input '{name}' is data ({spec.type}), and '{bound.value.value}' is a literal; {mend}.",
                    )
            elif isinstance(bound, Given) and isinstance(bound.value, Data):
                spec = step.component.inputs[name]
                here = (*step.origin, "inputs", name)
                if bound.value.type == "uri_file":
                    self._shell(step, name, _file_name(bound.value.path), bound.origin or here)
                if bound.origin == here:  # what comes by a binding was looked at with it
                    self.edge(bound.value.type, spec, name, here, "the job")

    def edge(self, kind: str, spec: ComponentInput, name: str, path: tuple[str, ...], origin: str) -> None:
        """What is supplied against what is declared; the supplied type decides how it arrives."""
        if kind == spec.type or "path" in (kind, spec.type):
            return
        if (kind in LITERAL_TYPES) != (spec.type in LITERAL_TYPES):
            self._findings.error(
                path, f"The input '{name}' is {article(spec.type)}, and {origin} gives {article(kind)}."
            )
        elif kind not in LITERAL_TYPES and not (kind in MODEL_TYPES and spec.type == "uri_folder"):
            how = "it arrives as the path of a file" if kind == "uri_file" else "it arrives as a folder"
            self._findings.warn(
                path, f"The input '{name}' is {article(spec.type)}, and {origin} gives {article(kind)}; {how}."
            )

    def literal(
        self, text: str, spec: ComponentInput, name: str, path: tuple[str, ...], *, lenient: bool = False
    ) -> None:
        """A literal against its input. Azure ML looks at the limits of values, not (`lenient`) at those of defaults."""
        if "${{" in text:
            return
        value = number(text, spec.type)
        if spec.type in ("integer", "number") and value is None:
            self._findings.error(path, f"'{text}' is no {spec.type}, as the input '{name}' needs.")
        elif spec.type == "boolean" and text.lower() not in ("true", "false"):
            self._findings.error(
                path, f"'{text}' is neither true nor false, as the input '{name}' needs.", warning=not lenient
            )
        elif spec.enum and text not in spec.enum:
            self._findings.error(
                path,
                f"'{text}' is none of the values that the input '{name}' takes: "
                f"{', '.join(spec.enum)}.{near_miss(text, spec.enum)}",
                warning=True,
            )
        elif value is not None:
            low, high = number(spec.min or "", "number"), number(spec.max or "", "number")
            if (low is not None and value < low) or (high is not None and value > high):
                limits = " and ".join(
                    part
                    for part in (f"at least {spec.min}" if spec.min else "", f"at most {spec.max}" if spec.max else "")
                    if part
                )
                self._findings.error(
                    path, f"'{text}' is out of range: the input '{name}' must be {limits}.", warning=lenient
                )

    def _shell(self, step: PlannedStep, name: str, value: str, path: tuple[str, ...]) -> None:
        if value.isalnum() or "${{" in value:  # of the latter, more was said where it stands
            return
        for reference, quote in self._quoted(step.component.command):
            hazard = _HAZARDS[quote].search(value) or (quote == "" and not value)
            if reference.kind == "inputs" and reference.name == name and hazard and path not in self._hazards:
                self._hazards.add(path)
                what = (
                    f"'{value}' holds a character that bash treats specially"
                    if value
                    else "An empty value leaves no argument"
                )
                mend = (
                    f"quote it in the component's command: '{reference.text}'"
                    if quote != "'"
                    else "use double quotes in the command"
                )
                self._findings.warn(path, f"{what}, and the command puts it in as it is; {mend}.")

    def _quoted(self, command: str) -> list[tuple[Reference, str]]:
        if command not in self._commands:
            self._commands[command] = list(_quoted(command))
        return self._commands[command]


def _file_name(path: str) -> str:
    """The name that a file arrives under."""
    name = path.rstrip("/").rpartition("/")[2]
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    return name


def number(text: str, kind: str) -> float | None:
    """A text as a number of that type, if it is one."""
    if kind not in ("integer", "number"):
        return None
    try:
        return float(text) if kind == "number" else int(float(text))
    except (ValueError, OverflowError):
        return None


def _quoted(command: str) -> Iterator[tuple[Reference, str]]:
    """Each reference of a command with the quotes that it stands in: none, single or double."""
    quote = ""
    for part in parse_command(command):
        for piece in part.parts if isinstance(part, Block) else (part,):
            if isinstance(piece, Reference):
                yield piece, quote
                continue
            escaped = False
            for char in piece:
                if escaped:
                    escaped = False
                elif char == "\\" and quote != "'":
                    escaped = True
                elif char == quote:
                    quote = ""
                elif not quote and char in "\"'":
                    quote = char


def article(kind: str) -> str:
    """A type with its article: `a uri_file`, `an integer`."""
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def required(spec: ComponentInput) -> bool:
    """Whether an input must be given."""
    return not spec.optional and spec.default is None


def members(name: str, given: Mapping[str, object]) -> bool:
    """Whether a parameter group is given by its members, `name.…`."""
    return any(key.startswith(name + ".") for key in given)


def group(name: str, known: Mapping[str, object]) -> bool:
    """Whether `name` is a parameter group, whose members are `name.…`, or a member of a known one."""
    return members(name, known) or name.partition(".")[0] in known
