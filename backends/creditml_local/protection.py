"""Write protection for the files that a step may only read: which paths are protected, and the protocol of a method.

`ways` lists the methods that this machine supports. Protection does not prove that inputs are unchanged: the engine
compares them after the step in any case.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  no files are made there


class Protection(NamedTuple):
    """What a step may write to, and what it may not. All paths are absolute.

    Attributes:
        protected: Files and folders to protect, none of which is below another one. Symbolic links are resolved.
        writable: Paths that stay writable even if they are below a protected one. Symbolic links are resolved.
        usable: Paths that must stay writable in any case, even if protected paths below them lose their protection.
        mounts: Files and folders that the step reads, each with its place in the step's folder. A method that can mount
            shows the file or folder itself there, read-only, because `find`, `tar` and `cp -r` don't follow a link that
            is their argument; the others make a link.
    """

    protected: tuple[str, ...]
    writable: tuple[str, ...] = ()
    usable: tuple[str, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()


def plan(protected: Iterable[str], writable: Iterable[str], usable: Iterable[str]) -> Protection:
    """Return the paths in the form that the methods need, without paths that can't or need not be protected."""
    exempt = existing(writable)
    outermost: list[str] = []
    for path in sorted(existing(protected)):
        covered = any(beneath(path, folder) for folder in (*outermost, *exempt))
        if not covered and path != "/":
            outermost.append(path)
    return Protection(tuple(outermost), exempt, (*TEMPORARY, *filter(None, usable)))


def existing(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths among these that exist, with symbolic links resolved."""
    return tuple(real(path) for path in paths if os.path.exists(path))


def real(path: str) -> str:
    """Do the same as `os.path.realpath` for an absolute path, but remember the result for each folder."""
    if os.path.islink(path) or ".." in path:
        return os.path.realpath(path)
    folder, name = os.path.split(os.path.normpath(path))
    return os.path.join(_real_folder(folder), name) if name else folder


@lru_cache(maxsize=256)
def _real_folder(path: str) -> str:
    return real(path)


def beneath(path: str, folder: str) -> bool:
    """Whether a path is `folder` itself or is below it; both are absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def link(mounts: Iterable[tuple[str, str]]) -> None:
    """Make the links to a step's inputs, for methods that can't mount them.

    Args:
        mounts: Files and folders, each with the place of the link.
    """
    for source, place in mounts:
        if not os.path.islink(place):
            if os.path.lexists(place):  # an empty file or folder that was made as a mount point
                os.rmdir(place) if os.path.isdir(place) else os.unlink(place)
            os.symlink(source, place)


class NoProtectionError(Exception):
    """A method of protection has failed; no process was started."""


class Way(Protocol):
    """A method of write protection."""

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Call `spawn` in such a way that the process that it starts can't write to the protected paths.

        Args:
            what: What to protect.
            spawn: Starts a process and returns its id. Its errors are passed on to the caller.

        Returns:
            The process's id.

        Raises:
            NoProtectionError: The protection can't be set up; `spawn` was not called.
        """
        ...

    def rest(self) -> None:
        """Clean up after the last start. Called when the step has ended, so that it delays no start."""
        ...

    def leave(self) -> None:
        """Undo what `start` changed in the calling process (its mount namespace): the next step needs no protection."""
        ...
