"""Node types as the language knows them: it stands below their table, and is handed it with the files to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from creditml.language.files import Files
from creditml.language.yaml import Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.language.fields import Context
    from creditml.language.yaml import Node as Tree
    from creditml.model import Component, Job, Node


class SpecType(Protocol):
    """How the nodes, components and jobs of a type are read and written; `creditml.nodes.types` has what else it is."""

    name: str
    standalone: bool
    implied_by_file: bool
    takes_file_prefix: bool
    implied_ports: bool

    def recognizes(self, tree: Map, *, job: bool) -> bool:
        """Whether a component (or job) that doesn't say its type is of this one, by its keys."""
        ...

    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """A node of a graph; None if nothing can be made of it."""
        ...

    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Component | None:
        """A component from its own mapping; None if nothing can be made of it."""
        ...

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """A job of its own; None if nothing can be made of it, or the type has no jobs."""
        ...

    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that its components have besides those of all, as plain values."""
        ...

    def write_job(self, job: Job, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that its jobs have besides those of all, as plain values."""
        ...


class Types(NamedTuple):
    """The table of types.

    Attributes:
        known: Those that can be read, by their names.
        default: What a node or component is that says nothing of its type (Azure ML docs: `type: command`).
        later: Azure ML's other types of nodes, which are refused by name.
        later_jobs: Likewise of jobs.
    """

    known: Mapping[str, SpecType]
    default: str
    later: tuple[str, ...] = ()
    later_jobs: tuple[str, ...] = ()

    @property
    def listed(self) -> str:
        """Those that can be read, for messages: `command and pipeline`."""
        *others, last = self.known
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def listed_jobs(self) -> str:
        """Those that jobs can have, for messages."""
        *others, last = [name for name, known in self.known.items() if known.standalone]
        return f"{', '.join(others)} and {last}" if others else last

    def of_component(self, root: Tree) -> str:
        """The type that a component's mapping says it is, or shows by its keys."""
        if not isinstance(root, Map):
            return self.default
        return word(root) or self._recognized(root, job=False) or self.default

    def of_job(self, root: Map) -> str:
        """The type that a job's mapping says it is, or shows by its keys."""
        kind = root.items.get("type")
        if isinstance(kind, Scalar):
            return str(kind.value)
        return (self._recognized(root, job=True) if kind is None else "") or self.default

    def _recognized(self, root: Map, *, job: bool) -> str:
        return next((name for name, known in self.known.items() if known.recognizes(root, job=job)), "")


class JobFiles(Files):
    """The files of a job, and the table of types by which they are read."""

    def __init__(self, types: Types, overrides: tuple[str, ...] = ()) -> None:
        """`overrides` are what was set besides what the first file says."""
        super().__init__([], overrides)
        self.types = types


def word(tree: Map) -> str:
    """The type that a mapping says it is, in lower case; empty if it says none."""
    kind = tree.items.get("type")
    return str(kind.value).lower() if isinstance(kind, Scalar) and kind.value is not None else ""
