"""Functions that walk, change or sort the graph of nodes that makes up a job.

Many nodes may share one component object. `walk` and `map_components` look at each distinct component once, so that
a job of ten thousand nodes over ten components costs ten looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from creditml.expressions import references, single
from creditml.model import Command, Literal, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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


def count_steps(root: Node) -> int:
    """The number of `leaves`, found without going through all of them."""
    known: dict[int, int] = {}

    def count(node: Node) -> int:
        component = node.component
        if isinstance(component, str) or component.jobs is None:
            return 1
        if id(component) not in known:
            known[id(component)] = sum(map(count, component.jobs.values()))
        return known[id(component)]

    return count(root)


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


def writer(graph: Component, output: str) -> tuple[str, str] | None:
    """The step that writes an output of a pipeline, and the name of the step's output.

    Returns:
        The step's path within the pipeline, and the output's name; None if no node writes it.
    """
    for node in (graph.jobs or {}).values():
        for name, settings in node.outputs.items():
            reference = single(settings.binding) if settings.binding else None
            if reference and reference.name == output and reference.parent and not reference.job:
                found = output_of(node, name)
                if found:
                    return found
    return None


def output_of(node: Node, output: str) -> tuple[str, str] | None:
    """The step that writes an output of a node, and the name of the step's output.

    Returns:
        The step's path within the pipeline that contains the node, and the output's name; None if the node has no such
        output or no step writes it.
    """
    if isinstance(node.component, str) or output not in node.component.outputs:
        return None
    if node.component.jobs is None:
        return node.name, output
    found = writer(node.component, output)
    return (f"{node.name}.{found[0]}", found[1]) if found else None


def only_optional(component: Component, name: str) -> bool:
    """Whether a pipeline's input is bound to optional inputs only; Azure ML then requires no value for it in a job.

    The SDK looks only at the last node that is bound to the input. Here all of them count, because an earlier node
    that requires the input would fail without a value.
    """
    specs = [
        None if isinstance(node.component, str) else node.component.inputs.get(key)
        for node in (component.jobs or {}).values()
        for key, value in node.inputs.items()
        for reference in references(value.value if isinstance(value, Literal) else value.path)
        if reference.parent and not reference.job and reference.name == name
    ]
    return bool(specs) and all(spec and spec.optional for spec in specs)


def unordered(waiting: Mapping[str, list[str]], order: list[str] | None = None) -> dict[str, list[str]]:
    """Find the steps that can't be sorted because they are part of a cycle or wait for one.

    Args:
        waiting: The steps that each step waits for.
        order: A list to which all other steps are appended, sorted.

    Returns:
        The entries of `waiting` that are left.
    """
    count = {path: len(set(needs)) for path, needs in waiting.items()}
    users: dict[str, list[str]] = {}
    for path, needs in waiting.items():
        for need in set(needs):
            users.setdefault(need, []).append(path)
    names = dict.fromkeys([*waiting, *users])
    ready = [path for path in names if not count.get(path)]
    done = set(ready)
    for path in ready:
        for user in users.get(path, ()):
            count[user] -= 1
            if not count[user]:
                ready.append(user)
                done.add(user)
    if order is not None:
        order += ready
    return {path: needs for path, needs in waiting.items() if path not in done}


def find_cycle(waiting: Mapping[str, list[str]]) -> list[str]:
    """One cycle of a graph in which every node waits for another; its first node is repeated at the end."""
    seen: dict[str, int] = {}
    path = next(iter(waiting))
    trail: list[str] = []
    while path not in seen:
        seen[path] = len(trail)
        trail.append(path)
        path = next(need for need in waiting[path] if need in waiting)
    return [*trail[seen[path] :], path]
