"""The files of a job: each is read and parsed once, even if several nodes refer to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.documents import read_text
from creditml.errors import Place, Problem, SpecError
from creditml.language.fields import INVALID, Context, missing
from creditml.language.yaml import Document, List, Map, Node, Scalar, parse

if TYPE_CHECKING:
    from collections.abc import Callable


_DEEPEST = 30
"""Files that refer to each other in a row, as nested pipelines do."""


class Loaded:
    """A parsed file.

    Attributes:
        context: The context of its document.
        made: The values that `Files.once` has made of it.
        under_way: Whether `Files.once` is making a value now. A file that is referred to meanwhile contains itself.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.made: dict[Any, Any] = {}
        self.under_way = False


class Files:
    """All documents of one job. It finds the position of a key path, following references to other files.

    Args:
        problems: The list to which the problems of all documents are added.
        overrides: The values that were set in addition to the first file, as `a.b=c`.
    """

    def __init__(self, problems: list[Problem], overrides: tuple[str, ...] = ()) -> None:
        self.problems, self.overrides = problems, overrides
        self._paths: dict[str, bool] = {}
        self._loaded: dict[str, Loaded | None] = {}
        self._included: dict[int, Document] = {}
        self._within = 0  # files that are being read now, each for the one before it
        self.root: Document | None = None

    @property
    def file(self) -> str:
        """The job's own file, as messages show it."""
        return self.root.file if self.root else ""

    def adopt(self, document: Document, folder: Path) -> Context:
        """Add the job's own document, and return its context; `folder` is what its relative paths start from."""
        self.problems += document.warnings
        self.root = self.root or document
        return Context(document, folder, self.problems, self._paths)

    def load(self, context: Context, node: Scalar, reference: str) -> Loaded | None:
        """Load the file at a path in a spec; None if it can't be loaded, after noting the problem."""
        path = context.local(reference)
        if path not in self._loaded:
            self._loaded[path] = self._read(context, node, reference, path)
        loaded = self._loaded[path]
        if loaded:
            self._included[id(node)] = loaded.context.document
        return loaded

    def once(self, loaded: Loaded, make: Callable[[Context, Map], Any], key: str = "") -> Any:
        """Call `make` on the file's mapping, once for each `key`, and return its value.

        Returns:
            The value that `make` returned; INVALID if it was None or the file is not a mapping.
        """
        name = (make.__qualname__, key)
        root = loaded.context.document.root
        if name not in loaded.made:
            if not isinstance(root, Map):
                return loaded.context.error(root, "The file must contain a mapping of keys to values.")
            if self._within == _DEEPEST:
                return loaded.context.error(root, f"More than {_DEEPEST} files refer to each other in a row.")
            loaded.under_way, self._within = True, self._within + 1
            made = make(loaded.context, root)
            loaded.under_way, self._within = False, self._within - 1
            loaded.made[name] = INVALID if made is None else made
        return loaded.made[name]

    def place(self, path: tuple[str, ...]) -> Place | None:
        """The position of a key path; keys that are missing are skipped, so it may be that of a key above."""
        return self._find(path)[0]

    def size(self, path: tuple[str, ...]) -> int:
        """The number of keys in the mapping at a key path; 0 if there is no mapping."""
        _, found, node = self._find(path)
        return len(node.items) if found and isinstance(node, Map) else 0

    def holds(self, path: tuple[str, ...]) -> bool:
        """Whether the file has the last key of a path."""
        return self._find(path)[1]

    def instead(self, path: tuple[str, ...]) -> bool:
        """Whether the file has the last key of a path, but with another value than a mapping."""
        _, found, node = self._find(path)
        return found and not isinstance(node, Map) and id(node) not in self._included

    def _find(self, path: tuple[str, ...]) -> tuple[Place | None, bool, Node | None]:
        if self.root is None:
            return None, False, None
        document, node = self.root, self.root.root
        place, found = document.place(node), True
        for key in path:
            if isinstance(node, Scalar) and id(node) in self._included:
                document = self._included[id(node)]
                node = document.root
            found = isinstance(node, Map) and key in node.items
            if isinstance(node, Map) and found:
                child = node.items[key]
                place = document.key_place(node, key) if isinstance(child, Map | List) else document.place(child)
                node = child
        return place, found, node

    def _read(self, context: Context, node: Scalar, reference: str, path: str) -> Loaded | None:
        content = read_file(context, node, "file", reference, path)
        if content is None:
            return None
        try:
            document = parse(content, shown(path))
        except SpecError as error:
            self.problems += error.problems
            return None
        self.problems += document.warnings
        return Loaded(Context(document, Path(path).parent, self.problems, self._paths))


def read_file(context: Context, node: Node, what: str, reference: str, path: str) -> str | None:
    """The text of a file that a spec names; None if it can't be read, after noting the problem.

    Args:
        context: Notes the problem.
        node: The value that names the file, where the problem is.
        what: What the file is, in messages.
        reference: The path in the spec.
        path: The absolute path.
    """
    try:
        return read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        context.error(node, missing(what, reference, path))
    except OSError as error:
        context.error(node, f"The {what} {reference} can't be read: {error.strerror}.")
    except UnicodeDecodeError:
        context.error(node, f"The {what} {reference} is not UTF-8 text.")
    return None


def shown(path: str) -> str:
    """A path as messages show it: relative to the current folder if it is inside that folder."""
    try:
        return str(Path(path).absolute().relative_to(Path.cwd()))
    except ValueError:
        return path
