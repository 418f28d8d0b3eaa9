"""From an asset of the local workspace to what the genuine SDK registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.references import parse_named

if TYPE_CHECKING:
    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset

CONTENT = "creditml.content"
"""The property that says what an asset was made of."""


def sent(asset: Asset, workspace: Workspace, folder: str, digest: str) -> Any:
    """The SDK's asset, with local paths to upload from.

    Args:
        asset: data, an environment or a component.
        workspace: where it is.
        folder: where files may be written that last until it is registered.
        digest: what its property `CONTENT` says.
    """
    from azure.ai.ml import load_component, load_data, load_environment

    values = {**located(asset, workspace), "name": asset.name, "version": asset.version}
    values.pop("properties", None)
    file = Path(folder) / f"{asset.kind}.yml"
    file.write_text(json.dumps(values), encoding="utf-8")
    load = {"data": load_data, "environment": load_environment, "component": load_component}[asset.kind]
    made: Any = load(file)
    made.properties = {**asset.spec.get("properties", {}), CONTENT: digest}
    return made


def located(asset: Asset, workspace: Workspace) -> dict[str, Any]:
    """What an asset says, with places of this machine for what is in the workspace."""
    spec = dict(asset.spec)
    if asset.kind == "data":
        path = str(spec["path"])
        if "://" not in path or "/LocalUpload/" in path:  # other URIs are for Azure ML to understand
            spec["path"] = workspace.data.source(path, spec.get("type", "uri_folder"))
    elif asset.kind == "component":
        spec = _with_code(spec, workspace)
    return spec


def _with_code(value: Any, workspace: Workspace) -> Any:  # plain values
    if isinstance(value, dict):
        return {
            key: str(workspace.content.code_folder(text))
            if key == "code" and isinstance(text, str) and parse_named(text)
            else _with_code(text, workspace)
            for key, text in value.items()
        }
    return [_with_code(each, workspace) for each in value] if isinstance(value, list) else value
