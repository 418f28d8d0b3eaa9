"""Reads the mappings of a spec by tables of keys, and notes every problem with its position.

A table gives each key a *kind*: a function that reads its value, and that notes a problem and returns `INVALID` if the
value is wrong. Keys, types and the treatment of nulls are those of the SDK's marshmallow schemas (azure-ai-ml 1.35).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import Problem, near_miss
from creditml.language.yaml import Document, List, Map, Node, Scalar, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from creditml.errors import Place

_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TRUE = {form for word in ("true", "t", "yes", "y", "on", "1") for form in (word, word.capitalize(), word.upper())}
_FALSE = {form for word in ("false", "f", "no", "n", "off", "0") for form in (word, word.capitalize(), word.upper())}


class Invalid:
    """The type of `INVALID`, which a kind returns after noting a problem."""


INVALID = Invalid()


class Context:
    """A document that is being read.

    Args:
        document: The document.
        folder: The folder that its relative paths start from.
        problems: The list to which problems are added.
        paths: A cache of which paths exist, shared by all documents of a job.
    """

    def __init__(
        self, document: Document, folder: Path, problems: list[Problem], paths: dict[str, bool] | None = None
    ) -> None:
        self.document, self.folder, self.problems = document, folder, problems
        self.paths: dict[str, bool] = {} if paths is None else paths

    def error(self, at: Node | Place, message: str) -> Invalid:
        """Note an error, and return `INVALID` for the kind to return."""
        self.problems.append(Problem(message, "", self._place(at)))
        return INVALID

    def warn(self, at: Node | Place, message: str, *, refused: bool = False) -> None:
        """Note a warning; `refused` marks what Azure ML refuses although it runs on this machine."""
        self.problems.append(Problem(message, "", self._place(at), warning=True, refused=refused))

    def exists(self, path: str) -> bool:
        """Whether a path exists; each path is looked up once."""
        if path not in self.paths:
            self.paths[path] = os.path.exists(path)
        return self.paths[path]

    def local(self, text: str) -> str:
        """The absolute path of a local path in the document."""
        return os.path.normpath(os.path.join(self.folder, text.removeprefix("file:")))

    def _place(self, at: Node | Place) -> Place:
        return self.document.place(at) if isinstance(at, Scalar | Map | List) else at


class Table(NamedTuple):
    """The keys of a mapping.

    Attributes:
        what: The name of the mapping in messages, such as `a pipeline job`.
        kinds: The kind of each key.
        required: Keys that must be given.
        nullable: Keys whose value may be null.
        ignored: Keys that are accepted and dropped, since the service sets them.
        unknown: What an unknown key is: an `error`, a reason to `warn`, or to `keep` under the key `others`.
    """

    what: str
    kinds: Mapping[str, Callable[[Context, Node], Any]]
    required: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    unknown: str = "error"

    def read(self, context: Context, node: Node) -> dict[str, Any]:
        """Read a mapping, and return the valid values by key; all problems are noted."""
        if not isinstance(node, Map):
            context.error(node, f"{self.what.capitalize()} must be a mapping of keys to values, not {describe(node)}.")
            return {}
        values: dict[str, Any] = {}
        kinds = self.kinds
        for key, child in node.items.items():
            kind = kinds.get(key)
            if kind is None:
                self._unknown(context, node, key, values)
            elif type(child) is Scalar and child.value is None and key not in self.nullable:
                context.error(
                    context.document.key_place(node, key), f"'{key}' has no value; add a value or remove the key."
                )
            else:
                value = kind(context, child)
                if value is not INVALID:
                    values[key] = value
        for key in self.required:
            if key not in node.items:
                context.error(node, f"{self.what.capitalize()} needs the key '{key}'.")
        return values

    def extended(self, what: str, kinds: Mapping[str, Callable[[Context, Node], Any]]) -> Table:
        """A copy of the table with more keys and another name."""
        return self._replace(what=what, kinds={**self.kinds, **kinds})

    def nested(self, context: Context, node: Node) -> Any:  # dict or INVALID
        """Read the mapping as the value of a key: the table as a kind. Returns a dictionary or `INVALID`."""
        if isinstance(node, Map):
            return self.read(context, node)
        return context.error(node, f"{self.what.capitalize()} must be a mapping, not {describe(node)}.")

    def _unknown(self, context: Context, node: Map, key: str, values: dict[str, Any]) -> None:
        if key in self.ignored or key == "$schema":
            return
        place = context.document.key_place(node, key)
        if self.unknown == "keep":
            values.setdefault("others", {})[key] = anything(context, node.items[key])
            return
        hint = near_miss(key, (k for k in self.kinds if k not in node.items))
        message = f"Unknown key '{key}' in {self.what}.{hint}"
        if self.unknown == "warn":
            context.warn(place, f"{message} Azure ML ignores it.")
        else:
            context.error(place, message + ("" if hint else f" Known keys: {', '.join(sorted(self.kinds))}."))


def missing(what: str, path: str, local: str) -> str:
    """A message that a local path doesn't exist, with a hint if its form suggests a reason.

    Args:
        what: What the path should lead to, such as `conda file`.
        path: The path in the spec.
        local: The absolute path that was looked for.
    """
    hint = " Write it with '/'." if "\\" in path else " Azure ML does not expand '~'." if path.startswith("~") else ""
    looked = "" if path == local else f" (looked for {local})"
    return f"The {what} {path} does not exist{looked}.{hint}"


def describe(node: Node) -> str:
    """Words for a value in messages, such as `a list` or `the string 'x'`."""
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, List):
        return "a list"
    if node.value is None:
        return "an empty value"
    kind = {bool: "the boolean", int: "the integer", float: "the number", str: "the string"}.get(
        type(node.value), "the date"
    )
    return f"{kind} {node.text!r}" if isinstance(node.value, str) else f"{kind} {node.text}"


def text(context: Context, node: Node) -> Any:  # str or INVALID
    """A string; numbers and booleans are errors."""
    if type(node) is Scalar and type(node.value) is str:
        if "\0" in node.value:
            return context.error(node, "A string can't contain a zero character.")
        return node.value
    mend = f" Write it in quotes: '{node.text}'." if isinstance(node, Scalar) else ""
    return context.error(node, f"A string is needed here, not {describe(node)}.{mend}")


def version(context: Context, node: Node) -> Any:  # str or INVALID
    """A version, which may be written as a string or number; returned as a string."""
    if isinstance(node, Scalar) and isinstance(node.value, str | int | float):
        return str(node.value)
    return context.error(node, f"A version is needed here, not {describe(node)}.")


def loose(_context: Context, node: Node) -> Any:  # str or INVALID
    """Any scalar as a string; other values are ignored without a problem."""
    return str(node.value) if isinstance(node, Scalar) and node.value is not None else INVALID


def flag(context: Context, node: Node) -> Any:  # bool or INVALID
    """A boolean, in one of the spellings that marshmallow accepts."""
    if isinstance(node, Scalar):
        word = str(node.value)
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    return context.error(node, f"true or false is needed here, not {describe(node)}.")


def integer(context: Context, node: Node) -> Any:  # int or INVALID
    """An integer, or a number or string that `int` converts to one."""
    if isinstance(node, Scalar) and isinstance(node.value, int | float | str) and not isinstance(node.value, bool):
        try:
            return int(node.value)
        except (ValueError, OverflowError):
            pass
    return context.error(node, f"An integer is needed here, not {describe(node)}.")


def anything(_context: Context, node: Node) -> Any:  # any JSON value
    """Any value; types that JSON doesn't have, such as dates, become strings."""
    return _json(plain(node))


