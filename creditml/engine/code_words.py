"""Which words a job's code contains: a server that the code will ask for can be started before it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from creditml.plan import Plan
    from creditml.workspace import Workspace

_SCANNED = (".py", ".r", ".sh", ".ipynb", ".yml", ".yaml", ".toml", ".cfg")
_SCAN_LIMIT = 1 << 20  # bytes of a file


def words_in_code(plan: Plan, workspace: Workspace, words: frozenset[bytes]) -> set[bytes]:
    """Those of the words that the commands or the code of a frozen job's steps contain."""
    found: set[bytes] = set()
    for text in _texts(plan, workspace):
        found.update(word for word in words if word in text)
        if len(found) == len(words):
            break
    return found


def _texts(plan: Plan, workspace: Workspace) -> Iterator[bytes]:
    components = [step.component for step in plan.steps.values()]
    yield "\n".join([component.command for component in components]).encode()
    for code in {component.code for component in components if component.code}:
        yield from _files(workspace.content.code_folder(code))


def _files(folder: Path) -> Iterator[bytes]:
    for file in folder.rglob("*"):
        if file.suffix.lower() in _SCANNED and file.is_file():
            with file.open("rb") as stream:
                yield stream.read(_SCAN_LIMIT)
