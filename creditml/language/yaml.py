"""Parses YAML as Azure ML's SDK does (YAML 1.1, one document), and keeps the position of every value.

The parser's events are turned directly into three small classes, so that ten thousand pipeline nodes take half a second
and tens of megabytes; a loader that keeps comments takes twenty seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

import yaml

from creditml.documents import DEEPEST, MOST_VALUES, too_deep, too_many
from creditml.errors import Place, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_LONGEST_NUMBER = 4300  # characters; Python refuses longer integers, and the time for numbers with ':' is quadratic


class Scalar:
    """A scalar: its `value` under YAML 1.1, and its `text` in the file. Lines and columns count from 1."""

    __slots__ = ("column", "line", "text", "value")

    def __init__(self, value: Any, text: str, line: int, column: int) -> None:  # any scalar
        self.value, self.text, self.line, self.column = value, text, line, column


class List:
    """A sequence."""

    __slots__ = ("column", "items", "line")

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line, self.column = line, column


class Map:
    """A mapping: the values by key (`items`), and the line and column of each key (`keys`)."""

    __slots__ = ("column", "items", "keys", "line")

    def __init__(self, line: int, column: int) -> None:
        self.items: dict[str, Node] = {}
        self.keys: dict[str, tuple[int, int]] = {}
        self.line, self.column = line, column

    def put(self, key: str, at: tuple[int, int], node: Node) -> None:
        """Set the value of a key, and the position of the key."""
        self.items[key] = node
        self.keys[key] = at


Node = Union[Scalar, List, Map]


class Document:
    """A parsed file with its warnings, and the values that were set with `--set` or flags.

    A value that was set has no line in the file. Its position is line 0, and its column is the number of the `--set`.

    Args:
        file: The path for messages.
        root: The tree.
        warnings: The problems that YAML tolerates.
    """

    def __init__(self, file: str, root: Node, warnings: list[Problem]) -> None:
        self.file, self.root, self.warnings = file, root, warnings
        self._set: list[str] = []

    def outside(self, origin: str) -> tuple[int, int]:
        """A new position for a value that is not in the file; messages show `origin` as its place."""
        self._set.append(origin)
        return 0, len(self._set)

    def place(self, node: Node) -> Place:
        """The position of a node, for messages."""
        return self._place(node.line, node.column)

    def key_place(self, mapping: Map, key: str) -> Place:
        """The position of a key, or of the mapping if it doesn't have the key."""
        return self._place(*mapping.keys.get(key, (mapping.line, mapping.column)))

    def _place(self, line: int, column: int) -> Place:
        if line == 0 and column > 0:
            return Place(self._set[column - 1], 0, 0)
        return Place(self.file, line, column)


def parse(text: str, file: str) -> Document:
    """Parse one YAML document.

    Raises:
        SpecError: The text is not YAML, has more than one document, has an alias that contains itself, is nested too
            deep, or has too many values (a value that aliases repeat is counted each time).
    """
    builder = _Builder(text, file)
    try:
        root = builder.document()
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(error, text, file)]) from None
    except yaml.YAMLError as error:
        raise SpecError(
            [Problem(f"not readable as YAML: {' '.join(str(error).split())}", "", Place(file, 1, 1))]
        ) from None
    return Document(file, root, builder.warnings)


def scalar(text: str) -> Any:  # any scalar
    """The value of a plain (unquoted) scalar under YAML 1.1.

    >>> scalar("1e-5"), scalar("1.0e-5"), scalar("yes"), scalar("010")
    ('1e-5', 1e-05, True, 8)
    """
    for tag, pattern in [*_RESOLVERS.get(text[:1], ()), *_RESOLVERS.get(None, ())]:
        if pattern.match(text):
            if len(text) > _LONGEST_NUMBER:
                message = f"it has more than {_LONGEST_NUMBER} characters"
                raise ValueError(message)
            return _construct(tag, text)
    return text


def plain(node: Node | None) -> Any:
    """A tree as plain Python values."""
    if node is None:
        return None
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.items.items()}


def from_plain(value: Any, line: int = 1, column: int = 1) -> Node:
    """A tree from plain Python values, in which every node has the same position."""
    if isinstance(value, dict):
        mapping = Map(line, column)
        for key, item in value.items():
            mapping.put(str(key), (line, column), from_plain(item, line, column))
        return mapping
    if isinstance(value, list | tuple):
        sequence = List(line, column)
        sequence.items = [from_plain(item, line, column) for item in value]
        return sequence
    return Scalar(value, "" if value is None else str(value), line, column)


