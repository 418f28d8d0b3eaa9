"""Outputs as an upload to Azure ML would leave them.

Azure's storage has only files and folders. So links become copies of what they lead to, and permissions are not kept: a
later step can read a file whatever its permission bits were.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from creditml.engine.seen_data import beneath, stays
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from creditml.engine.seen_data import SeenData

MANY = 1000
"""A number of files; to go through more takes so long that it is done in a thread."""

_OWNER_FILE, _OWNER_FOLDER = 0o600, 0o700


def as_uploaded(place: str, seen: SeenData | None = None) -> list[str]:
    """Make a file or folder self-contained and open to its owner.

    Args:
        place: what was written. If it is itself a link that leads nowhere, it is removed.
        seen: the data of an isolated step; its links mean paths of its own file system, and lead nowhere else. None for
            a step that could itself read what its links lead to on this machine.

    Returns:
        The names of what was removed since it can't be kept: links that lead to nothing that the step may keep, and of
        isolated steps also pipes, sockets and devices.
    """
    links, others = ([place], []) if os.path.islink(place) else _open(place)
    if seen is None:
        # the order doesn't matter: all is readable by now, and a link that stays is followed if another leads to it
        return [os.path.basename(link) for link in links if not _inner(link, place) and not _copied(link, place)]
    for path in others:
        os.unlink(path)
    removed = others + [link for link in links if not _stays(link, place) and not _replaced(link, seen)]
    # what they led to within the place may have been removed just now
    dangling = [link for link in links if os.path.islink(link) and not _stays(link, place)]
    for link in dangling:
        os.unlink(link)
    return [os.path.basename(path) for path in (*removed, *dangling)]


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


def _open(place: str) -> tuple[list[str], list[str]]:
    """Let the owner read and write all files and folders; returns the links, and what is none of these three."""
    links: list[str] = []
    others: list[str] = []
    mode = os.lstat(place).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return [], [place]
    _permit(place, os.lstat(place))
    folders = [place] if stat.S_ISDIR(mode) else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.append(entry.path)
                    continue
                if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
                    others.append(entry.path)
                    continue
                _permit(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return links, others


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
    return os.path.exists(target) and beneath(target, os.path.realpath(place))


def _copied(link: str, place: str) -> bool:
    """Replace a link by a copy; False if it leads to a folder that it lies in, or not to a file or folder at all."""
    target = os.path.realpath(link)
    os.unlink(link)
    if not (os.path.isfile(target) or os.path.isdir(target)) or beneath(os.path.realpath(place), target):
        return False
    copy_tree(target, link)
    return True


def _stays(link: str, place: str) -> bool:
    """The same as `_inner`, for a link that this machine must not follow."""
    return link != place and stays(link, place)


def _replaced(link: str, seen: SeenData) -> bool:
    """Replace a link of an isolated step by a copy of what it leads to there; False if that isn't the step's data."""
    path = seen.seen(link)
    target = os.path.join(os.path.dirname(path), os.readlink(link)) if path else ""
    os.unlink(link)
    return bool(target) and seen.copy(target, link)
