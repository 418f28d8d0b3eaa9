"""The secret of a workspace, in a file that only its owner can read. What lets clients in is derived from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "service"
"""The folder in a workspace with the secret and what the service keeps."""
_BYTES = 32


def workspace_secret(root: Path) -> bytes:
    """The 32 random bytes of the workspace folder `root`, which are made when they are first needed.

    All processes that ask at once get the same bytes.
    """
    file = root / FOLDER / "secret"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        pass
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}-{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(os.urandom(_BYTES))
    try:
        os.link(draft, file)  # another process may have been faster
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_bytes()
