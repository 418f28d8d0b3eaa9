"""The folders that steps run in, one for each step that runs at a time: making one takes longer than many a step.

A root goes back only if its step ended well and left the layout as it was. Anything else in it is removed then, but for
what the next step may need again: the code, if it is as it was, and empty places for inputs and outputs. The root of a
step that failed stays where it is, to be looked at.
"""

from __future__ import annotations

import os
import shutil
import stat
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from creditml.engine.contract import DATA_FOLDER, INPUT_PREFIX, WORKING_FOLDER
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable
    from pathlib import Path

ARTIFACT_FOLDERS = ("outputs", "logs")
"""Folders of the working folder whose contents become artifacts; scripts write there without making them."""

_CLOCK_TICK = 20_000_000  # ns; what changes sooner after a change may show the same time


class Roots:
    """The roots of one job."""

    def __init__(self, folder: Path) -> None:
        """Make roots in `folder`, which need not exist."""
        self._folder = folder
        self._free: list[Path] = []
        self._codes: dict[Path, _Code] = {}
        self._made = 0

    def take(self, code: Path | None = None, places: Collection[str] = ()) -> Path:
        """A root with a step's code in its working folder, and nothing else.

        Args:
            code: the snapshot of the code.
            places: names in the data folder that the step will make; they may be there already, empty.

        Raises:
            OSError: it can't be made; nothing is left.
        """
        root = self._pick(code)
        try:
            self._clear(root, code, places)
            if code is not None and root not in self._codes:
                self.put(code, root)
        except OSError:
            self._forget(root)
            raise
        return root

    def holds(self, code: Path) -> bool:
        """Whether there is a free root with that code in it."""
        return any(root in self._codes and self._codes[root].source == code for root in self._free)

    def put(self, code: Path, root: Path) -> None:
        """Copy a step's code into its root.

        Raises:
            OSError: That failed.
        """
        self._codes[root] = _Code(code, root)

    def give_back(self, root: Path, began: int | None = None) -> None:
        """Empty a root for the next step; if it isn't as it was made, it goes.

        Args:
            root: the root.
            began: when its step began, in ns since 1970; None if it never did.
        """
        try:
            if root in self._codes and not self._codes[root].is_intact(began):
                del self._codes[root]
            if _empty(str(root), self._codes[root].seen if root in self._codes else ()):
                self._free.append(root)
                return
        except OSError:
            pass
        self._forget(root)

    def drop(self, kept: Iterable[str]) -> None:
        """Remove all but the roots that these places are in."""
        for root in (self._folder / str(number) for number in range(self._made)):
            if not any(place.startswith(f"{root}{os.sep}") for place in kept):
                _remove(str(root))

    def close(self) -> None:
        """Remove what nobody needs any more."""
        for root in self._free:
            shutil.rmtree(root, ignore_errors=True)
        self._free.clear()
        try:
            self._folder.rmdir()
        except OSError:
            return  # roots of failed steps are in it, or there was never one

    def _pick(self, code: Path | None) -> Path:
        """A free root, if possible one with that code in it; or a new one."""
        for root in self._free:
            if root in self._codes and self._codes[root].source == code:
                self._free.remove(root)
                return root
        if self._free:
            return self._free.pop()
        self._folder.mkdir(parents=True, exist_ok=True)
        root = self._folder / str(self._made)
        self._made += 1
        for place in _layout(str(root)):
            os.mkdir(place)
        return root

    def _clear(self, root: Path, code: Path | None, places: Collection[str]) -> None:
        """Remove what was kept for other steps than this one."""
        if root in self._codes and self._codes[root].source != code:
            del self._codes[root]
            _empty(str(root))
        with os.scandir(root / DATA_FOLDER) as entries:
            for entry in entries:
                if entry.name not in places:
                    shutil.rmtree(entry.path)  # it is empty, or nearly so

    def _forget(self, root: Path) -> None:
        self._codes.pop(root, None)
        _remove(str(root))


class _Seen(NamedTuple):
    """A file or folder as it was when it was copied; of a folder, what doesn't change with its contents."""

    inode: int
    mode: int
    size: int = 0
    modified: int = 0
    changed: int = 0


