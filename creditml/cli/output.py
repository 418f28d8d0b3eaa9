"""Prints the output of commands on stdout, with the flags and formats of `az`."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from creditml.cli.guarded import unguarded
from creditml.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON takes as they are, and a terminal does not."""
FORMATS = ("json", "jsonc", "yaml", "yamlc", "table", "tsv", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the format of the output."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", "--output", type=str.lower, choices=FORMATS, default="json", help="format of the output (default: json)"
    )
    group.add_argument("--query", metavar="JMESPATH", help="a JMESPath query on the output, for example: name")


def count(text: str) -> int:
    """A number of results, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        import argparse

        message = f"'{text}' is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def show(value: Any, arguments: argparse.Namespace, columns: Sequence[str] = ()) -> None:  # any JSON value
    """Print a value.

    Args:
        value: A JSON value.
        arguments: The parsed flags, with `output` and `query`.
        columns: The columns of a table of objects, used if there is no query; `a.b` is the member `b` of `a`.
    """
    if arguments.query is not None:
        value, columns = _search(value, arguments.query), ()
        if value is None:
            return
    text = _FORMATS[arguments.output](value, columns)
    if text:
        print(text)


def timestamp(milliseconds: int | None) -> str | None:
    """A time (milliseconds since 1970) in ISO 8601, in UTC; None for None."""
    if milliseconds is None:
        return None
    from datetime import datetime, timezone  # the import takes 2 ms, and `creditml run` doesn't need it

    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")


def _search(value: Any, query: str) -> Any:  # any JSON value
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(query, value)
    except JMESPathError as error:
        message = f"--query {query}: {error}"
        raise UsageError(message) from None


def _json(value: Any, _columns: Sequence[str]) -> str:
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text.translate(_CONTROLS)


def _finite(value: Any) -> Any:
    """The value with NaN and infinities as text, since JSON has no such numbers."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _coloured(value: Any, columns: Sequence[str]) -> str:
    if sys.stdout is None or not sys.stdout.isatty():
        return _json(value, columns)
    from rich.console import Console

    Console(file=unguarded()).print_json(_json(value, columns))
    return ""


def _yaml(value: Any, _columns: Sequence[str]) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").rstrip("\n")


def _tsv(value: Any, _columns: Sequence[str]) -> str:
    return "\n".join("\t".join(_tsv_cell(cell) for cell in _cells(row)) for row in _rows(value))


def _tsv_cell(value: Any) -> str:
    """A cell of the format tsv, as `az` prints it: the length of a list, and nothing for an object."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(len(value)) if isinstance(value, list) else "" if isinstance(value, dict) else _cell(value)


def _table(value: Any, columns: Sequence[str]) -> str:
    rows = _rows(value)
    if not rows:
        return ""
    if isinstance(rows[0], dict):
        names = list(columns) or [name for name, cell in rows[0].items() if not isinstance(cell, dict | list)]
        lines = [
            [name.rpartition(".")[2].replace("_", " ").title().replace(" ", "") for name in names],
            *([_cell(_member(row, name)) for name in names] for row in rows),
        ]
    else:
        lines = [["Result"] if len(_cells(rows[0])) == 1 else [f"Column{n + 1}" for n in range(len(_cells(rows[0])))]]
        lines += [[_cell(cell) for cell in _cells(row)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _member(row: dict[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _rows(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _cells(row: Any) -> list[Any]:
    if isinstance(row, dict):
        return list(row.values())
    return row if isinstance(row, list) else [row]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


_FORMATS: dict[str, Callable[[Any, Sequence[str]], str]] = {
    "json": _json,
    "jsonc": _coloured,
    "yaml": _yaml,
    "yamlc": _yaml,
    "table": _table,
    "tsv": _tsv,
    "none": lambda _value, _columns: "",
}
