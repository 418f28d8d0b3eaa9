"""Replaces `-r <file>` in the pip section of a conda file by the lines of that file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.language.fields import missing

if TYPE_CHECKING:
    from creditml.language.fields import Context
    from creditml.language.yaml import Node

_OPTION = r"(-[rc]|--requirement|--constraint)(?:\s+|\s*=\s*|(?=[^-=\s]))(\S.*)"


def with_requirements(context: Context, node: Node, content: Any, folder: Path) -> Any:  # a dict
    """A conda file's content, in which each `-r <file>` is replaced by the lines of that file.

    Azure ML is sent only the content of the conda file (SDK: `Environment.conda_file` is loaded and dumped again), so
    its build can't find such a file; a warning says so. A line whose file doesn't exist stays, since it matters only
    when the environment is built.

    Args:
        context: Notes problems.
        node: The conda file's value in the spec, the position of the problems.
        content: The conda file's content.
        folder: The folder that paths in the conda file are relative to.
    """
    dependencies = content.get("dependencies")
    if not isinstance(dependencies, list):
        return content
    reader = _Reader(context, node)
    inlined = [
        {"pip": reader.lines(entry["pip"], folder, ())}
        if isinstance(entry, dict) and isinstance(entry.get("pip"), list) and len(entry) == 1
        else entry
        for entry in dependencies
    ]
    return {**content, "dependencies": inlined} if reader.used else content


class _Reader:
    def __init__(self, context: Context, node: Node) -> None:
        self._context, self._node = context, node
        self.used = False

    def lines(self, given: list[Any], folder: Path, within: tuple[Path, ...]) -> list[Any]:
        found: list[Any] = []
        for line in given:
            match = re.fullmatch(_OPTION, line.strip()) if isinstance(line, str) else None
            if match is None or "://" in match[2]:
                found.append(line)
                continue
            file = Path(folder, re.sub(r"\s+#.*", "", match[2]).strip("'\""))
            if not within:
                self.used = True
                self._context.warn(
                    self._node,
                    f"pip's '{line}' works on this machine, but Azure ML is sent the conda file without that file, and "
                    "can't build the environment; copy the lines of that file into the conda file.",
                )
            if match[1] in ("-c", "--constraint"):
                found.append(f"--constraint {file.absolute()}")
            elif file not in within:  # a file that includes itself is not read again
                found += self._file(line, file, within)
        return found

    def _file(self, line: str, file: Path, within: tuple[Path, ...]) -> list[Any]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = missing("file", str(file), str(file)) if isinstance(error, FileNotFoundError) else f"{error}."
            self._context.warn(self._node, f"The file in pip's '{line}' can't be read: {reason}")
            return [line]
        joined = re.sub(r"\\\n", " ", text)  # pip joins lines that end in a backslash
        lines = [re.sub(r"(?:^|\s+)#.*", "", each).strip() for each in joined.splitlines()]
        return self.lines([each for each in lines if each], file.parent, (*within, file))
