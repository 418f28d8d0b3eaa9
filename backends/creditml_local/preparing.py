"""What is looked at and made on disk before a step starts."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from errno import EEXIST
from typing import TYPE_CHECKING

from creditml.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.executor import Step

_SAFE = re.compile(r"[A-Za-z0-9_./+:@%=,-]+")  # what bash takes as it is, without quotes
_LONGEST_COMMAND = 128 * 1024 - 1  # bytes; Linux: MAX_ARG_STRLEN, less the zero at the end


def is_safe(path: str) -> bool:
    """Whether a path can stand in a command without quotes."""
    return bool(_SAFE.fullmatch(path))


def check(step: Step) -> str:
    """Look for what would keep a step from starting, and return the bash to run it with.

    Raises:
        BackendError: It can't be started.
    """
    cwd, log_folder = os.path.join(step.root, step.cwd), os.path.dirname(step.log)
    for what, folder in (("working folder", cwd), ("log's folder", log_folder)):
        if not os.path.isdir(folder):
            message = f"{step.run_id}: the {what} {folder} isn't there: was it removed while the job ran?"
            raise BackendError(message)
    try:
        size = len(os.fsencode(step.command))
    except UnicodeEncodeError as error:
        message = f"{step.run_id}: the command has a character that no text can have: {error}"
        raise BackendError(message) from error
    if size > _LONGEST_COMMAND:
        message = (
            f"{step.run_id}: the command has {size:,} bytes, and Linux takes {_LONGEST_COMMAND:,}:"
            " put what is long into a file, and name the file"
        )
        raise BackendError(message)
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


def clear_the_way(step: Step) -> None:
    """See to it that what a step reads can appear in its root: as a mount, or as a link.

    Raises:
        BackendError: Something isn't there, or can't be made to appear.
    """
    root = os.path.normpath(step.root)
    for mount in step.mounts:
        link = os.path.normpath(os.path.join(root, mount.target))
        if not link.startswith(root.rstrip("/") + "/"):
            message = f"{step.run_id}: {mount.target} lies outside of the step's folder: choose a path within it"
            raise BackendError(message)
        if not os.path.exists(mount.source):
            message = f"{step.run_id}: its input {mount.source} isn't there: was it moved while the job ran?"
            raise BackendError(message)
        try:
            _clear(link, os.path.abspath(mount.source))
        except OSError as error:
            message = f"{step.run_id}: can't make its input {mount.source} appear at {link}: {error.strerror}"
            raise BackendError(message) from error


def _clear(link: str, source: str) -> None:
    if os.path.lexists(link) and not _is_in_place(link, source):
        raise FileExistsError(EEXIST, os.strerror(EEXIST))
    os.makedirs(os.path.dirname(link), exist_ok=True)


def _is_in_place(link: str, source: str) -> bool:
    """Whether the source was there already, as a link or as something empty to mount it on: from an earlier step."""
    if os.path.islink(link):
        return os.path.realpath(link) == os.path.realpath(source)
    if os.path.isdir(source):
        return os.path.isdir(link) and not os.listdir(link)
    return os.path.isfile(link) and os.path.getsize(link) == 0


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
