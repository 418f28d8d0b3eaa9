"""A concept has one home: rules that no linter knows, held against the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml import statuses

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


STATUSES = {value for name, value in vars(statuses).items() if name.isupper() and isinstance(value, str)}


def named_statuses(source: str) -> Iterator[int]:
    """The lines on which a module compares with a status, or sets one, by its word instead of its name."""
    for node in ast.walk(ast.parse(source)):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
            values += [item for value in values if isinstance(value, ast.Tuple) for item in value.elts]
        elif isinstance(node, ast.keyword) and node.arg == "status":
            values = [node.value]
        elif isinstance(node, ast.Assign) and any("status" in ast.unparse(target).lower() for target in node.targets):
            values = [part for part in ast.walk(node.value) if isinstance(part, ast.expr)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".transit", "Outcome")):
            values = [*node.args[: 1 if isinstance(node.func, ast.Name) else None]]
        if any(isinstance(value, ast.Constant) and value.value in STATUSES for value in values):
            yield node.value.lineno if isinstance(node, ast.keyword) else node.lineno


def test_statuses_are_named_in_one_module() -> None:
    """The contract suites of `creditml.testing` are tests, and say the words that they expect."""
    found = [
        f"{name}:{line}"
        for name, file in SOURCES.items()
        for line in named_statuses(file.read_text(encoding="utf-8"))
        if not name.startswith(("creditml/statuses", "creditml/testing/"))
    ]

    assert not found, "creditml/statuses.py has names for these"


@pytest.mark.parametrize(
    "code",
    [
        'if run.status == "Completed": ...',
        'if run.status in ("Completed", "Failed"): ...',
        'record._replace(status="Failed")',
        'self.status = "Canceled"',
        '_FINAL_STATUSES = ("Completed", "Failed")',
        'jobs.transit(name, "Queued")',
        'Outcome("Canceled", "Why", "Canceled")',
    ],
)
def test_words_of_statuses_are_found(code: str) -> None:
    assert list(named_statuses(code)) == [1]


HOMES = {
    "creditml/references.py": (
        r"LocalUpload|ExperimentRun|workspaceblobstore|workspaceartifactstore|MachineLearningServices"
    ),
    "creditml/logs.py": r"user_logs|executionlogs|azureml-logs|named-outputs",
}
"""Words that stand in the texts of one module alone."""


@pytest.mark.parametrize("home", HOMES)
def test_words_have_one_home(home: str) -> None:
    found = [
        f"{name}:{line}"
        for name, file in SOURCES.items()
        for line, text in texts(file.read_text(encoding="utf-8"))
        if name != home and re.search(HOMES[home], text)
    ]

    assert not found, f"{home} has names for these"


def test_files_are_locked_in_one_module() -> None:
    """The contract suites bring scripts of their own, which run in processes without creditml."""
    allowed = ("creditml/locks.py", "creditml/testing/")
    found = [
        name
        for name, file in SOURCES.items()
        if not name.startswith(allowed) and re.search(r"\b(flock|lockf)\b", file.read_text(encoding="utf-8"))
    ]

    assert not found, "creditml/locks.py has functions for this"


UNUSED = {
    "ExecutorContract": "third parties' tests inherit it",
    "LauncherContract": "third parties' tests inherit it",
    "get_token": "azure.core calls it",
}
"""What nothing in creditml uses, and why it is there all the same."""


def test_what_is_defined_is_used() -> None:
    """A name counts as used if it is read, passed as a keyword, or a text of its own, anywhere in the source."""
    defined: dict[str, str] = {}
    used: set[str] = set()
    for name, file in SOURCES.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef() | ast.ClassDef():
                    defined[node.name] = f"{name}:{node.lineno}"
                case ast.Name(id=word, ctx=ast.Load()) | ast.Attribute(attr=word, ctx=ast.Load()):
                    used.add(word)
                case ast.keyword(arg=str(word)) | ast.Constant(value=str(word)):
                    used.add(word)
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            defined |= {target.id: f"{name}:{node.lineno}" for target in targets if isinstance(target, ast.Name)}
    unused = {name: place for name, place in defined.items() if name not in used and not name.startswith("__")}
    unused = {name: place for name, place in unused.items() if not name.startswith(("test_", "_as_"))}

    assert unused.keys() == UNUSED.keys(), unused
