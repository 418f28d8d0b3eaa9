"""What is looked at and made on disk before a step starts."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from creditml.errors import BackendError
from creditml.seams.start_checks import check_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.seams.launcher import Step

_SAFE = re.compile(r"[A-Za-z0-9_./+:@%=,-]+")  # what bash takes as it is, without quotes


def is_safe(path: str) -> bool:
    """Whether a path can stand in a command without quotes."""
    return bool(_SAFE.fullmatch(path))


def check(step: Step) -> str:
    """Look for what would keep a step from starting, and return the bash to run it with.

    Raises:
        BackendError: It can't be started.
    """
    check_step(step)
    for shell in _shells():
        if os.access(shell, os.X_OK):
            return shell
    message = "there is no bash, which runs the commands of steps: install it, or put its folder on PATH"
    raise BackendError(message)


def _shells() -> Iterator[str]:
    """Where bash may be."""
    yield "/bin/bash"
    for folder in os.get_exec_path():
        yield os.path.join(folder, "bash")


class Links:
    """Links with harmless names to folders whose names aren't, in a private folder that is made when one is needed."""

    def __init__(self, name: str) -> None:
        """Note the folder's name."""
        temporary = os.environ.get("TMPDIR", "")
        safe = temporary if is_safe(temporary) else "/tmp"  # noqa: S108  the folder in it is private
        self._folder = os.path.join(safe, name)
        self._links: dict[str, str] = {}

    def to(self, root: str) -> str:
        """Return the link to a folder.

        Raises:
            BackendError: It can't be made.
        """
        if root not in self._links:
            link = os.path.join(self._folder, str(len(self._links) + 1))
            try:
                if not self._links:
                    os.mkdir(self._folder, 0o700)  # not `makedirs`: it must be new, and nobody else's
                os.symlink(os.path.abspath(root), link)
            except OSError as error:
                message = f"can't make a link at {link}: {error.strerror}. Set TMPDIR to a folder that you can write to"
                raise BackendError(message) from error
            self._links[root] = link
        return self._links[root]

    def remove(self) -> None:
        """Remove the links and their folder."""
        for link in self._links.values():
            with suppress(OSError):
                os.unlink(link)
        if self._links:
            with suppress(OSError):
                os.rmdir(self._folder)
        self._links.clear()