class _Builder:
    """Turns the parser's events into a tree."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.warnings: list[Problem] = []
        self.next = _Loader(text).get_event
        self.anchors: dict[str, tuple[Node, int] | None] = {}  # each with its number of values; None while it is read
        self.count = 0  # the number of values so far
        self.values: dict[str, Any] = {}

    def document(self) -> Node:
        self.next()
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            return Scalar(None, "", 1, 1)
        root = self.node(self.next(), 0)
        self.next()
        extra = self.next()
        if not isinstance(extra, yaml.StreamEndEvent):
            raise yaml.MarkedYAMLError(
                problem="a second document begins here; a spec is one document", problem_mark=extra.start_mark
            )
        return root

    def node(self, event: Any, depth: int) -> Node:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        kind = type(event)
        before = self.count
        self.count += 1
        if self.count > MOST_VALUES:
            raise yaml.MarkedYAMLError(problem=too_many(), problem_mark=mark)
        if kind is yaml.ScalarEvent:
            return self.anchored(event, Scalar(self.value(event), event.value, line, column), before)
        if kind is yaml.AliasEvent:
            return self.alias(event)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=too_deep(), problem_mark=mark)
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise yaml.MarkedYAMLError(problem=f"the tag {event.tag} is not supported", problem_mark=mark)
        if event.anchor:
            self.anchors[event.anchor] = None
        if kind is yaml.SequenceStartEvent:
            sequence = List(line, column)
            while type(item := self.next()) is not yaml.SequenceEndEvent:
                sequence.items.append(self.node(item, depth + 1))
            return self.anchored(event, sequence, before)
        return self.anchored(event, self.mapping(Map(line, column), depth), before)

    def mapping(self, mapping: Map, depth: int) -> Map:
        merged: list[tuple[Any, Node]] = []
        while type(event := self.next()) is not yaml.MappingEndEvent:
            key = self.node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise yaml.MarkedYAMLError(problem="a key can't be a list or mapping", problem_mark=event.start_mark)
            value_event = self.next()
            value = self.node(value_event, depth + 1)
            if type(value) is not Scalar and value.line != key.line and type(value_event) is not yaml.AliasEvent:
                value.line, value.column = key.line, key.column  # the position of a block is that of its key
            if key.text == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
                merged.append((event, value))
                continue
            if key.text in mapping.items:
                message = f"'{key.text}' is given twice; the second one counts."
                self.warnings.append(Problem(message, "", Place(self.file, key.line, key.column), warning=True))
            mapping.put(key.text, (key.line, key.column), value)
        for event, value in reversed(merged):
            self.merge(mapping, value, event)
        return mapping

    def merge(self, mapping: Map, value: Node, event: Any) -> None:
        sources = value.items if isinstance(value, List) else [value]
        for source in sources:
            if not isinstance(source, Map):
                raise yaml.MarkedYAMLError(
                    problem="'<<' merges mappings, and this is not a mapping", problem_mark=event.start_mark
                )
            for key, item in source.items.items():
                if key not in mapping.items:
                    mapping.put(key, source.keys[key], item)

    def anchored(self, event: Any, node: Node, before: int) -> Node:
        if event.anchor:
            self.anchors[event.anchor] = node, self.count - before
        return node

    def alias(self, event: Any) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            trouble = "contains itself" if event.anchor in self.anchors else "has no anchor before it"
            raise yaml.MarkedYAMLError(problem=f"the alias *{event.anchor} {trouble}", problem_mark=event.start_mark)
        node, values = known
        self.count += values - 1
        if self.count > MOST_VALUES:
            problem = f"{too_many()}, counting those that aliases repeat"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return node

    def value(self, event: Any) -> Any:  # any scalar
        text, tag = event.value, event.tag
        if tag and tag != "!":
            return _resolved(event, lambda: _tagged(tag, text))
        if not event.implicit[0] or text == "<<":
            return text
        if text not in self.values:
            self.values[text] = _resolved(event, lambda: scalar(text))
        return self.values[text]


def _resolved(event: Any, value: Callable[[], Any]) -> Any:  # any scalar
    """A scalar's value; an error in computing it is reported at the scalar's position."""
    try:
        return value()
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError) as error:
        reason = getattr(error, "problem", None) or error
        raise yaml.MarkedYAMLError(
            problem=f"'{event.value[:80]}' is not a valid value: {reason}", problem_mark=event.start_mark
        ) from None


def _tagged(tag: str, text: str) -> Any:  # any scalar
    if not tag.startswith("tag:yaml.org,2002:"):
        message = f"the tag {tag} is not supported"
        raise ValueError(message)
    return _construct(tag, text)


def _construct(tag: str, text: str) -> Any:  # any scalar
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_object(yaml.ScalarNode(tag, text), deep=True)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    at_tab = mark is not None and mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    problem = error.problem or "not readable as YAML"
    if at_tab:
        problem = "a tab can't indent YAML; use spaces"
    elif "mapping values are not allowed" in problem:
        problem += " (put a value that contains ': ' in quotes, or correct the indentation)"
    elif error.context:
        problem = f"{error.context}, {problem}"
    return Problem(f"YAML: {problem}.", "", place)
