"""Translates this machine's configuration of pip into uv's terms, since uv does not read it.

Behind a company's mirror, pip's configuration is often the only one that users have. Sources: pip docs (configuration):
the files for all users, for the user and for the virtual environment, then the variables `PIP_*`, each overriding the
one before; within a file, `[install]` overrides `[global]`. uv docs (pip compatibility): uv ignores all of these.
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
"""The index strategy of uv that works like pip: the best version of all indexes, not only of the first one.

With it uv reports less about an index that refuses access, so it is set only if there are several indexes."""
_OLDER = {"UV_DEFAULT_INDEX": ("UV_INDEX_URL",), "UV_INDEX": ("UV_EXTRA_INDEX_URL",)}
"""Older names of the same variables of uv."""
_SECTIONS = ("global", "install")
_COMMAS = ("UV_FIND_LINKS",)  # the values of these variables are separated by commas, those of others by spaces
_TRUE = ("1", "true", "yes", "on")


def uv_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that make uv use pip's indexes, certificates and proxy.

    Variables of uv that the user has set are not overridden.

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
    """Return uv's command-line options for those settings of pip for which uv has no environment variables."""
    return ["--no-index"] if _settings(variables).get("no-index", "").lower() in _TRUE else []


def _for_uv(key: str, value: str) -> str:
    if key == "pre":
        return "allow" if value.lower() in _TRUE else ""
    if key == "timeout":
        return value.partition(".")[0]
    return value


def _settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that pip would use, by the names of pip's options."""
    settings: dict[str, str] = {}
    for file in _files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (OSError, ValueError, configparser.Error):
            continue  # a broken configuration file is ignored; pip itself reports what is wrong with it
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
    """Return pip's configuration files, the one with the highest priority last."""
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
