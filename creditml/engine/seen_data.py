"""Links that an isolated step has written, followed as the step itself would follow them.

An isolated step sees only its root and what is mounted for it. A link that it writes means a path of *its* file system;
followed by this machine, the same link would lead to other files, which the step may not read. So nothing here asks the
system to follow a link: paths are walked name by name, and only in the step's own data.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from creditml.workspace.content import copy_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_MOST_LINKS = 40  # on one path, as in Linux

Parts = tuple[str, ...]


class SeenData:
    """The step's own data: each folder or file of this machine that the step sees, by the path at which it sees it."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places` are absolute paths as the step sees them, and what is there on this machine."""
        self._places = {_parts(seen): os.path.abspath(place) for seen, place in places.items()}
        self._longest = max(map(len, self._places), default=0)

    def find(self, path: str) -> Parts | None:
        """The place without links to which a path of the step leads; None if there is nothing of its own data."""
        found = follow(self._host, (), _parts(path), step_root=True)
        host = None if found is None else self._host(found)
        return found if host and os.path.lexists(host) else None

    def seen(self, host: str) -> str | None:
        """The path at which the step sees a place of this machine."""
        for parts, place in self._places.items():
            if beneath(host, place):
                return os.path.join("/", *parts, os.path.relpath(host, place))
        return None

    def copy(self, path: str, target: str) -> bool:
        """Copy what a path of the step's leads to, with copies in place of all links; False if there is nothing."""
        found = self.find(path)
        return found is not None and self._copy(found, target, ())

    def _copy(self, at: Parts, target: str, within: tuple[str, ...]) -> bool:
        place = self._host(at)
        assert place is not None  # noqa: S101  it was found
        mode = os.lstat(place).st_mode
        if stat.S_ISREG(mode):
            copy_file(place, target)
            return True
        if not stat.S_ISDIR(mode) or place in within or beneath(os.path.realpath(target), os.path.realpath(place)):
            return False
        os.makedirs(target, exist_ok=True)
        for name in sorted(os.listdir(place)):
            found = self.find(os.path.join("/", *at, name))
            if found is not None:
                self._copy(found, os.path.join(target, name), (*within, place))
        return True

    def _host(self, at: Parts) -> str | None:
        """The place on this machine of a path of the step's; None for a path that isn't the step's own data."""
        for length in range(min(len(at), self._longest), -1, -1):
            place = self._places.get(at[:length])
            if place is not None:
                return os.path.join(place, *at[length:])
        return None


def follow(host: Callable[[Parts], str | None], at: Parts, path: Parts, *, step_root: bool) -> Parts | None:
    """Walk a path name by name, through links, without the system following any.

    Args:
        host: gives the place on this machine of a walked path; None if there is none, so that no link is there.
        at: where the walk begins, without links.
        path: the names to walk.
        step_root: whether `()` is the root of a file system, where absolute links begin and `..` stays. Otherwise it is
            a folder that the walk may not leave.

    Returns:
        Where the path leads; None if it leaves the folder, or has too many links.
    """
    todo, links = list(reversed(path)), 0
    while todo:
        name = todo.pop()
        if name == "..":
            if not at and not step_root:
                return None
            at = at[:-1]
            continue
        at = (*at, name)
        place = host(at)
        if place is None or not os.path.islink(place):
            continue
        target, links = os.readlink(place), links + 1
        if links > _MOST_LINKS or (os.path.isabs(target) and not step_root):
            return None
        at = () if os.path.isabs(target) else at[:-1]
        todo += reversed(_parts(target))
    return at


def stays(link: str, place: str) -> bool:
    """Whether a link leads to a file or folder within a place, on a way that never leaves the place."""
    found = follow(lambda at: os.path.join(place, *at), (), _parts(os.path.relpath(link, place)), step_root=False)
    if found is None:
        return False
    try:
        mode = os.lstat(os.path.join(place, *found)).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def is_real(root: str | Path, path: str) -> bool:
    """Whether no folder on the way from a root to a path in it is a link; the path's own end may be one."""
    folder = os.fspath(root)
    for name in _parts(os.path.dirname(path)):
        folder = os.path.join(folder, name)
        if os.path.islink(folder):
            return False
    return True


def beneath(path: str, folder: str) -> bool:
    """Whether a path is a folder, or is in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _parts(path: str) -> Parts:
    return tuple(name for name in path.split("/") if name not in ("", "."))
