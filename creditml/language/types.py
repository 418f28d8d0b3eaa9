"""The interface of node types to the spec language.

The table of node types is on a floor above this one, so the language gets it as an argument (`Types`).
"""

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
    """Reads and writes nodes, components and jobs of a type. `creditml.nodes.types.NodeType` explains its fields."""

    name: str
    standalone: bool
    implied_by_file: bool
    takes_file_prefix: bool
    implied_ports: bool

    def recognizes(self, tree: Map, *, job: bool) -> bool:
        """Whether the keys of a component (or job) without `type` show that it is of this type."""
        ...

    def read_node(self, context: Context, name: str, tree: Map, files: JobFiles) -> Node | None:
        """Read a node of a graph; None if it can't be read, after noting the problems."""
        ...

    def read_component(self, context: Context, tree: Map, files: JobFiles) -> Component | None:
        """Read a component from its mapping; None if it can't be read, after noting the problems."""
        ...

    def read_job(self, context: Context, tree: Map, files: JobFiles) -> Job | None:
        """Read a standalone job; None if it can't be read, or the type has no jobs."""
        ...

    def write_component(self, component: Component, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that only components of this type have, as plain values."""
        ...

    def write_job(self, job: Job, nested: Callable[[Component], Any]) -> dict[str, Any]:
        """The fields that only jobs of this type have, as plain values."""
        ...


class Types(NamedTuple):
    """The table of node types.

    Attributes:
        known: The types that can be read, by name.
        default: The type of nodes and components without `type` (Azure ML docs: `type: command`).
        later: Azure ML's other types of nodes, which are not supported yet and get a message that says so.
        later_jobs: Azure ML's other types of jobs.
    """

    known: Mapping[str, SpecType]
    default: str
    later: tuple[str, ...] = ()
    later_jobs: tuple[str, ...] = ()

    @property
    def listed(self) -> str:
        """The types that can be read, for messages: `command and pipeline`."""
        *others, last = self.known
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def listed_jobs(self) -> str:
        """The types that standalone jobs can have, for messages."""
        *others, last = [name for name, known in self.known.items() if known.standalone]
        return f"{', '.join(others)} and {last}" if others else last

    def of_component(self, root: Tree) -> str:
        """The type of a component, by its `type` or by its keys."""
        if not isinstance(root, Map):
            return self.default
        return word(root) or self._recognized(root, job=False) or self.default

    def of_job(self, root: Map) -> str:
        """The type of a job, by its `type` or by its keys."""
        kind = root.items.get("type")
        if isinstance(kind, Scalar):
            return str(kind.value)
        return (self._recognized(root, job=True) if kind is None else "") or self.default

    def _recognized(self, root: Map, *, job: bool) -> str:
        return next((name for name, known in self.known.items() if known.recognizes(root, job=job)), "")


class JobFiles(Files):
    """The files of a job, with the table of types for reading them."""

    def __init__(self, types: Types, overrides: tuple[str, ...] = ()) -> None:
        super().__init__([], overrides)
        self.types = types


def word(tree: Map) -> str:
    """The `type` of a mapping in lower case; empty if it has none."""
    kind = tree.items.get("type")
    return str(kind.value).lower() if isinstance(kind, Scalar) and kind.value is not None else ""
