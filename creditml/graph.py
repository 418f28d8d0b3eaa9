"""Functions that walk or change the graph of nodes that makes up a job.

Many nodes may share one component object. `walk` and `map_components` look at each distinct component once, so that
a job of ten thousand nodes over ten components costs ten looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.model import Command, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from creditml.model import Component, Node


class Visit(NamedTuple):
    """A node that a walk has reached.

    Attributes:
        node: The node.
        path: Its key path.
        first: Whether its component occurs for the first time in this walk; False if the component is a reference.
    """

    node: Node
    path: tuple[str, ...]
    first: bool

    @property
    def component_path(self) -> tuple[str, ...]:
        """The key path of its component."""
        return (*self.path, "component")


def walk(root: Node) -> Iterator[Visit]:
    """Every node from the root down, parents before children; the nodes inside a shared component are visited once."""
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
    """Each distinct command component, with its key path."""
    for visit in walk(root):
        if visit.first and isinstance(visit.node.component, Command):
            yield visit.node.component, visit.component_path


def leaves(root: Node) -> Iterator[Node]:
    """The nodes without a graph of their own. A node of a shared component occurs as often as it runs."""
    component = root.component
    if isinstance(component, str) or component.jobs is None:
        yield root
        return
    for child in component.jobs.values():
        yield from leaves(child)


def map_components(root: Node, change: Callable[[Component], Component]) -> Node:
    """A copy of a node in which `change` was applied to each distinct component once.

    Args:
        root: The node to begin with.
        change: Returns the new component. For a graph it is called before the graph's nodes are changed.
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
