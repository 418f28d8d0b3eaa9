"""Replaces `-r <file>` in the pip section of a conda file by the lines of that file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.documents import read_text
from creditml.language.fields import missing

if TYPE_CHECKING:
    from creditml.language.fields import Context
    from creditml.language.yaml import Node

_MOST_LINES = 10_000  # in all files together, since a file may be included many times
_DEEPEST = 20  # nested inclusions
_OPTION = r"(-[rc]|--requirement|--constraint)(?:\s+|\s*=\s*|(?=[^-=\s]))(\S.*)"


def with_requirements(context: Context, node: Node, content: Any, folder: Path) -> Any:  # dict or INVALID
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
    try:
        inlined = [
            {"pip": reader.lines(entry["pip"], folder, ())}
            if isinstance(entry, dict) and isinstance(entry.get("pip"), list) and len(entry) == 1
            else entry
            for entry in dependencies
        ]
    except _TooMuchError as error:
        return context.error(node, f"The requirements files in the conda file have more than {error}.")
    return {**content, "dependencies": inlined} if reader.used else content


class _TooMuchError(Exception):
    """The files exceed a limit, which is the text of the error."""


class _Reader:
    def __init__(self, context: Context, node: Node) -> None:
        self._context, self._node = context, node
        self.used = False
        self._count = 0

    def lines(self, given: list[Any], folder: Path, within: tuple[Path, ...]) -> list[Any]:
        found: list[Any] = []
        self._count += len(given)
        if self._count > _MOST_LINES:
            more_than = f"{_MOST_LINES:,} lines"
            raise _TooMuchError(more_than)
        if len(within) > _DEEPEST:
            more_than = f"{_DEEPEST} levels of files that include other files"
            raise _TooMuchError(more_than)
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
            text = read_text(file)
        except FileNotFoundError:
            reason = missing("file", str(file), str(file))
        except OSError as error:
            reason = f"{error.strerror}."
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text."
        else:
            joined = re.sub(r"\\\n", " ", text)  # pip joins lines that end in a backslash
            lines = [re.sub(r"(?:^|\s+)#.*", "", each).strip() for each in joined.splitlines()]
            return self.lines([each for each in lines if each], file.parent, (*within, file))
        self._context.warn(self._node, f"The file in pip's '{line}' can't be read: {reason}")
        return [line]
