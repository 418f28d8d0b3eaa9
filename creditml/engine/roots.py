"""The folders that steps run in, one for each step that runs at a time: making one takes longer than many a step.

A root goes back only if its step ended well and left the layout as it was; anything else in it is removed then. The
root of a step that failed stays where it is, to be looked at.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from creditml.engine.contract import DATA_FOLDER, WORKING_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

ARTIFACT_FOLDERS = ("outputs", "logs")
"""Folders of the working folder whose contents become artifacts; scripts write there without making them."""


class Roots:
    """The roots of one job."""

    def __init__(self, folder: Path) -> None:
        """Make roots in `folder`, which need not exist."""
        self._folder = folder
        self._free: list[Path] = []
        self._made = 0

    def take(self) -> Path:
        """An empty root: working folder and data folder in it, and nothing else."""
        if self._free:
            return self._free.pop()
        self._folder.mkdir(parents=True, exist_ok=True)
        root = self._folder / str(self._made)
        self._made += 1
        for place in _layout(str(root)):
            os.mkdir(place)
        return root

    def give_back(self, root: Path) -> None:
        """Empty a root for the next step; if it isn't as it was made, it goes."""
        try:
            intact = _empty(str(root))
        except OSError:
            intact = False
        if intact:
            self._free.append(root)
        else:
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


def _layout(root: str) -> list[str]:
    """Every folder of a root, outer ones first."""
    places = [root]
    for below in (WORKING_FOLDER, DATA_FOLDER):
        names = below.split("/")
        places += [os.path.join(root, *names[: depth + 1]) for depth in range(len(names))]
    return [*places, *(os.path.join(root, WORKING_FOLDER, name) for name in ARTIFACT_FOLDERS)]


def _empty(root: str) -> bool:
    """Remove everything but the layout; False if the layout itself was changed."""
    places = _layout(root)
    kept = set(places)
    mode = os.lstat(os.path.dirname(root)).st_mode
    for place in places:
        if os.path.basename(place) in ARTIFACT_FOLDERS and not os.path.lexists(place):
            os.mkdir(place)  # it was kept
        if os.lstat(place).st_mode != mode:  # a link, a file, or closed to its owner
            return False
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.path in kept:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
    return stat.S_ISDIR(mode)


def _remove(root: str) -> None:
    """Remove a root, even if the step has closed folders in it to their owner."""
    shutil.rmtree(root, ignore_errors=True)
    for folder, names, _ in os.walk(root):
        for place in (os.path.join(folder, name) for name in names):
            if not os.path.islink(place):
                os.chmod(place, 0o700)  # before it is walked
    shutil.rmtree(root, ignore_errors=True)
