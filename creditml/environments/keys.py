"""What makes two environments the same: all that they are built from."""

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

_FORM = 1  # of what is built; another one makes every environment anew
_LENGTH = 16  # 64 bits: nobody has as many environments
_PATH = re.compile(r"(?:^(?:-\w|--[\w-]+)[ =]*|^[\w.\[\],-]+\s*@\s*file://|^)(?P<path>/[^\s;#\[]+)")


def key_of(kind: str, wanted: Wanted, interpreter: tuple[str, ...], *, relax: bool) -> str:
    """Return a key that two environments share only if the same is to be built.

    That is neither what they are called nor their image or variables, but the content of files and folders that their
    requirements name.

    Args:
        kind: What builds it.
        wanted: What is asked for.
        interpreter: The Python found for it, if it isn't part of what is built.
        relax: Whether pins may be loosened.
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
    """What tells one state of a file or folder that a line names from another."""
    found = _PATH.match(line.strip())
    if found is None or not os.path.exists(found["path"]):
        return ""
    path = Path(found["path"])
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if line.lstrip().startswith(("-e", "--editable")):
        return ""  # it stays where it is
    return hashlib.sha256("\n".join(_states(path)).encode()).hexdigest()


def _states(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each != "__pycache__")
        for name in sorted(names):
            status = os.lstat(os.path.join(place, name))
            yield f"{place}/{name} {status.st_size} {status.st_mtime_ns}"
