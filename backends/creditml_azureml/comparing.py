"""What an asset is made of, here and there, so that it can be told whether it is the same.

Uploads of Azure's clients lie under a hash of their content (`LocalUpload/<hash>/<name>`), and code is named by one.
"""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.references import code_digest, parse_reference, parse_upload, short_uri
from creditml.wire.resources import ANONYMOUS_ENVIRONMENT
from creditml.workspace.assets import MUTABLE
from creditml_azureml.sdk_assets import located

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.workspace import Workspace
    from creditml.workspace.records import Asset
    from creditml_azureml.cloud import Cloud

_DIGEST = r"[0-9a-f]{64}"
_COMPARED = ("type", "command", "is_deterministic", "distribution", "resources")


class Made(NamedTuple):
    """What an asset is made of; `digest` stands for all that is here.

    An aspect that is None, or told of one side only, can't be compared.
    """

    aspects: Mapping[str, str | None]
    digest: str = ""


def here(asset: Asset, workspace: Workspace, cloud: Cloud) -> Made:
    """Of an asset of the local workspace."""
    spec = located(asset, workspace)
    aspects: dict[str, str | None]
    if asset.kind == "data":
        aspects = {"type": str(spec.get("type")), **_place(str(spec["path"]), cloud)}
    elif asset.kind == "environment":
        build = spec.get("build") or {}
        context = _place(str(build["path"]), cloud).get("content", "").partition("/")[0] if build else ""
        aspects = _environment(spec.get("image"), spec.get("conda_file"), build.get("dockerfile_path"), context)
    else:
        aspects = _component({**asset.spec})
    lasting = {key: value for key, value in asset.spec.items() if key not in (*MUTABLE, "name", "version", "path")}
    said = lasting if asset.kind == "component" else aspects
    return Made(aspects, sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest())


def there(kind: str, asset: Any) -> Made:
    """Of an asset of the cloud."""
    if kind == "data":
        return Made({"type": str(asset.type), **_uploaded(str(asset.path))})
    if kind == "environment":
        build = asset.build
        upload = parse_upload(str(build.path)) if build else None
        context = "" if build is None else upload.digest if upload else None
        return Made(_environment(asset.image, asset.conda_file, build and build.dockerfile_path, context))
    return Made(_component(_plain(asset)))


def _environment(image: Any, conda: Any, dockerfile: Any, context: str | None) -> dict[str, str | None]:
    return {
        "image": str(image or ""),
        "conda_file": json.dumps(conda, sort_keys=True) if conda else "",
        "dockerfile_path": str(dockerfile or ""),
        "build": context,
    }


def _component(spec: Mapping[str, Any]) -> dict[str, str | None]:
    """Of a component's values as YAML has them."""
    defaults = {"is_deterministic": True, "type": "command"}
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
    aspects["code"] = digest if re.fullmatch(_DIGEST, digest) else None if spec.get("code") else ""
    if spec.get("jobs"):
        aspects["jobs"] = None
    return aspects


def _type(port: Any) -> str:
    return str(port.get("type") if isinstance(port, dict) else port)


def _plain(asset: Any) -> dict[str, Any]:
    names = (*_COMPARED, "environment", "code", "jobs")
    values = {name: getattr(asset, name, None) for name in names}
    ports = {
        kind: {name: {"type": port.type} for name, port in (getattr(asset, kind) or {}).items()}
        for kind in ("inputs", "outputs")
    }
    return values | ports


def _place(path: str, cloud: Cloud) -> dict[str, str]:
    if os.path.exists(path):
        return {"content": f"{cloud.upload_hash(path)}/{os.path.basename(path.rstrip('/'))}"}
    return {"uri": short_uri(path)}


def _uploaded(path: str) -> dict[str, str]:
    found = parse_upload(path)
    return {"content": f"{found.digest}/{found.name}"} if found else {"uri": short_uri(path)}
