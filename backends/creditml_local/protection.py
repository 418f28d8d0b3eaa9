"""Write protection for what a step must only read: what is to be protected, and what a way of protection is.

`ways` lists the ways that this machine offers. Protection is a help, not a proof: whoever relies on an input being
unchanged compares it afterwards.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  nothing is made there


class Protection(NamedTuple):
    """What a step may write and what not. All paths are absolute.

    Attributes:
        protected: Files and folders to protect, none beneath another; without symbolic links, as the next.
        writable: What stays writable though it may lie in something protected.
        usable: What must stay writable at any price, even if protection for what lies in it is lost.
        mounts: Files and folders, each with a link to it. A way that can shows the thing itself, read-only, where the
            link is: `find`, `tar` and `cp -r` treat a link given by name as a link.
    """

    protected: tuple[str, ...]
    writable: tuple[str, ...] = ()
    usable: tuple[str, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()


def plan(protected: Iterable[str], writable: Iterable[str], usable: Iterable[str]) -> Protection:
    """Bring paths into the form that the ways of protection need, leaving out what can't or need not be protected."""
    exempt = existing(writable)
    outermost: list[str] = []
    for path in sorted(existing(protected)):
        covered = any(beneath(path, folder) for folder in (*outermost, *exempt))
        if not covered and path != "/":
            outermost.append(path)
    return Protection(tuple(outermost), exempt, (*TEMPORARY, *filter(None, usable)))


def existing(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that are there, without symbolic links."""
    return tuple(real(path) for path in paths if os.path.exists(path))


def real(path: str) -> str:
    """As `os.path.realpath`, for an absolute path; folders are looked at once, for the life of this process."""
    if os.path.islink(path) or ".." in path:
        return os.path.realpath(path)
    folder, name = os.path.split(os.path.normpath(path))
    return os.path.join(_real_folder(folder), name) if name else folder


@lru_cache(maxsize=256)
def _real_folder(path: str) -> str:
    return real(path)


def beneath(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it; both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def link(mounts: Iterable[tuple[str, str]]) -> None:
    """Show things by links, where they can't be mounted."""
    for source, place in mounts:
        if not os.path.islink(place):
            if os.path.lexists(place):  # a mount was about to be made there
                os.rmdir(place) if os.path.isdir(place) else os.unlink(place)
            os.symlink(source, place)


class NoProtectionError(Exception):
    """A way of protection has failed; nothing was started."""


class Way(Protocol):
    """A way of protection."""

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Call `spawn`, which starts a process and returns its id, so that the process is protected from.

        Raises:
            NoProtectionError: This can't be had here. What `spawn` raises is raised as it is.
        """
        ...

    def rest(self) -> None:
        """Clear up after the last start, now that its process has ended and nobody waits."""
        ...

    def leave(self) -> None:
        """Undo what `start` did to the calling process (its mount namespace): the next process needs no protection."""
        ...
