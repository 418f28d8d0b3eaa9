"""The keys of environments in the cache: hashes of everything that an environment is built from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.environments.wanted import Wanted

_FORM = 1  # the version of the building code; a new number makes all environments be built again
_LENGTH = 16  # hexadecimal digits (64 bits): enough to make equal keys of different environments unlikely
_PATH = re.compile(r"(?:^(?:-\w|--[\w-]+)[ =]*|^[\w.\[\],-]+\s*@\s*file://|^)(?P<path>/[^\s;#\[]+)")


def key_of(kind: str, wanted: Wanted, interpreter: tuple[str, ...], *, relax: bool) -> str:
    """Return the key of an environment; two environments have the same key only if the same packages are to be built.

    The key does not depend on the environment's name, image or variables. It does depend on the content of local files
    and folders that the requirements name.

    Args:
        kind: What builds the environment: `uv`, `conda` or `docker`.
        wanted: What the environment asks for.
        interpreter: The Python (or the image) that the environment is based on; empty if Python is installed with it.
        relax: Whether versions may be loosened.
    """
    content = {
        "form": _FORM,
        "kind": kind,
        "python": wanted.python,
        "conda": wanted.conda,
        "pip": wanted.pip,
        "channels": wanted.channels if kind == "conda" else (),
        "platform": [sys.platform, platform.machine(), *platform.libc_ver()],
        "interpreter": interpreter,
        "relax": relax,
        "local": [_local(line) for line in wanted.pip],
    }
    text = json.dumps(content, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:_LENGTH]


def _local(line: str) -> str:
    """A hash of the file or folder that a requirement names, which changes with its content; empty if it names none."""
    found = _PATH.match(line.strip())
    if found is None or not os.path.exists(found["path"]):
        return ""
    path = Path(found["path"])
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if line.lstrip().startswith(("-e", "--editable")):
        return ""  # an editable install uses the folder itself, so changes in it need no new environment
    return hashlib.sha256("\n".join(_states(path)).encode()).hexdigest()


def _states(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each != "__pycache__")
        for name in sorted(names):
            status = os.lstat(os.path.join(place, name))
            yield f"{place}/{name} {status.st_size} {status.st_mtime_ns}"
