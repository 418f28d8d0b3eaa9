"""The folders that steps run in, one for each step that runs at a time: making one takes longer than many a step.

A root goes back only if its step ended well and left the layout as it was. Anything else in it is removed then, but for
what the next step may need again: the code, if it is as it was, and empty places for inputs and outputs. The root of a
step that failed stays where it is, to be looked at.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from creditml.engine.root_contents import Kept

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Roots:
    """The roots of one job."""

    def __init__(self, folder: Path) -> None:
        """Make roots in `folder`, which need not exist."""
        self._folder = folder
        self._free: list[Path] = []
        self._kept: dict[Path, Kept] = {}
        self._made = 0

    def take(self, code: Path | None = None, places: Collection[str] = ()) -> Path:
        """A root with a step's code in its working folder, and nothing else.

        Args:
            code: the snapshot of the code.
            places: names of folders in the data folder that the step will need; they may be there already, empty.

        Raises:
            OSError: it can't be made; nothing is left.
        """
        root = self._pick(code)
        try:
            kept = self._kept[root]
            kept.clear(code, places)
            if code is not None and kept.code is None:
                kept.put(code)
        except OSError:
            self._forget(root)
            raise
        return root

    def holds(self, code: Path) -> bool:
        """Whether there is a free root with that code in it."""
        return any(self._kept[root].code == code for root in self._free)

    def put(self, code: Path, root: Path) -> None:
        """Copy a step's code into its root.

        Raises:
            OSError: That failed.
        """
        self._kept[root].put(code)

    def artifacts(self, root: Path, began: int | None) -> list[str]:
        """The names of the folders for artifacts in which a step has left something; see `Kept.artifacts`."""
        return self._kept[root].artifacts(began)

    def give_back(self, root: Path, began: int | None = None) -> None:
        """Empty a root for the next step; if it isn't as it was made, it goes.

        Args:
            root: the root.
            began: when its step began, in ns since 1970; None if it never did.
        """
        try:
            if self._kept[root].restore(began):
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
            if self._kept[root].code == code:
                self._free.remove(root)
                return root
        if self._free:
            return self._free.pop()
        self._folder.mkdir(parents=True, exist_ok=True)
        root = self._folder / str(self._made)
        self._made += 1
        self._kept[root] = Kept(str(root))
        return root

    def _forget(self, root: Path) -> None:
        self._kept.pop(root, None)
        _remove(str(root))


def _remove(root: str) -> None:
    """Remove a root, even if the step has closed folders in it to their owner."""
    shutil.rmtree(root, ignore_errors=True)
    for folder, names, _ in os.walk(root):
        for place in (os.path.join(folder, name) for name in names):
            if not os.path.islink(place):
                os.chmod(place, 0o700)  # before it is walked
    shutil.rmtree(root, ignore_errors=True)
