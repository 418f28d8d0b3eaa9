"""The table of node types. All code that handles nodes gets their types here, so no other module names a type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.language.types import Types
from creditml.nodes.command import CommandType
from creditml.nodes.later import LATER_JOBS, LATER_NODES
from creditml.nodes.pipeline import PipelineType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.nodes.types import NodeType

_KNOWN: dict[str, NodeType] = {kind.name: kind for kind in (CommandType(), PipelineType())}
DEFAULT = CommandType.name
"""The type of nodes without `type` (Azure ML docs: 'CLI (v2) pipeline job YAML schema')."""
TYPES = Types(_KNOWN, DEFAULT, LATER_NODES, LATER_JOBS)
"""The table in the form that `creditml.language` takes."""


def node_types() -> Mapping[str, NodeType]:
    """All supported types, by name."""
    return _KNOWN


def node_type(name: str) -> NodeType:
    """The type of that name. An unknown name, as in a job that another version has recorded, gives the default type."""
    return _KNOWN.get(name) or _KNOWN[DEFAULT]
