"""What every launcher checks and prepares on disk before it starts a step."""

from __future__ import annotations

import os
from errno import EEXIST
from typing import TYPE_CHECKING

from creditml.errors import BackendError

if TYPE_CHECKING:
    from creditml.seams.launcher import Step

_LONGEST_COMMAND = 128 * 1024 - 1  # bytes; Linux's MAX_ARG_STRLEN without the zero at the end


def check_step(step: Step) -> None:
    """Check that the step's folders exist, and that its command can be passed to bash.

    Raises:
        BackendError: The step can't be started.
    """
    cwd, log_folder = os.path.join(step.root, step.cwd), os.path.dirname(step.log)
    for what, folder in (("working folder", cwd), ("log's folder", log_folder)):
        if not os.path.isdir(folder):
            message = f"{step.run_id}: the {what} {folder} doesn't exist: was it removed while the job was running?"
            raise BackendError(message)
    try:
        size = len(os.fsencode(step.command))
    except UnicodeEncodeError as error:
        message = f"{step.run_id}: the command has a character that can't be encoded as text; remove it: {error}"
        raise BackendError(message) from error
    if size > _LONGEST_COMMAND:
        message = (
            f"{step.run_id}: the command has {size:,} bytes, but Linux allows at most {_LONGEST_COMMAND:,}:"
            " put long values into a file, and pass the file's name"
        )
        raise BackendError(message)


def make_mount_places(step: Step) -> None:
    """Make the places in a step's folder where its inputs will be mounted or linked.

    Raises:
        BackendError: An input doesn't exist, or its place in the step's folder can't be made.
    """
    root = os.path.normpath(step.root)
    for mount in step.mounts:
        link = os.path.normpath(os.path.join(root, mount.target))
        if not link.startswith(root.rstrip("/") + "/"):
            message = f"{step.run_id}: {mount.target} is outside the step's folder: choose a path inside it"
            raise BackendError(message)
        if not os.path.exists(mount.source):
            message = f"{step.run_id}: the input {mount.source} doesn't exist: was it moved while the job was running?"
            raise BackendError(message)
        try:
            _clear(link, os.path.abspath(mount.source))
        except OSError as error:
            message = f"{step.run_id}: the input {mount.source} can't be made available at {link}: {error.strerror}"
            raise BackendError(message) from error


def _clear(link: str, source: str) -> None:
    if os.path.lexists(link) and not _is_in_place(link, source):
        raise FileExistsError(EEXIST, os.strerror(EEXIST))
    os.makedirs(os.path.dirname(link), exist_ok=True)


def _is_in_place(link: str, source: str) -> bool:
    """Whether `link` was made for this source by an earlier step: a link to it, or an empty mount point of its kind."""
    if os.path.islink(link):
        return os.path.realpath(link) == os.path.realpath(source)
    if os.path.isdir(source):
        return os.path.isdir(link) and not os.listdir(link)
    return os.path.isfile(link) and os.path.getsize(link) == 0
