"""The user's folder for what can be made or fetched again, such as environments, packages and downloads."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Where creditml keeps what can be made or fetched again, for all workspaces of a user.

    That is $CREDITML_CACHE; else `creditml` in $XDG_CACHE_HOME, if that is an absolute path (its specification says to
    ignore others); else `creditml` in the system's usual place, `~/Library/Caches` on macOS and `~/.cache` elsewhere.
    """
    if own := os.environ.get("CREDITML_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(Path.home(), *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)))
    return Path(base, "creditml")
