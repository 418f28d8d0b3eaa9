"""A concept has one home: rules that no linter knows, held against the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCES = {
    file.relative_to(ROOT).as_posix(): file for top in ("creditml", "backends") for file in (ROOT / top).rglob("*.py")
}
VALUE = "\0"
"""Stands for a value that is put into a text."""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module that are no docstrings, each with its line; a value in an f-string is `VALUE`."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def makes_references(text: str) -> bool:
    """Whether a text serves to test, to take apart or to compose a reference or an ARM id, and is no message.

    A message has spaces, and no value directly behind `azureml:`; what it shows is `azureml:<name>:<version>`.
    """
    if "/subscriptions/" in text or "resourcegroups/" in text.lower():
        return True
    return "azureml:" in text.lower() and (not re.search(r"\s", text) or bool(re.search(rf"azureml:\S*{VALUE}", text)))


def test_references_are_parsed_and_built_in_one_module() -> None:
    found = [
        f"{name}:{line}"
        for name, file in SOURCES.items()
        for line, text in texts(file.read_text(encoding="utf-8"))
        if name != "creditml/references.py" and makes_references(text)
    ]

    assert not found, "creditml/references.py has functions for this"


@pytest.mark.parametrize(
    "code",
    [
        'text.startswith("azureml:")',
        'text.removeprefix("azureml://")',
        'text.startswith(("azureml:", "https:"))',
        're.compile(r"(?i)azureml://datastores/(?P<name>[^/]+)")',
        'f"azureml:{name}:1"',
        'f"azureml://jobs/{job}/outputs/x"',
        'tell(f"write azureml:{name}:<version>, please")',
        '"/subscriptions/{}/resourcegroups/{}".format(a, b)',
    ],
)
def test_what_takes_references_apart_is_found(code: str) -> None:
    assert any(makes_references(text) for _, text in texts(code))


@pytest.mark.parametrize(
    "code",
    [
        '"""azureml:name"""',
        'def f():\n    """azureml://x"""',
        'error(f"{text} names nothing; write azureml:<name>:<version>")',
        'flag("--backend", help="azureml: pull jobs that are not here")',
        'AZURE = "azureml"',
    ],
)
def test_what_only_speaks_of_references_may_stay(code: str) -> None:
    assert not any(makes_references(text) for _, text in texts(code))