def any_map(context: Context, node: Node) -> Any:  # dict or INVALID
    """A mapping with any values."""
    if isinstance(node, Map):
        return anything(context, node)
    return context.error(node, f"A mapping is needed here, not {describe(node)}.")


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def text_map(context: Context, node: Node) -> Any:  # dict or INVALID
    """A mapping of strings to strings; null values are dropped."""
    if not isinstance(node, Map):
        return context.error(node, f"A mapping of names to strings is needed here, not {describe(node)}.")
    pairs = {
        key: text(context, child)
        for key, child in node.items.items()
        if not (isinstance(child, Scalar) and child.value is None)
    }
    return {key: value for key, value in pairs.items() if value is not INVALID}


def loose_text_map(context: Context, node: Node) -> Any:  # dict or INVALID
    """A mapping whose values are converted to strings."""
    if not isinstance(node, Map):
        return context.error(node, f"A mapping of names to values is needed here, not {describe(node)}.")
    return {key: sent(child) for key, child in node.items.items()}


def loose_labels(context: Context, node: Node) -> Any:  # dict or INVALID
    """A mapping of names to scalars, which are converted to strings; null is ignored."""
    if isinstance(node, Scalar) and node.value is None:
        return INVALID
    if not isinstance(node, Map):
        return text_map(context, node)
    values = {
        key: loose(context, child) if isinstance(child, Scalar) else text(context, child)
        for key, child in node.items.items()
    }
    return {key: value for key, value in values.items() if value is not INVALID}


def text_list(context: Context, node: Node) -> Any:  # tuple or INVALID
    """A list of strings."""
    if not isinstance(node, List):
        return context.error(node, f"A list of strings is needed here, not {describe(node)}.")
    return tuple(value for value in (text(context, item) for item in node.items) if value is not INVALID)


def text_or_list(context: Context, node: Node) -> Any:  # str, list or INVALID
    """A string or a list of strings."""
    return list(text_list(context, node)) if isinstance(node, List) else text(context, node)


class Choice:
    """A kind that accepts one of several words, by default in upper or lower case.

    Args:
        words: The words, in lower case.
        exact: Whether the case must match.
        camel: Whether camel case is accepted: `UserIdentity` for `user_identity`.
    """

    def __init__(self, *words: str, exact: bool = False, camel: bool = False) -> None:
        self.words, self.exact, self.camel = words, exact, camel

    def __call__(self, context: Context, node: Node) -> Any:  # str or INVALID
        """Read the word, and return it in lower case."""
        word = text(context, node)
        if word is INVALID:
            return word
        known = word if self.exact else (_SNAKE.sub("_", word) if self.camel else word).lower()
        if known in self.words:
            return known
        return context.error(node, f"'{word}' is not one of: {', '.join(self.words)}.{near_miss(word, self.words)}")


def sent(node: Node) -> str:
    """A value as the text that the SDK sends: `str(value)`, so `True` for `true`."""
    value = plain(node)
    return value if isinstance(value, str) else str(value)
