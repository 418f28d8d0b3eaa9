"""Checks values: literals against the inputs that get them, types across bindings, and characters special to bash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from creditml.errors import near_miss
from creditml.expressions import Optional as Block
from creditml.expressions import Reference, parse_command, single
from creditml.model import LITERAL_TYPES, MODEL_TYPES, ComponentInput, Data
from creditml.plan import SETTINGS, UNTOLD, VARIABLES, Given

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from creditml.findings import Findings
    from creditml.model import JobInput
    from creditml.plan import PlannedStep

_HAZARDS = {"": re.compile(r"[\s\"'`$\\|&;<>()*?\[\]{}#~!]"), '"': re.compile(r"[\"`$\\]"), "'": re.compile(r"'")}


class Values:
    """Checks the values of inputs and adds problems to `findings`."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._hazards: set[tuple[str, ...]] = set()
        self._commands: dict[str, list[tuple[Reference, str]]] = {}

    def step(self, step: PlannedStep, *, drafted: bool = False) -> None:
        """Check the values of a step against the types and limits of its inputs, and for characters special to bash.

        Args:
            step: The step.
            drafted: Whether the job has errors, and the step is from a draft.
        """
        for name, spec in step.component.inputs.items():
            value = step.node.inputs.get(name)
            if value is not None and name not in step.inputs and required(spec) and not (drafted and _of_parent(value)):
                message = (
                    f"The input '{name}' ({spec.type}) is required, but the input that it is bound to has no value."
                )
                self._findings.error((*step.origin, "inputs", name), message)
        for name, bound in step.inputs.items():
            if isinstance(bound, Given) and bound is not UNTOLD:
                self._given(step, name, bound)

    def settings(self, step: PlannedStep) -> None:
        """Check that the settings of a step have values for all their bindings."""
        for field in SETTINGS:
            value = getattr(step.node, field)
            if value and isinstance(value, str):
                what = f"{value} has no value" if "${{" in value else f"'{value}' is not a JSON object"
                mend = 'bind it to a string input with a value such as \'{"NAME": "value"}\''
                self._findings.error((*step.origin, field), f"{what}, so '{field}' can't be set; {mend}.")
            elif value and "${{" in str(value):
                self._unsettled(value, (*step.origin, field))

    def _unsettled(self, values: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for key, value in values.items():
            if "${{" in str(value) and path[-1] == VARIABLES:
                message = f"{value} is not bound to a literal input of the pipeline, so the step sees it unchanged."
                self._findings.warn((*path, key), message)
            elif "${{" in str(value):
                message = (
                    f"'{key}' can't be set: {value} has no value before the step starts; bind it to a literal input."
                )
                self._findings.error((*path, key), message)

    def _given(self, step: PlannedStep, name: str, given: Given) -> None:
        spec, value, here = step.component.inputs[name], given.value, (*step.origin, "inputs", name)
        path = given.origin or here
        if isinstance(value, Data):
            if value.type == "uri_file":
                self._shell(step, name, _file_name(value.path), path)
            if given.origin == here:  # other values were checked where they are bound
                self.edge(value.type, spec, name, here, "the job")
        elif spec.type in LITERAL_TYPES:
            if given.origin:
                self.literal(value.value, spec, name, path)
            elif self._findings.unread(*here):
                return  # its value is not the default, but could not be read
            self._shell(step, name, value.value, path)
        else:
            mend = f"write {{type: {spec.type}, path: {value.value}}}"
            message = f"The input '{name}' is data ({spec.type}), but '{value.value}' is a literal; {mend}."
            self._findings.error(path, message)

    def edge(self, kind: str, spec: ComponentInput, name: str, path: tuple[str, ...], origin: str) -> None:
        """Check the supplied type (`kind`) against the declared type. The step gets data of the supplied type."""
        if kind == spec.type or "path" in (kind, spec.type):
            return
        if (kind in LITERAL_TYPES) != (spec.type in LITERAL_TYPES):
            self._findings.error(
                path, f"The input '{name}' is {article(spec.type)}, but {origin} gives {article(kind)}."
            )
        elif kind not in LITERAL_TYPES and not (kind in MODEL_TYPES and spec.type == "uri_folder"):
            how = "the step gets the path of a file" if kind == "uri_file" else "the step gets a folder"
            self._findings.warn(
                path, f"The input '{name}' is {article(spec.type)}, but {origin} gives {article(kind)}; {how}."
            )

    def literal(
        self, text: str, spec: ComponentInput, name: str, path: tuple[str, ...], *, lenient: bool = False
    ) -> None:
        """Check a literal against its input. `lenient` is for defaults, whose limits Azure ML doesn't check."""
        if "${{" in text:
            return
        value = number(text, spec.type)
        if spec.type in ("integer", "number") and value is None:
            self._findings.error(path, f"'{text}' is not {article(spec.type)}, which the input '{name}' requires.")
        elif spec.type == "boolean" and text.lower() not in ("true", "false"):
            self._findings.error(
                path, f"'{text}' is not true or false, which the input '{name}' requires.", warning=not lenient
            )
        elif spec.enum and text not in spec.enum:
            self._findings.error(
                path,
                f"'{text}' is not one of the values that the input '{name}' allows: "
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
        if value.isalnum() or "${{" in value:  # expressions in values are reported at the value
            return
        for reference, quote in self._quoted(step.component.command):
            hazard = _HAZARDS[quote].search(value) or (quote == "" and not value)
            if reference.kind == "inputs" and reference.name == name and hazard and path not in self._hazards:
                self._hazards.add(path)
                what = (
                    f"'{value}' contains a character that is special to bash"
                    if value
                    else "An empty value leaves out the argument"
                )
                mend = (
                    f"quote it in the component's command: '{reference.text}'"
                    if quote != "'"
                    else "use double quotes in the command"
                )
                self._findings.warn(path, f"{what}, and the command inserts it unchanged; {mend}.")

    def _quoted(self, command: str) -> list[tuple[Reference, str]]:
        if command not in self._commands:
            self._commands[command] = list(_quoted(command))
        return self._commands[command]


def _of_parent(value: JobInput) -> bool:
    """Whether an input is bound to one of the pipeline's; the graph's check compares these two."""
    reference = single(value.path if isinstance(value, Data) else value.value)
    return reference is not None and reference.parent and not reference.job


def _file_name(path: str) -> str:
    """The file name that a step sees for a path or URL."""
    name = path.rstrip("/").rpartition("/")[2]
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    return name


def number(text: str, kind: str) -> float | None:
    """A text as a number of type `kind` (`integer` or `number`); None if it isn't one."""
    if kind not in ("integer", "number"):
        return None
    try:
        return float(text) if kind == "number" else int(float(text))
    except (ValueError, OverflowError):
        return None


def _quoted(command: str) -> Iterator[tuple[Reference, str]]:
    """Each reference in a command, with the quotation mark around it; empty outside quotes."""
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
    """Whether `given` has members of the parameter group `name`: `name.…`."""
    return any(key.startswith(name + ".") for key in given)


def group(name: str, known: Mapping[str, object]) -> bool:
    """Whether `name` is a parameter group with members (`name.…`) in `known`, or a member of a group in `known`."""
    return members(name, known) or name.partition(".")[0] in known
