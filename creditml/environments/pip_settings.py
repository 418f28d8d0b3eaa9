"""Pip's configuration of this machine, in uv's terms: behind a company's mirror it is all that people have.

pip docs (configuration): files for everybody, the user and the virtual environment, then `PIP_*`, each over the one
before; within a file, `[install]` over `[global]`. uv docs (pip compatibility): uv reads none of it.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "constraint": "UV_CONSTRAINT",
    "pre": "UV_PRERELEASE",
}
AS_PIP = "unsafe-best-match"
"""uv's way to choose among several indexes that is pip's: the best version that any has, not those of the first one.
With it uv tells less of an index that refuses, so it is for those who have several."""
_OLDER = {"UV_DEFAULT_INDEX": ("UV_INDEX_URL",), "UV_INDEX": ("UV_EXTRA_INDEX_URL",)}
"""Other names of uv for the same."""
_SECTIONS = ("global", "install")
_COMMAS = ("UV_FIND_LINKS",)  # what uv wants with commas between; the rest has spaces
_TRUE = ("1", "true", "yes", "on")


def uv_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that have uv look where pip looks.

    What the user has set for uv itself stands.

    Args:
        variables: The environment variables of this process.
    """
    found: dict[str, str] = {}
    for key, value in _settings(variables).items():
        name = _VARIABLES.get(key)
        if name is None or not value.split() or any(other in variables for other in (name, *_OLDER.get(name, ()))):
            continue
        text = _for_uv(key, value)
        if text:
            found[name] = ("," if name in _COMMAS else " ").join(text.split())
    if "UV_INDEX" in found:
        found.setdefault("UV_INDEX_STRATEGY", variables.get("UV_INDEX_STRATEGY", AS_PIP))
    return found


def uv_options(variables: Mapping[str, str]) -> list[str]:
    """Return what uv has no variables for, but options of what resolves."""
    return ["--no-index"] if _settings(variables).get("no-index", "").lower() in _TRUE else []


def _for_uv(key: str, value: str) -> str:
    if key == "pre":
        return "allow" if value.lower() in _TRUE else ""
    if key == "timeout":
        return value.partition(".")[0]
    return value


def _settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what pip would go by, by the names of its options."""
    settings: dict[str, str] = {}
    for file in _files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (OSError, ValueError, configparser.Error):
            continue  # pip itself says what is wrong with it
        for section in _SECTIONS:
            if parser.has_section(section):
                settings |= {_option(key): value for key, value in parser.items(section)}
    for name, value in variables.items():
        if name.startswith("PIP_"):
            settings[_option(name.removeprefix("PIP_"))] = value
    return settings


def _option(name: str) -> str:
    return name.lower().replace("_", "-").lstrip("-")


def _files(variables: Mapping[str, str]) -> list[Path]:
    """Return pip's files, the most important last."""
    own = variables.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = Path.home()
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    shared = [Path(folder) / "pip" for folder in (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if folder]
    if sys.platform == "darwin":
        shared.append(Path("/Library/Application Support/pip"))
        support = home / "Library" / "Application Support" / "pip"
        config = support.parent if support.is_dir() else config
    files = [folder / "pip.conf" for folder in shared]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    files.append(Path(sys.prefix) / "pip.conf")
    return [*files, Path(own)] if own else files
