"""What the local launcher checks and prepares before it starts a step: bash, and links with safe names."""

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

_SAFE = re.compile(r"[A-Za-z0-9_./+:@%=,-]+")  # characters that bash does not interpret


def is_safe(path: str) -> bool:
    """Whether a path can be used in a command without quotes."""
    return bool(_SAFE.fullmatch(path))


def check(step: Step) -> str:
    """Check that a step can be started, and return the path of bash.

    Raises:
        BackendError: The step can't be started, or bash was not found.
    """
    check_step(step)
    for shell in _shells():
        if os.access(shell, os.X_OK):
            return shell
    message = "bash, which runs the commands of steps, was not found: install it, or add its folder to PATH"
    raise BackendError(message)


def _shells() -> Iterator[str]:
    """The paths at which bash may be."""
    yield "/bin/bash"
    for folder in os.get_exec_path():
        yield os.path.join(folder, "bash")


class Links:
    """Links to folders whose paths have characters that bash interprets.

    The links are in a private folder, which is made for the first link.
    """

    def __init__(self, name: str) -> None:
        """Use a folder with this name among the temporary files."""
        temporary = os.environ.get("TMPDIR", "")
        safe = temporary if is_safe(temporary) else "/tmp"  # noqa: S108  a private folder is made in it
        self._folder = os.path.join(safe, name)
        self._links: dict[str, str] = {}

    def to(self, root: str) -> str:
        """Return the link to a folder; it is made if there is none.

        Raises:
            BackendError: The link can't be made.
        """
        if root not in self._links:
            link = os.path.join(self._folder, str(len(self._links) + 1))
            try:
                if not self._links:
                    os.mkdir(self._folder, 0o700)  # not `makedirs`: a folder of another user must not be used
                os.symlink(os.path.abspath(root), link)
            except OSError as error:
                message = (
                    f"can't create the link {link}: {error.strerror}. Set TMPDIR to a folder that you can write to"
                )
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
