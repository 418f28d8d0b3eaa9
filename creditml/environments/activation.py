"""The variables that activating a conda environment sets, including those that its packages' scripts set."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 60.0  # seconds that the packages' activation scripts may take
_OF_BASH = ("PATH", "PWD", "OLDPWD", "SHLVL", "_")
_ALL = 'for script in "$@"; do . "$script"; done >&2; env -0'


def activated(folder: str) -> Mapping[str, str]:
    """Return the variables that `conda activate` would set, except PATH.

    conda docs (managing environments): `conda-meta/state`, `etc/conda/env_vars.d`, `etc/conda/activate.d`.
    """
    own = {"CONDA_PREFIX": folder, "CONDA_DEFAULT_ENV": folder, "CONDA_SHLVL": "1"}
    for file in sorted(Path(folder, "etc", "conda", "env_vars.d").glob("*.json")):
        own |= _texts(file)
    scripts = sorted(str(each) for each in Path(folder, "etc", "conda", "activate.d").glob("*.sh"))
    return {**own, **_run(scripts, own, folder)} if scripts else own


def _texts(file: Path) -> dict[str, str]:
    with suppress(OSError, ValueError, AttributeError):
        return {name: value for name, value in json.loads(file.read_bytes()).items() if isinstance(value, str)}
    return {}


def _run(scripts: list[str], own: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the variables that the activation scripts set; none if they can't be run."""
    path = f"{folder}/bin:{os.environ.get('PATH', os.defpath)}"
    before = {**own, "PATH": path, "HOME": os.path.expanduser("~")}
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", _ALL, "bash", *scripts], env=before, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    pairs = (each.partition("=") for each in done.stdout.decode(errors="replace").split("\0") if each)
    return {name: value for name, _, value in pairs if name not in _OF_BASH and before.get(name) != value}
