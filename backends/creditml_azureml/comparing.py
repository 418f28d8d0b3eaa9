"""The content of an asset, in the local workspace and in Azure, to tell whether it is the same.

Azure's clients upload to a path with a hash of the content (`LocalUpload/<hash>/<name>`), and name code by its hash.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.nodes.table import DEFAULT
from creditml.references import code_digest, is_digest, parse_reference, parse_upload, short_uri
from creditml.wire.resources import ANONYMOUS_ENVIRONMENT
from creditml.workspace.assets import MUTABLE
from creditml_azureml.sdk_assets import upload_hash, with_local_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset

_COMPARED = ("type", "command", "is_deterministic", "distribution", "resources")


class Content(NamedTuple):
    """The content of an asset, by aspects. `digest` is that of a local asset's whole content.

    An aspect can't be compared if it is None, or if only one side has it.
    """

    aspects: Mapping[str, str | None]
    digest: str = ""


def local_content(asset: Asset, workspace: Workspace) -> Content:
    """The content of an asset of the local workspace."""
    spec = with_local_paths(asset, workspace)
    aspects: dict[str, str | None]
    if asset.kind == "data":
        aspects = {"type": str(spec.get("type")), **_place(str(spec["path"]))}
    elif asset.kind == "environment":
        build = spec.get("build") or {}
        context = _place(str(build["path"])).get("content", "").partition("/")[0] if build else ""
        aspects = _environment(spec.get("image"), spec.get("conda_file"), build.get("dockerfile_path"), context)
    else:
        aspects = _component({**asset.spec})
    lasting = {key: value for key, value in asset.spec.items() if key not in (*MUTABLE, "name", "version", "path")}
    hashed = lasting if asset.kind == "component" else aspects
    return Content(aspects, sha256(json.dumps(hashed, sort_keys=True, default=str).encode()).hexdigest())


def cloud_content(kind: str, asset: Any) -> Content:
    """The content of an asset in Azure, from the SDK's object for it."""
    if kind == "data":
        return Content({"type": str(asset.type), **_uploaded(str(asset.path))})
    if kind == "environment":
        build = asset.build
        upload = parse_upload(str(build.path)) if build else None
        context = "" if build is None else upload.digest if upload else None
        return Content(_environment(asset.image, asset.conda_file, build and build.dockerfile_path, context))
    return Content(_component(_fields(asset)))


def _environment(image: Any, conda: Any, dockerfile: Any, context: str | None) -> dict[str, str | None]:
    return {
        "image": str(image or ""),
        "conda_file": json.dumps(conda, sort_keys=True) if conda else "",
        "dockerfile_path": str(dockerfile or ""),
        "build": context,
    }


def _component(spec: Mapping[str, Any]) -> dict[str, str | None]:
    """The aspects of a component, from its fields as YAML has them."""
    defaults = {"is_deterministic": True, "type": DEFAULT}
    aspects: dict[str, str | None] = {
        key: json.dumps(spec.get(key) or defaults.get(key), sort_keys=True, default=str) for key in _COMPARED
    }
    for key in ("inputs", "outputs"):
        ports = spec.get(key) or {}
        aspects[key] = ", ".join(sorted(f"{name}: {_type(port)}" for name, port in ports.items()))
    environment = spec.get("environment") or ""
    named = parse_reference(environment) if isinstance(environment, str) else None
    comparable = named is not None and named.version is not None and named.name != ANONYMOUS_ENVIRONMENT
    aspects["environment"] = named.short if named and comparable else None
    digest = code_digest(str(spec.get("code") or ""))
    aspects["code"] = digest if is_digest(digest) else None if spec.get("code") else ""
    if spec.get("jobs"):
        aspects["jobs"] = None
    return aspects


def _type(port: Any) -> str:
    return str(port.get("type") if isinstance(port, dict) else port)


def _fields(asset: Any) -> dict[str, Any]:
    names = (*_COMPARED, "environment", "code", "jobs")
    values = {name: getattr(asset, name, None) for name in names}
    ports = {
        kind: {name: {"type": port.type} for name, port in (getattr(asset, kind) or {}).items()}
        for kind in ("inputs", "outputs")
    }
    return values | ports


def _place(path: str) -> dict[str, str]:
    if os.path.exists(path):
        return {"content": f"{upload_hash(path)}/{os.path.basename(path.rstrip('/'))}"}
    return {"uri": short_uri(path)}


def _uploaded(path: str) -> dict[str, str]:
    found = parse_upload(path)
    return {"content": f"{found.digest}/{found.name}"} if found else {"uri": short_uri(path)}
