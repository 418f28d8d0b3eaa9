"""Rules of the house that import-linter doesn't know; CONTRIBUTING.md draws the house."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from creditml.nodes.table import node_types

ROOT = Path(__file__).parents[1]
PACKAGES = {"creditml": ROOT, "creditml_azureml": ROOT / "backends"}
PACKAGES |= dict.fromkeys(("creditml_docker", "creditml_local"), ROOT / "backends")


def test_no_circles() -> None:
    """Modules import one another in one direction; imports in functions and for types count like all others."""
    assert circles(imports()) == []


def test_circles_are_found() -> None:
    chain = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}

    assert circles(chain) == []
    assert circles({**chain, "c": {"a", "d"}}) == [{"a", "b", "c"}]
    assert circles({**chain, "b": {"a", "c"}, "d": {"c"}}) == [{"a", "b"}, {"c", "d"}]


def imports() -> dict[str, set[str]]:
    """Which modules of the house each of them imports, anywhere in its text."""
    files = {_name(file, top): file for package, top in PACKAGES.items() for file in (top / package).rglob("*.py")}
    return {name: set(_imported(file, set(files))) - {name} for name, file in files.items()}


def _name(file: Path, top: Path) -> str:
    parts = file.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, modules: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= modules else names | {str(node.module)}
    return found & modules


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of nodes that all lead to one another."""
    reached = {node: _reached(graph, node) for node in graph}
    found: list[set[str]] = []
    for node in graph:
        circle = {other for other in reached[node] if node in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph[node]
    return found


# Where `command` is a key of the spec language (or a word on the screen), and no type.
KEY = {
    "creditml.check.commands",
    "creditml.cli.diff",
    "creditml.cli.live",
    "creditml.history.diff",
    "creditml.nodes.fields",
    "creditml_azureml.comparing",
}
# The domain itself: what a step runs, and what a graph is; and the suite of executors, which makes jobs of both.
DOMAIN = {"creditml.model", "creditml.testing.executors"}


@pytest.mark.parametrize("name", sorted(node_types()))
def test_a_node_type_is_named_in_its_own_modules_and_the_table(name: str) -> None:
    own = {f"creditml.nodes.{name}", f"creditml.engine.nodes.{name}", "creditml.nodes.table"} | DOMAIN

    naming = {module for module, words in constants().items() if name in words}
    using = {module for module, names in classes().items() if "Pipeline" in names}

    assert naming - own - (KEY if name == "command" else set()) == set()
    assert using - {"creditml.nodes.pipeline"} - DOMAIN == set()


def constants() -> dict[str, set[str]]:
    """The texts in each module of the house, whole."""
    return {
        name: {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for name, nodes in parsed().items()
    }


def classes() -> dict[str, set[str]]:
    """The names that each module of the house uses or imports."""
    return {
        name: {node.id for node in nodes if isinstance(node, ast.Name)}
        | {node.name for node in nodes if isinstance(node, ast.alias)}
        for name, nodes in parsed().items()
    }


@cache
def parsed() -> dict[str, list[ast.AST]]:
    files = {_name(file, top): file for package, top in PACKAGES.items() for file in (top / package).rglob("*.py")}
    return {name: list(ast.walk(ast.parse(file.read_bytes()))) for name, file in files.items()}


def test_the_modules_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    where = text[text.index("## Where is it decided?") : text.index("## How the parts work")]
    named = {name for name in re.findall(r"`([\w/]+\.py)`", where) if "<" not in name}

    assert len(named) > 30
    assert {
        name for name in named if not any((ROOT / top / name).is_file() for top in ("creditml", "backends"))
    } == set()
