"""Finds the fields of Azure ML's schema that a job uses, with the effect of each on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import CreditMLError, Place
from creditml.language.node_keys import SHORT_KEYS
from creditml.language.reader import open_document
from creditml.language.types import JobFiles, word
from creditml.language.yaml import Document, Map, Scalar, from_plain
from creditml.language.yaml import Node as Tree
from creditml.nodes.fields import IGNORED, Fate
from creditml.nodes.later import LATER_COMPONENTS, LATER_JOBS
from creditml.nodes.table import DEFAULT, TYPES, node_types
from creditml.parity.table import sections
from creditml.references import is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from creditml.language.fields import Context
    from creditml.nodes.fields import Field
    from creditml.workspace import Workspace

_SHORT = {short: key for key, shorts in SHORT_KEYS.items() for short in shorts}


class Use(NamedTuple):
    """A field that a job uses: its key path, its position, its section and name in the table, and its effect."""

    path: str
    place: Place
    section: str
    field: str
    fate: Fate


def uses(path: str | Path, overrides: Sequence[str], workspace: Workspace, *, containers: bool = False) -> list[Use]:
    """The fields that a job uses in its file, and in the files and registered components that it refers to.

    Args:
        path: The job's file.
        overrides: `a.b=c`, values to set in the file before it is read.
        workspace: Holds the registered components and environments.
        containers: Whether steps would run in containers.

    Raises:
        SpecError: The file can't be read.
    """
    document = open_document(path, overrides)
    walk = _Walk(workspace, containers=containers)
    context = walk.files.adopt(document, Path(path).absolute().parent)
    root = document.root
    if not isinstance(root, Map):
        return []
    kind = TYPES.of_job(root).lower()
    if kind in LATER_JOBS:
        return list(walk.refused(context, root, (), f"{DEFAULT}_job"))
    known = node_types().get(kind)
    return list(walk.mapping(context, root, f"{known.name if known and known.standalone else DEFAULT}_job", ()))


class _Walk:
    def __init__(self, workspace: Workspace, *, containers: bool) -> None:
        self._workspace, self._containers = workspace, containers
        self.files = JobFiles(TYPES)
        self._sections = sections()
        self._seen: set[int] = set()
        self._registered: dict[tuple[str, str], tuple[Context, Map] | None] = {}

    def mapping(self, context: Context, tree: Map, section: str, path: tuple[str, ...]) -> Iterator[Use]:
        """The fields of a mapping and of the values in it; a mapping that occurs twice is listed once."""
        if id(tree) in self._seen:
            return
        self._seen.add(id(tree))
        for key, child in tree.items.items():
            here = (*path, key)
            field = self._sections[section].fields.get(key)
            if field is None:
                yield from self._unknown(context, tree, section, here)
                continue
            yield self._use(context, tree, section, here, self._fate(field, child))
            if key == "component":
                yield from self._component(context, child, here)
            elif field.inside == "environment":
                yield from self._environment(context, child, here)
            elif field.inside:
                yield from self._inside(context, child, field, here)

    def refused(self, context: Context, tree: Map, path: tuple[str, ...], section: str) -> Iterator[Use]:
        """The field `type` of a job or node whose type is not supported; its other fields are not listed."""
        field = self._sections[section].fields["type"]
        yield self._use(context, tree, section, (*path, "type"), self._fate(field, tree.items["type"]))

    def _inside(self, context: Context, child: Tree, field: Field, path: tuple[str, ...]) -> Iterator[Use]:
        if not isinstance(child, Map):
            return
        if not field.each:
            yield from self.mapping(context, child, field.inside, path)
            return
        for name, item in child.items.items():
            if not isinstance(item, Map):
                continue
            if field.inside == "node":
                yield from self._node(context, item, (*path, name))
            else:
                yield from self.mapping(context, item, field.inside, (*path, name))

    def _node(self, context: Context, tree: Map, path: tuple[str, ...]) -> Iterator[Use]:
        kind = word(tree)
        if kind in LATER_COMPONENTS:
            yield from self.refused(context, tree, path, f"{DEFAULT}_node")
            return
        found = None if kind else self._loaded(context, tree.items.get("component"))
        if found is not None:
            said = TYPES.of_component(found[1])
            kind = said if said in node_types() and node_types()[said].implied_by_file else ""
        yield from self.mapping(context, tree, f"{kind if kind in node_types() else DEFAULT}_node", path)

    def _component(self, context: Context, child: Tree, path: tuple[str, ...]) -> Iterator[Use]:
        found = self._loaded(context, child)
        if found is None:
            return
        inner, tree = found
        kind = TYPES.of_component(tree)
        if kind in node_types():
            yield from self.mapping(inner, tree, f"{kind}_component", path)
        else:
            yield from self.refused(inner, tree, path, f"{DEFAULT}_component")

    def _environment(self, context: Context, child: Tree, path: tuple[str, ...]) -> Iterator[Use]:
        found = self._loaded(context, child, "environment")
        if found is not None:
            yield from self.mapping(*found, "environment", path)

    def _loaded(self, context: Context, child: Tree | None, kind: str = "component") -> tuple[Context, Map] | None:
        """A component or environment in place, in a file or in the workspace; None if it can't be read."""
        if isinstance(child, Map):
            return context, child
        if not (isinstance(child, Scalar) and isinstance(child.value, str)):
            return None
        if is_reference(child.value):
            key = (kind, child.value)
            if key not in self._registered:
                self._registered[key] = self._asset(context, child.value, kind)
            return self._registered[key]
        loaded = self.files.load(context, child, child.value)
        root = loaded.context.document.root if loaded else None
        return (loaded.context, root) if loaded and isinstance(root, Map) else None

    def _asset(self, context: Context, reference: str, kind: str) -> tuple[Context, Map] | None:
        try:
            asset = self._workspace.assets.resolve(kind, reference) if self._workspace.exists else None
        except CreditMLError:
            return None
        root = from_plain(dict(asset.spec), 0, 0) if asset else None
        if asset is None or not isinstance(root, Map):
            return None
        return type(context)(Document(asset.id, root, []), self._workspace.root, []), root

    def _unknown(self, context: Context, tree: Map, section: str, path: tuple[str, ...]) -> Iterator[Use]:
        key = path[-1]
        if section == f"{DEFAULT}_node" and key in _SHORT:
            inside = _SHORT[key]
            field = self._sections[inside].fields[key]
            yield self._use(context, tree, inside, path, self._fate(field, tree.items[key]))
            return
        how = "not a field of Azure ML's schema; `creditml job validate` says whether it is tolerated"
        yield self._use(context, tree, section, path, Fate(IGNORED, how))

    def _use(self, context: Context, tree: Map, section: str, path: tuple[str, ...], fate: Fate) -> Use:
        child, document = tree.items[path[-1]], context.document
        place = document.place(child) if isinstance(child, Scalar) else document.key_place(tree, path[-1])
        return Use(".".join(path), place, section, path[-1], fate)

    def _fate(self, field: Field, child: Tree) -> Fate:
        if isinstance(child, Scalar) and child.value is not None:
            told = field.values.get(str(child.value).lower())
            if told is not None:
                return told
        return field.docker if self._containers and field.docker else field.fate
