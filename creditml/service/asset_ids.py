"""Ids of assets, and what they stand for: `azureml:name:version`, or the definition of an anonymous asset."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from creditml.asset_kinds import ASSET_KINDS
from creditml.errors import NotFound
from creditml.references import Scope, code_digest, code_reference, is_digest, named, parse_id, parse_named
from creditml.wire.resources import ANONYMOUS_COMPONENT, ANONYMOUS_ENVIRONMENT
from creditml.workspace.assets import ANONYMOUS, MUTABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.workspace import Workspace

_ANONYMOUS = {ANONYMOUS_COMPONENT: f"{ANONYMOUS}component", ANONYMOUS_ENVIRONMENT: f"{ANONYMOUS}environment"}


def kind_of(kind: str, name: str) -> str:
    """The kind under which the workspace keeps an asset: anonymous ones are kept apart, so that no list shows them."""
    return _ANONYMOUS.get(name, kind)


class WorkspaceResolver:
    """Looks ids up in one workspace, and in the registries that it keeps; see `wire.words.AssetResolver`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def component(self, sent: str) -> Any:  # str or dict
        """The reference of a component; the definition of an anonymous one."""
        return self._resolved("component", sent)

    def environment(self, sent: str) -> Any:  # str or dict
        """The reference of an environment; the definition of an anonymous one."""
        return self._resolved("environment", sent)

    def code(self, sent: str) -> str:
        """The reference of a snapshot, whose name is the hash of its content."""
        found = parse_id(sent)
        name, version = (found.name, found.version) if found else (code_digest(sent), "1")
        if is_digest(name):
            return code_reference(name)
        assets = self._workspace.registry(found.registry if found else "")
        return code_reference(assets.get("code", name, version).spec["digest"])

    def _resolved(self, kind: str, sent: str) -> Any:  # str or dict
        found = parse_id(sent)
        if found is None:
            return named(sent)
        if found.name in _ANONYMOUS:
            assets = self._workspace.registry(found.registry)
            spec = dict(assets.get(kind_of(kind, found.name), found.name, found.version).spec)
            if kind == "environment":
                spec.pop("name", None)
            return spec
        return found.reference


class WorkspaceIds:
    """Ids of assets of one workspace, or of a registry that it keeps; see `wire.words.AssetIds`."""

    def __init__(self, scope: Scope, workspace: Workspace) -> None:
        """`scope` is the workspace, or the registry, as the caller names it."""
        self.scope = scope
        self._assets = workspace.registry(scope.registry)

    def component_id(self, value: Any) -> str:  # str or dict
        """The id of a component; a definition is registered as an anonymous version first."""
        return self._id("component", ANONYMOUS_COMPONENT, value)

    def environment_id(self, value: Any) -> str:  # str or dict
        """The id of an environment; a definition is registered as an anonymous version first.

        A curated environment, which the workspace doesn't have, stays as it was written.
        """
        return self._id("environment", ANONYMOUS_ENVIRONMENT, value)

    def code_id(self, value: str) -> str:
        """The id of a code asset."""
        return self.scope.id("codes", code_digest(value), "1")

    def _id(self, kind: str, anonymous: str, value: Any) -> str:  # str or dict
        plural = ASSET_KINDS[kind].plural
        if isinstance(value, str):
            found = parse_named(named(value))
            if found is None or not found.version or not self._has(kind, found.name, found.version):
                return value
            return self.scope.id(plural, found.name, found.version)
        name, version = value.get("name"), value.get("version")
        if name and version and self._is(kind, name, version, value):
            return self.scope.id(plural, name, version)
        version = _version(value)
        self._assets.create(_ANONYMOUS[anonymous], anonymous, version, {**value})
        return self.scope.id(plural, anonymous, version)

    def _has(self, kind: str, name: str, version: str) -> bool:
        try:
            self._assets.get(kind, name, version)
        except NotFound:
            return False
        return True

    def _is(self, kind: str, name: str, version: str, value: Mapping[str, Any]) -> bool:
        """Whether a definition is that of the registered version whose name it has; a file may define it otherwise."""
        try:
            known = self._assets.get(kind, name, version).spec
        except NotFound:
            return False
        return _lasting(known) == _lasting(value)


def _lasting(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in (*MUTABLE, "version")}


def _version(value: Mapping[str, Any]) -> str:
    """The version of an anonymous asset, as the SDK forms it: equal content has an equal version."""
    digest = sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    return str(UUID(digest[:32]))
