"""Write protection by mounts: the given paths are read-only for a process and all processes that it starts.

The process gets its own mount namespace, in which each protected path is mounted onto itself, read-only. This protects
exactly the path and everything below it, and a program that writes there gets the usual error "Read-only file system".
It needs the privilege to mount: that of root, or that of a process in its own user namespace, if the system lets
ordinary users create one.

The disadvantages compared with `landlock`:

* A writable path below a protected one is a separate mount: rename(2) and link(2) across its border fail as between
  disks (EXDEV; mv and shutil.move copy in that case). In Azure ML an output is a separate mount, too.
* In a user namespace, files of other users seem to belong to `nobody`, and setuid programs (sudo) get no privileges;
  with Landlock they get none either.
"""

from __future__ import annotations

import os
import select
from contextlib import ExitStack
from errno import EINVAL, ENOENT
from typing import TYPE_CHECKING

from creditml_local import linux
from creditml_local.protection import NoProtectionError, beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from creditml_local.protection import Protection

_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_MS_REC, _MS_SLAVE = 0x4000, 0x8_0000

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE = 1
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_RDONLY = 1


class ReadOnlyMounts:
    """Starts the processes of one step after another in a mount namespace with read-only mounts."""

    def __init__(self, sample: Protection) -> None:
        """Get the privilege to mount, if necessary by moving the calling process into a user namespace.

        Args:
            sample: Paths with which it is tried whether protection works.

        Raises:
            OSError: The system doesn't give the privilege.
        """
        for prepare in (_need_nothing, _own_the_mounts) if os.geteuid() == 0 else (_own_the_mounts,):
            if _works(sample, prepare):
                prepare()
                break
        else:
            message = "this process can't enter a mount namespace of its own, or can't leave it again"
            raise OSError(message)
        self._mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        self._root = os.open("/", os.O_RDONLY)
        self._inside: _Inside | None = None

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Start a process in the step's mount namespace, see `Way.start`.

        The calling process enters that namespace and stays in it, since the next step may need the same mounts.

        Raises:
            NoProtectionError: The mounts can't be made.
        """
        try:
            if self._inside is None or not self._inside.serves(what):
                self.leave()
                self._inside = _Inside(what)
            self._inside.show(what.mounts)
        except OSError as error:
            self.leave()
            _go_back(self._mounts, self._root)  # `leave` does so only if the namespace was set up completely
            raise NoProtectionError from error
        return spawn()

    def rest(self) -> None:
        """Unmount the step's inputs; if the step changed other mounts too, leave the namespace for good."""
        if self._inside is not None and not self._inside.clear():
            self.leave()

    def leave(self) -> None:
        """Return to the machine's own mount namespace."""
        if self._inside is not None:
            self._inside.close()
            self._inside = None
            _go_back(self._mounts, self._root)


class _Inside:
    """A mount namespace in which the calling process is, and in which the protected paths are read-only.

    Making or leaving one takes about as long as starting a small program, so it is kept for the next steps that need
    the same one.
    """

    def __init__(self, what: Protection) -> None:
        """Move the calling process into a new namespace.

        Raises:
            OSError: The namespace can't be set up; the process may already be in it.
        """
        self._protected, self._writable = what.protected, what.writable
        self._shown: list[str] = []
        _enter_own_mounts(what)
        self._found = [_identity(path) for path in what.protected]
        # The file is polled for events: they tell that something was mounted here, by the step or by the machine.
        self._list = os.open("/proc/self/mounts", os.O_RDONLY | os.O_CLOEXEC)
        self._events = select.poll()
        self._events.register(self._list, select.POLLPRI)

    def serves(self, what: Protection) -> bool:
        """Whether the namespace has exactly the mounts that `what` needs, and was not changed by a step."""
        return (
            (what.protected, what.writable) == (self._protected, self._writable)
            and self._found == [_identity(path) for path in what.protected]  # a renamed folder takes its mount along
            and not self._events.poll(0)
        )

    def show(self, mounts: Iterable[tuple[str, str]]) -> None:
        """Mount a step's inputs, read-only, at their places in the step's folder.

        Args:
            mounts: Files and folders, each with its place.

        Raises:
            OSError: One of them can't be mounted.
        """
        for source, link in mounts:
            tree = _clone(source)
            try:
                _make_read_only(tree)
                _make_mount_point(source, link)
                _attach(tree, link)
            finally:
                os.close(tree)
            self._shown.append(link)
        self._events.poll(0)  # forget the events of these mounts

    def clear(self) -> bool:
        """Unmount the step's inputs.

        Returns:
            Whether the namespace is clean: False if the step mounted something itself, or an input can't be unmounted.
        """
        if self._events.poll(0):
            return False
        while self._shown:
            try:
                linux.detach_mount(self._shown.pop())
            except OSError as error:  # noqa: PERF203  errors are rare
                if error.errno not in (EINVAL, ENOENT):  # these mean that the mount was removed with its mount point
                    return False
        self._events.poll(0)
        return True

    def close(self) -> None:
        """Stop watching the namespace's mounts."""
        os.close(self._list)


