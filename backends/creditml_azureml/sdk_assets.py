"""From an asset of the local workspace to the object that the genuine SDK registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from creditml.references import parse_named, parse_upload

if TYPE_CHECKING:
    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset

CONTENT = "creditml.content"
"""The property of an asset in Azure that holds the digest of its content; see `comparing`."""


def sdk_asset(asset: Asset, workspace: Workspace, folder: str, digest: str) -> Any:
    """The SDK's object for an asset, with the local paths that the SDK uploads from.

    Args:
        asset: data, an environment or a component.
        workspace: the workspace that has it.
        folder: for files that have to stay until the asset is registered.
        digest: the value of its property `CONTENT`.
    """
    from azure.ai.ml import load_component, load_data, load_environment

    values = {**with_local_paths(asset, workspace), "name": asset.name, "version": asset.version}
    values.pop("properties", None)
    file = Path(folder) / f"{asset.kind}.yml"
    file.write_text(json.dumps(values), encoding="utf-8")
    load = {"data": load_data, "environment": load_environment, "component": load_component}[asset.kind]
    made: Any = load(file)
    made.properties = {**asset.spec.get("properties", {}), CONTENT: digest}
    return made


def with_local_paths(asset: Asset, workspace: Workspace) -> dict[str, Any]:
    """The fields of an asset, with local paths where they name data or code of the workspace."""
    spec = dict(asset.spec)
    if asset.kind == "data":
        path = str(spec["path"])
        if "://" not in path or parse_upload(path):  # other URIs are for Azure ML to understand
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


def upload_hash(path: str) -> str:
    """The hash under which the SDK uploads a file or folder."""
    from azure.ai.ml._utils._asset_utils import get_ignore_file, get_object_hash

    return str(get_object_hash(path, get_ignore_file(path)))
