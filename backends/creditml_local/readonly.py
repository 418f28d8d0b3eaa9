"""Write protection by mounts: what is given is read-only for a process and all that it starts.

The process gets a mount namespace of its own, in which each protected path is bound onto itself, read-only. This is
exact: it holds for all that lies beneath and for nothing else, and writing says "Read-only file system", as on any
read-only mount. It needs privileges over mounts: root's, or those that a process has in a user namespace of its own,
where the system lets ordinary users make one.

What this gives up, and `landlock` doesn't:

* What stays writable within something protected is a mount of its own: rename(2) and link(2) across its border fail as
  they do between disks (EXDEV; mv and shutil.move copy then). In Azure ML an output is a mount of its own, too.
* In a user namespace other users' files seem to belong to `nobody`, and setuid programs (sudo) have no privileges;
  they have none with Landlock either.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from creditml_local import linux
from creditml_local.protection import NoProtectionError, beneath

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml_local.protection import Protection

_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_MS_REC, _MS_SLAVE = 0x4000, 0x8_0000

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE = 1
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_RDONLY = 1


class ReadOnlyMounts:
    """Gives the processes of one step after another mounts of their own."""

    def __init__(self, sample: Protection) -> None:
        """Get the privileges that it takes, if need be by moving the calling process into a user namespace.

        Raises:
            OSError: They can't be had.
        """
        for prepare in (_nothing, _own_the_mounts) if os.geteuid() == 0 else (_own_the_mounts,):
            if _works(sample, prepare):
                prepare()
                break
        else:
            message = "mounts of its own can't be had, or not be left again"
            raise OSError(message)
        self._mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        self._root = os.open("/", os.O_RDONLY)

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Start a process from within the step's mounts, and stay there: leaving takes a while if nobody else is left.

        Raises:
            NoProtectionError: The mounts can't be made.
        """
        try:
            _enter_own_mounts(what)
        except OSError as error:
            self.rest()
            raise NoProtectionError from error
        return spawn()

    def rest(self) -> None:
        """Go back to the machine's mounts, which lets go of the step's."""
        _go_back(self._mounts, self._root)


def _enter_own_mounts(what: Protection) -> None:
    linux.unshare(_CLONE_NEWNS)
    # What the machine mounts from now on is still seen here; what is bound here is never seen by the machine.
    linux.change_mount("/", _MS_REC | _MS_SLAVE)
    exempt = [path for path in what.writable if any(beneath(path, folder) for folder in what.protected)]
    with ExitStack() as trees:

        def clone(path: str) -> int:
            flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
            tree = linux.syscall("open_tree", _OPEN_TREE, _AT_FDCWD, path, flags)
            trees.callback(os.close, tree)
            return tree

        still_writable = [(path, clone(path)) for path in exempt]
        shown = [(link, clone(source)) for source, link in what.mounts]
        for path in what.protected:
            tree = clone(path)
            _make_read_only(tree)
            _attach(tree, path)
        for path, tree in still_writable:
            _attach(tree, path)
        for (source, link), (_, tree) in zip(what.mounts, shown, strict=True):
            _make_read_only(tree)
            _make_mount_point(source, link)
            _attach(tree, link)


def _make_mount_point(source: str, link: str) -> None:
    """Put something that can be mounted on in a link's place."""
    if os.path.islink(link):
        os.unlink(link)
    if os.path.isdir(source):
        os.makedirs(link, exist_ok=True)
    else:
        os.close(os.open(link, os.O_WRONLY | os.O_CREAT, 0o600))


def _make_read_only(tree: int) -> None:
    attributes = linux.structure("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    linux.syscall("mount_setattr", _MOUNT_SETATTR, tree, "", flags, attributes, len(attributes))


def _attach(tree: int, path: str) -> None:
    linux.syscall("move_mount", _MOVE_MOUNT, tree, "", _AT_FDCWD, path, _MOVE_MOUNT_F_EMPTY_PATH)


def _works(sample: Protection, prepare: Callable[[], None]) -> bool:
    """Have a child try whether `sample` can be protected, and left again.

    Some systems let anyone make a user namespace but not mount in it; root of a container may have neither right.
    """
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            prepare()
            mounts, root = os.open("/proc/self/ns/mnt", os.O_RDONLY), os.open("/", os.O_RDONLY)
            _enter_own_mounts(sample._replace(mounts=()))
            _go_back(mounts, root)
            failed = 0
        finally:
            os._exit(failed)
    _, status = os.waitpid(child, 0)
    return status == 0


def _nothing() -> None:
    """Root needs no preparation."""


def _go_back(mounts: int, root: int) -> None:
    linux.setns(mounts, _CLONE_NEWNS)
    os.chdir(root)  # in a chroot, it isn't the root of the machine's mounts
    os.chroot(".")


def _own_the_mounts() -> None:
    user, group = os.geteuid(), os.getegid()
    linux.unshare(_CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "wb", buffering=0) as file:
            file.write(text.encode())
    # what is not ours can't be gone back to: so there are mounts of ours to go back to
    linux.unshare(_CLONE_NEWNS)
    linux.change_mount("/", _MS_REC | _MS_SLAVE)
