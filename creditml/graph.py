"""A job as a graph of nodes: one walk over it, and one map.

A component is an object that many nodes may share. Both look at each distinct one once, so that a job of ten thousand
nodes over ten components costs ten looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.model import Command, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from creditml.model import Component, Node


class Visit(NamedTuple):
    """A node that a walk has come to.

    Attributes:
        node: The node.
        path: Its key path.
        first: Whether its component is seen for the first time (a reference is no component yet, and never is).
    """

    node: Node
    path: tuple[str, ...]
    first: bool

    @property
    def component_path(self) -> tuple[str, ...]:
        """The key path of its component."""
        return (*self.path, "component")


def walk(root: Node) -> Iterator[Visit]:
    """Every node from the root down, each before those below it; the nodes of a shared component once."""
    seen: set[int] = set()
    todo: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while todo:
        node, here = todo.pop()
        component = node.component
        first = not isinstance(component, str) and id(component) not in seen
        yield Visit(node, here, first)
        if isinstance(component, str) or not first:
            continue
        seen.add(id(component))
        below = [(child, (*here, "component", "jobs", name)) for name, child in (component.jobs or {}).items()]
        todo += reversed(below)


def commands(root: Node) -> Iterator[tuple[Command, tuple[str, ...]]]:
    """The distinct commands of a job, with their key paths."""
    for visit in walk(root):
        if visit.first and isinstance(visit.node.component, Command):
            yield visit.node.component, visit.component_path


def leaves(root: Node) -> Iterator[Node]:
    """The nodes that are no graphs, each as often as it runs."""
    component = root.component
    if isinstance(component, str) or component.jobs is None:
        yield root
        return
    for child in component.jobs.values():
        yield from leaves(child)


def map_components(root: Node, change: Callable[[Component], Component]) -> Node:
    """The node with every component changed, each distinct component once.

    Args:
        root: where to begin.
        change: what becomes of a component; of a graph, before its nodes are looked at.
    """
    known: dict[int, Component] = {}

    def component_of(component: Component) -> Component:
        if id(component) not in known:
            made = change(component)
            if made.jobs is not None:
                made = changed(made, jobs={name: node_of(child) for name, child in made.jobs.items()})
            known[id(component)] = made
        return known[id(component)]

    def node_of(node: Node) -> Node:
        return node if isinstance(node.component, str) else node._replace(component=component_of(node.component))

    return node_of(root)
