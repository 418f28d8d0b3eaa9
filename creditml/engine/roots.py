"""The folders that steps run in: there are as many as steps run at a time, since to make one takes longer than a step.

A step that ended well leaves its root for the next one. Whatever else the step has put there is removed, but the code
stays if it wasn't changed, and so do empty places for inputs and outputs. The root of a step that failed stays where it
is, for people to look at. `Roots` alone makes, hands out and removes roots; a step holds the one that it has taken.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from creditml.engine.root import Root

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Roots:
    """The roots of one job."""

    def __init__(self, folder: Path) -> None:
        """Make roots in `folder`, which need not exist."""
        self._folder = folder
        self._free: list[Root] = []
        self._used: list[Root] = []  # left by steps that ended well, not yet cleared
        self._made = 0

    def take(self, code: Path | None = None, places: Collection[str] = ()) -> Root:
        """A root with a step's code in its working folder, and nothing else.

        Args:
            code: the snapshot of the code.
            places: names of folders in the data folder that the step will need; they may be there already, empty.

        Raises:
            OSError: it can't be made; nothing is left.
        """
        root = self._pick(code)
        try:
            root.clear(code, places)
            if code is not None and root.code is None:
                root.put(code)
        except OSError:
            _remove(root.path)
            raise
        return root

    def holds(self, code: Path) -> bool:
        """Whether there is a free root with that code in it."""
        return any(root.code == code for root in self._free)

    def leave(self, root: Root) -> None:
        """Take back the root of a step that ended well, to be cleared when there is time for it."""
        self._used.append(root)

    def clear(self) -> None:
        """Clear the roots that steps have left."""
        while self._used:
            self.give_back(self._used.pop())

    def give_back(self, root: Root) -> None:
        """Clear a root for the next step, or remove it if it isn't fit for one."""
        try:
            if root.restore():
                self._free.append(root)
                return
        except OSError:
            pass
        _remove(root.path)

    def drop(self, kept: Iterable[str]) -> None:
        """Remove all but the roots that these places are in."""
        for root in (self._folder / str(number) for number in range(self._made)):
            if not any(place.startswith(f"{root}{os.sep}") for place in kept):
                _remove(root)

    def close(self) -> None:
        """Remove the free roots. What steps that failed have left stays."""
        for root in self._free:
            shutil.rmtree(root.path, ignore_errors=True)
        self._free.clear()
        try:
            self._folder.rmdir()
        except OSError:
            return  # roots of failed steps are in it, or there was never one

    def _pick(self, code: Path | None) -> Root:
        """A free root, if possible one with that code in it; or a new one."""
        for root in self._free:
            if root.code == code:
                self._free.remove(root)
                return root
        if self._free:
            return self._free.pop()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / str(self._made)
        self._made += 1
        return Root(path)


def _remove(root: Path) -> None:
    """Remove a root, even if the step has closed folders in it to their owner."""
    shutil.rmtree(root, ignore_errors=True)
    for folder, names, _ in os.walk(root):
        for place in (os.path.join(folder, name) for name in names):
            if not os.path.islink(place):
                os.chmod(place, 0o700)  # before it is walked
    shutil.rmtree(root, ignore_errors=True)
