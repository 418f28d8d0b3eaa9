"""Outputs as an upload to Azure ML would leave them.

Azure's storage has only files and folders. So links become copies of what they lead to, and permissions are not kept: a
later step can read a file whatever its permission bits were.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANY = 1000
"""A number of files; to go through more takes so long that it is done in a thread."""

_OWNER_FILE, _OWNER_FOLDER = 0o600, 0o700


def as_uploaded(place: str) -> list[str]:
    """Make a file or folder self-contained and open to its owner.

    Args:
        place: what was written. If it is itself a link that leads nowhere, it is removed.

    Returns:
        The names of the links that were removed since they led to nothing that can be kept.
    """
    links = [place] if os.path.islink(place) else _open(place)
    # the order doesn't matter: all is readable by now, and a link that stays is followed if another one leads to it
    return [os.path.basename(link) for link in links if not _inner(link, place) and not _copied(link, place)]


def is_much(places: Iterable[str | Path]) -> bool:
    """Whether `as_uploaded` may take long for these places: there are many files, or links that must be copied."""
    rest = MANY
    folders: list[str | Path] = []
    for place in places:
        try:
            mode = os.lstat(place).st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            return True
        if stat.S_ISDIR(mode):
            folders.append(place)
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    rest -= 1
                    if rest < 0 or entry.is_symlink():
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    except OSError:  # closed to its owner: `as_uploaded` opens it
        return True
    return False


def _open(place: str) -> list[str]:
    """Let the owner read and write everything; returns the links, which are left as they are."""
    links = []
    _permit(place, os.lstat(place))
    folders = [place] if os.path.isdir(place) else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.append(entry.path)
                    continue
                _permit(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return links


def _permit(path: str, info: os.stat_result) -> None:
    wanted = _OWNER_FOLDER if stat.S_ISDIR(info.st_mode) else _OWNER_FILE
    shared = (
        not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1
    )  # the other name may be that of a file that isn't the step's
    if info.st_mode & wanted != wanted and not shared:
        os.chmod(path, stat.S_IMODE(info.st_mode) | wanted)


def _inner(link: str, place: str) -> bool:
    """Whether a link is relative and leads to something within the place, so that it can stay."""
    if link == place or os.path.isabs(os.readlink(link)):
        return False
    target = os.path.realpath(link)
    return os.path.exists(target) and _beneath(target, os.path.realpath(place))


def _copied(link: str, place: str) -> bool:
    """Replace a link by a copy; False if it leads to a folder that it lies in, or not to a file or folder at all."""
    target = os.path.realpath(link)
    os.unlink(link)
    if not (os.path.isfile(target) or os.path.isdir(target)) or _beneath(os.path.realpath(place), target):
        return False
    copy_tree(target, link)
    return True


def _beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
