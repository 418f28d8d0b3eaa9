"""The files of a job: each is read and parsed once, however often it is named, and remembers who named it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.errors import Place, Problem, SpecError
from creditml.language.fields import INVALID, Context, missing
from creditml.language.yaml import Document, List, Map, Node, Scalar, parse

if TYPE_CHECKING:
    from collections.abc import Callable


class Loaded:
    """A file that has been parsed: its document, in a context of its own."""

    def __init__(self, context: Context) -> None:
        """Nothing has been made of it yet."""
        self.context = context
        self.made: dict[Any, Any] = {}
        self.under_way = False


class Files:
    """Every document of one job. It answers where a key path stands, through references to other files."""

    def __init__(self, problems: list[Problem], overrides: tuple[str, ...] = ()) -> None:
        """All problems go to one list; `overrides` are what was set besides what the first file says."""
        self.problems, self.overrides = problems, overrides
        self._paths: dict[str, bool] = {}
        self._loaded: dict[str, Loaded | None] = {}
        self._included: dict[int, Document] = {}
        self.root: Document | None = None

    @property
    def file(self) -> str:
        """The first file, as it was named."""
        return self.root.file if self.root else ""

    def adopt(self, document: Document, folder: Path) -> Context:
        """Begin with a document: the job's own."""
        self.problems += document.warnings
        self.root = self.root or document
        return Context(document, folder, self.problems, self._paths)

    def load(self, context: Context, node: Scalar, reference: str) -> Loaded | None:
        """The file that a reference names; None if a problem was noted instead."""
        path = context.local(reference)
        if path not in self._loaded:
            self._loaded[path] = self._read(context, node, reference, path)
        loaded = self._loaded[path]
        if loaded:
            self._included[id(node)] = loaded.context.document
        return loaded

    def once(self, loaded: Loaded, make: Callable[[Context, Map], Any], key: str = "") -> Any:
        """What `make` makes of the file, made once; INVALID if it is no mapping or nothing came of it."""
        name = (make.__qualname__, key)
        root = loaded.context.document.root
        if name not in loaded.made:
            if not isinstance(root, Map):
                return loaded.context.error(root, "The file must hold a mapping.")
            loaded.under_way = True
            made = make(loaded.context, root)
            loaded.under_way = False
            loaded.made[name] = INVALID if made is None else made
        return loaded.made[name]

    def place(self, path: tuple[str, ...]) -> Place | None:
        """The nearest place for a key path; keys that are not there are passed over."""
        return self._find(path)[0]

    def size(self, path: tuple[str, ...]) -> int:
        """How many keys the mapping at a path has."""
        node = self._find(path)[2]
        return len(node.items) if isinstance(node, Map) else 0

    def holds(self, path: tuple[str, ...]) -> bool:
        """Whether the last key of a path is there."""
        return self._find(path)[1]

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
        try:
            content = Path(path).read_text(encoding="utf-8-sig")
        except OSError:
            context.error(node, missing("file", reference, path))
            return None
        except UnicodeDecodeError:
            context.error(node, f"The file {reference} is not UTF-8 text.")
            return None
        try:
            document = parse(content, shown(path))
        except SpecError as error:
            self.problems += error.problems
            return None
        self.problems += document.warnings
        return Loaded(Context(document, Path(path).parent, self.problems, self._paths))


def shown(path: str) -> str:
    """A path as messages show it: relative to the current folder if it lies below."""
    try:
        return str(Path(path).absolute().relative_to(Path.cwd()))
    except ValueError:
        return path
