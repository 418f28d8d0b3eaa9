"""A folder that steps run in one after the other, and what it keeps from one step to the next.

It keeps its own folders, the code if no step has changed it, and empty places for data. Whether a step has changed a
file shows in the file's inode and times: a program can set back the time of modification, but not that of the last
change of the inode. The clock of a file system ticks slowly, so a file that was made just before a step began may be
changed without a new time: such files are compared in full.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from creditml.engine.step_view import DATA_FOLDER, INPUT_PREFIX, WORKING_FOLDER
from creditml.logs import KEPT_FOLDERS
from creditml.workspace.content import copy_tree

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_CLOCK_TICK = 20_000_000  # ns; two changes within this time may show the same time


class _Seen(NamedTuple):
    """What identifies the state of a file or folder."""

    inode: int
    mode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def at(cls, path: str) -> _Seen:
        """The state as it is now."""
        info = os.lstat(path)
        return cls(info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns)

    def is_certain(self, began: int | None) -> bool:
        """Whether this state differs from every later one, if a command that may change it began at that time."""
        return began is None or self.changed < began - _CLOCK_TICK


class Root:
    """A folder for one step at a time. `restore` makes it fit for the next step.

    To make a root's folders and copy code into it takes longer than many a step runs. So a root is used again, and only
    what a step has changed in it is put right; that must be found out without reading all files.
    """

    def __init__(self, path: Path) -> None:
        """Make its folders.

        Raises:
            OSError: they can't be made.
        """
        self.path = path
        self.code: Path | None = None
        """The snapshot that is in the working folder."""
        self._began: int | None = None  # when the step's command was started, in ns since 1970
        root = str(path)
        self._data, self._working = os.path.join(root, DATA_FOLDER), os.path.join(root, WORKING_FOLDER)
        self._artifacts = {os.path.join(self._working, name): name for name in KEPT_FOLDERS}
        self._places: set[str] = set()  # empty ones in the data folder
        self._files: dict[str, _Seen] = {}  # the code's
        self._folders: dict[str, _Seen] = {}  # the code's, but for those of the layout
        self._layout: dict[str, _Seen] = {}
        for folder in _layout(root):
            os.mkdir(folder)
        self._look(*_layout(root))

    def put(self, code: Path) -> None:
        """Copy code into the working folder.

        Raises:
            OSError: it can't be copied.
        """
        for place, name in self._artifacts.items():
            if (code / name).is_file():  # code may hold files of these names
                os.rmdir(place)
        copy_tree(code, self._working)
        for folder, folders, files in os.walk(self._working):
            self._files |= {path: _Seen.at(path) for path in (os.path.join(folder, name) for name in files)}
            inner = (os.path.join(folder, name) for name in folders)
            self._folders |= {path: _Seen.at(path) for path in inner if path not in self._artifacts}
        self._look(self._working, *self._artifacts)
        self.code = code

    def command_starts(self) -> None:
        """From now on files may change."""
        self._began = time.time_ns()

    def clear(self, code: Path | None, places: Collection[str]) -> None:
        """Remove code other than this, and places for data that aren't among these."""
        if self.code is not None and self.code != code:
            self._drop_code()
        for name in self._places.difference(places):
            shutil.rmtree(os.path.join(self._data, name))
        self._places.intersection_update(places)

    def artifacts(self) -> list[str]:
        """The names of the folders for artifacts that aren't empty, or that something else has replaced."""
        found = []
        for place, name in self._artifacts.items():
            if not os.path.lexists(place) or (self._is_unchanged(place) and not self._has_code(place)):
                continue
            if not stat.S_ISDIR(os.lstat(place).st_mode) or os.listdir(place):
                found.append(name)
        return found

    def restore(self) -> bool:
        """Remove all that a step has left, and code that it has changed.

        Returns:
            Whether the folder can be used again: not if the step has replaced or closed a folder of the layout.

        Raises:
            OSError: something can't be removed.
        """
        if not all(_is_folder(folder) for folder in self._layout if folder not in self._artifacts):
            return False  # a link in place of a folder would lead to files outside of the root
        if self.code is not None and not self._is_code_intact():
            self._drop_code()
        fit = all(self._restore_folder(folder) for folder in self._layout)
        self._began = None
        return fit

    def _restore_folder(self, folder: str) -> bool:
        if folder in self._artifacts and not os.path.lexists(folder):  # it became an artifact
            os.mkdir(folder)
        elif (
            os.lstat(folder).st_mode != self._layout[folder].mode
        ):  # a link, a file, or without its owner's permissions
            return False
        elif folder == self._data:
            self._places = _blanks(folder, self._layout[folder].mode)
            self._strip(folder)
        elif not self._is_unchanged(folder):
            self._strip(folder)
        else:
            return True
        self._look(folder)
        return True

    def _is_code_intact(self) -> bool:
        try:
            for path, seen in self._files.items():
                if _Seen.at(path) != seen:
                    return False
                if not seen.is_certain(self._began) and not _same(
                    path, f"{self.code}{path.removeprefix(self._working)}"
                ):
                    return False
            for folder, seen in self._folders.items():
                now = _Seen.at(folder)
                if (now.inode, now.mode) != (seen.inode, seen.mode):
                    return False
                if now != seen or not seen.is_certain(self._began):
                    self._strip(folder)
                    self._folders[folder] = _Seen.at(folder)
        except FileNotFoundError:
            return False
        return True

    def _drop_code(self) -> None:
        self.code = None
        self._files.clear()
        self._folders.clear()
        for folder in (self._working, *self._artifacts):
            if os.path.isdir(folder) and not os.path.islink(folder):
                self._strip(folder)
                self._look(folder)

    def _strip(self, folder: str) -> None:
        """Remove what is in a folder and doesn't belong there."""
        with os.scandir(folder) as entries:
            for entry in entries:
                known = entry.path in self._layout or entry.path in self._files or entry.path in self._folders
                if not known and not (folder == self._data and entry.name in self._places):
                    _remove(entry)

    def _look(self, *folders: str) -> None:
        """Remember the state of folders of the layout."""
        self._layout |= {folder: _Seen.at(folder) for folder in folders if os.path.lexists(folder)}

    def _is_unchanged(self, folder: str) -> bool:
        """Whether nothing was added to a folder of the layout or removed from it."""
        seen = self._layout[folder]
        return seen.is_certain(self._began) and _Seen.at(folder) == seen

    def _has_code(self, folder: str) -> bool:
        return any(path.startswith(f"{folder}{os.sep}") for path in (*self._files, *self._folders))


def _layout(root: str) -> list[str]:
    """Every folder of a new root, outer ones first."""
    places = [root]
    for below in (WORKING_FOLDER, DATA_FOLDER):
        names = below.split("/")
        places += [os.path.join(root, *names[: depth + 1]) for depth in range(len(names))]
    return [*places, *(os.path.join(root, WORKING_FOLDER, name) for name in KEPT_FOLDERS)]


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


def _blanks(folder: str, mode: int) -> set[str]:
    """The places for data that need not be made again: empty folders, and for inputs those with one empty file."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if _is_blank(entry, mode)}


def _is_blank(place: os.DirEntry[str], mode: int) -> bool:
    if place.stat(follow_symlinks=False).st_mode != mode:
        return False
    with os.scandir(place.path) as entries:
        left = list(islice(entries, 2))
    return not left or (len(left) == 1 and place.name.startswith(INPUT_PREFIX) and _is_empty_file(left[0]))


def _is_empty_file(entry: os.DirEntry[str]) -> bool:
    info = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(info.st_mode) and info.st_size == 0 and info.st_nlink == 1


def _same(one: str, other: str) -> bool:
    with open(one, "rb") as left, open(other, "rb") as right:
        return left.read() == right.read()


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)
