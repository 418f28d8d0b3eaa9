"""The table of node types. Whoever deals with nodes asks it; nothing else names a type."""

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
"""What a node is that doesn't say its type (Azure ML docs: 'CLI (v2) pipeline job YAML schema')."""
TYPES = Types(_KNOWN, DEFAULT, LATER_NODES, LATER_JOBS)
"""The table, as the language takes it."""


def node_types() -> Mapping[str, NodeType]:
    """Every type, by its name."""
    return _KNOWN


def node_type(name: str) -> NodeType:
    """A type by its name; the default one for what isn't here, as of a job that another version has recorded."""
    return _KNOWN.get(name) or _KNOWN[DEFAULT]
