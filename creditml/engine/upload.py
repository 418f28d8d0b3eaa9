"""What a step wrote, made into what an upload to Azure ML would leave of it.

Storage there knows files and folders only. So links become copies of what they lead to, and who may read or write a
file is not kept: a later step reads it whatever its permission bits were.
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
"""Files; to look at more takes a while."""

_OWNER_FILE, _OWNER_FOLDER = 0o600, 0o700


def as_uploaded(place: str) -> list[str]:
    """Make a file or folder self-contained and open to its owner.

    Args:
        place: what was written; it may be a link, and is gone then if that leads nowhere.

    Returns:
        The names of the links that are gone, since they led to nothing that can be kept.
    """
    links = [place] if os.path.islink(place) else _open(place)
    # all is readable by now, and a link that stays inside is followed by those that lead to it
    return [os.path.basename(link) for link in links if not _inner(link, place) and not _copied(link, place)]


def is_much(places: Iterable[str | Path]) -> bool:
    """Whether `as_uploaded` may take long on one of these places: there are many files, or links to be copied."""
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
    shared = not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1  # perhaps with a file that isn't the step's
    if info.st_mode & wanted != wanted and not shared:
        os.chmod(path, stat.S_IMODE(info.st_mode) | wanted)


def _inner(link: str, place: str) -> bool:
    """Whether a link is relative and stays within the place: it goes with it."""
    if link == place or os.path.isabs(os.readlink(link)):
        return False
    target = os.path.realpath(link)
    return os.path.exists(target) and _beneath(target, os.path.realpath(place))


def _copied(link: str, place: str) -> bool:
    """Replace a link by a copy of what it leads to; False if that is no file or folder, or what the link is in."""
    target = os.path.realpath(link)
    os.unlink(link)
    if not (os.path.isfile(target) or os.path.isdir(target)) or _beneath(os.path.realpath(place), target):
        return False
    copy_tree(target, link)
    return True


def _beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