def _identity(path: str) -> tuple[int, int]:
    info = os.stat(path)
    return info.st_dev, info.st_ino


def _clone(path: str) -> int:
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return linux.syscall("open_tree", _OPEN_TREE, _AT_FDCWD, path, flags)


def _enter_own_mounts(what: Protection) -> None:
    """Move into a new mount namespace, in which each protected path is mounted onto itself, read-only.

    Paths below it that must stay writable are mounted onto themselves once more, writable as before.
    """
    linux.unshare(_CLONE_NEWNS)
    # Mounts that the machine makes later appear here too, but mounts that are made here never appear on the machine.
    linux.change_mount("/", _MS_REC | _MS_SLAVE)
    exempt = [path for path in what.writable if any(beneath(path, folder) for folder in what.protected)]
    with ExitStack() as trees:

        def clone(path: str) -> int:
            tree = _clone(path)
            trees.callback(os.close, tree)
            return tree

        still_writable = [(path, clone(path)) for path in exempt]
        for path in what.protected:
            tree = clone(path)
            _make_read_only(tree)
            _attach(tree, path)
        for path, tree in still_writable:
            _attach(tree, path)


def _make_mount_point(source: str, link: str) -> None:
    """Put an empty folder or file, on which `source` can be mounted, in a link's place."""
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
    """Whether a process can enter a mount namespace in which `sample` is protected, and leave it again.

    Some systems let every user make a user namespace but not mount in it, and root in a container may have neither
    right. Only an attempt can tell, and a process can't always undo the attempt. So a child process makes it; the child
    ends by `os._exit`, so that none of this process's `finally` blocks and exit handlers run in it.
    """
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            prepare()
            mounts, root = os.open("/proc/self/ns/mnt", os.O_RDONLY), os.open("/", os.O_RDONLY)
            _enter_own_mounts(sample)
            _go_back(mounts, root)
            failed = 0
        finally:
            os._exit(failed)
    _, status = os.waitpid(child, 0)
    return status == 0


def _need_nothing() -> None:
    """Do nothing: root already has the privilege to mount."""


def _go_back(mounts: int, root: int) -> None:
    """Return to the original mount namespace and to the root folder there, since entering a namespace resets it."""
    linux.setns(mounts, _CLONE_NEWNS)
    os.chdir(root)  # in a chroot, this is not the root of the machine's mounts
    os.chroot(".")


def _own_the_mounts() -> None:
    """Move into a user namespace, in which an ordinary user has the privilege to mount.

    The process keeps its user and group there. It also gets a mount namespace of its own to return to later, because
    from a user namespace a process can't return to a mount namespace that belongs to the outside.
    """
    user, group = os.geteuid(), os.getegid()
    linux.unshare(_CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "wb", buffering=0) as file:
            file.write(text.encode())
    linux.unshare(_CLONE_NEWNS)
    linux.change_mount("/", _MS_REC | _MS_SLAVE)