class _Code:
    """A copy of a code snapshot in a root's working folder."""

    def __init__(self, source: Path, root: Path) -> None:
        """Make it.

        Raises:
            OSError: That failed.
        """
        self.source = source
        self._folder = str(root / WORKING_FOLDER)
        for name in ARTIFACT_FOLDERS:
            if (source / name).is_file():  # code may hold files of these names
                os.rmdir(os.path.join(self._folder, name))
        copy_tree(source, self._folder)
        self._layout = {os.path.join(self._folder, name) for name in ARTIFACT_FOLDERS if not (source / name).is_dir()}
        self.seen = {path: seen for path, seen in _look(self._folder).items() if path not in self._layout}

    def is_intact(self, began: int | None) -> bool:
        """Whether it is as it was made; what was added to its folders is removed.

        Args:
            began: when a step began to use it, in ns since 1970; None if none did.
        """
        now = _look(self._folder)
        for path, seen in self.seen.items():
            if now.get(path) != seen:
                return False
            # a change in the same tick of the clock shows the same times
            fresh = began is not None and seen.changed > began - _CLOCK_TICK
            if fresh and not _same(path, str(self.source) + path.removeprefix(self._folder)):
                return False
        for path in now.keys() - self.seen.keys() - self._layout:
            if os.path.dirname(path) in self.seen:  # else it goes with its folder, or `_empty` takes it
                _remove_entry(path)
        return True


def _look(folder: str) -> dict[str, _Seen]:
    """What is below a folder, by path."""
    found: dict[str, _Seen] = {}
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    found[entry.path] = _Seen(info.st_ino, info.st_mode)
                    folders.append(entry.path)
                else:
                    times = info.st_mtime_ns, info.st_ctime_ns
                    found[entry.path] = _Seen(info.st_ino, info.st_mode, info.st_size, *times)
    return found


def _same(one: str, other: str) -> bool:
    with open(one, "rb") as left, open(other, "rb") as right:
        return left.read() == right.read()


def _layout(root: str) -> list[str]:
    """Every folder of a root, outer ones first."""
    places = [root]
    for below in (WORKING_FOLDER, DATA_FOLDER):
        names = below.split("/")
        places += [os.path.join(root, *names[: depth + 1]) for depth in range(len(names))]
    return [*places, *(os.path.join(root, WORKING_FOLDER, name) for name in ARTIFACT_FOLDERS)]


def _empty(root: str, code: Container[str] = ()) -> bool:
    """Remove all but the layout, the code and empty places for data; False if the layout itself was changed."""
    places = _layout(root)
    kept = set(places)
    data = os.path.join(root, DATA_FOLDER)
    mode = os.lstat(os.path.dirname(root)).st_mode
    for place in places:
        if os.path.basename(place) in ARTIFACT_FOLDERS and not os.path.lexists(place):
            os.mkdir(place)  # it was kept
        if os.lstat(place).st_mode != mode:  # a link, a file, or closed to its owner
            return False
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.path in kept or entry.path in code or (place == data and _is_blank(entry, mode)):
                    continue
                _remove_entry(entry.path)
    return stat.S_ISDIR(mode)


def _is_blank(place: os.DirEntry[str], mode: int) -> bool:
    """Whether a place for data is as good as new: an empty folder, or one with an empty file for an input in it."""
    if place.stat(follow_symlinks=False).st_mode != mode:
        return False
    with os.scandir(place.path) as entries:
        left = list(islice(entries, 2))
    return not left or (len(left) == 1 and place.name.startswith(INPUT_PREFIX) and _is_empty_file(left[0]))


def _is_empty_file(entry: os.DirEntry[str]) -> bool:
    info = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(info.st_mode) and info.st_size == 0 and info.st_nlink == 1


def _remove_entry(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _remove(root: str) -> None:
    """Remove a root, even if the step has closed folders in it to their owner."""
    shutil.rmtree(root, ignore_errors=True)
    for folder, names, _ in os.walk(root):
        for place in (os.path.join(folder, name) for name in names):
            if not os.path.islink(place):
                os.chmod(place, 0o700)  # before it is walked
    shutil.rmtree(root, ignore_errors=True)
