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
    """Gives the processes of one step after another mounts of their own."""

    def __init__(self, sample: Protection) -> None:
        """Get the privileges that it takes, if need be by moving the calling process into a user namespace.

        Raises:
            OSError: They can't be had.
        """
        for prepare in (_need_nothing, _own_the_mounts) if os.geteuid() == 0 else (_own_the_mounts,):
            if _works(sample, prepare):
                prepare()
                break
        else:
            message = "mounts of its own can't be had, or not be left again"
            raise OSError(message)
        self._mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        self._root = os.open("/", os.O_RDONLY)
        self._inside: _Inside | None = None

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Start a process from within the step's mounts, and stay there: the next step may need the same.

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
            _go_back(self._mounts, self._root)  # even if it had not come to an inside
            raise NoProtectionError from error
        return spawn()

    def rest(self) -> None:
        """Take away what the step was shown; if there is more that changed, leave its mounts for good."""
        if self._inside is not None and not self._inside.clear():
            self.leave()

    def leave(self) -> None:
        """Go back to the machine's mounts."""
        if self._inside is not None:
            self._inside.close()
            self._inside = None
            _go_back(self._mounts, self._root)


class _Inside:
    """A mount namespace that the calling process is in: what is protected is read-only there.

    It takes about as long to make or to leave one as to start a small program, so it is kept as long as it serves.
    """

    def __init__(self, what: Protection) -> None:
        """Move into a new one.

        Raises:
            OSError: It can't be made; the process may be in it all the same.
        """
        self._protected, self._writable = what.protected, what.writable
        self._shown: list[str] = []
        _enter_own_mounts(what)
        self._found = [_identity(path) for path in what.protected]
        # Its events tell that something was mounted, also by the step or by the machine.
        self._list = os.open("/proc/self/mounts", os.O_RDONLY | os.O_CLOEXEC)
        self._events = select.poll()
        self._events.register(self._list, select.POLLPRI)

    def serves(self, what: Protection) -> bool:
        """Whether this is what `what` needs, and untouched."""
        return (
            (what.protected, what.writable) == (self._protected, self._writable)
            and self._found == [_identity(path) for path in what.protected]  # a mount goes where its folder goes
            and not self._events.poll(0)
        )

    def show(self, mounts: Iterable[tuple[str, str]]) -> None:
        """Show things, read-only, in the place of the links to them.

        Raises:
            OSError: Something can't be shown.
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
        self._events.poll(0)  # these are our own

    def clear(self) -> bool:
        """Take away what was shown; False if something else was mounted or is left."""
        if self._events.poll(0):
            return False
        while self._shown:
            try:
                linux.detach_mount(self._shown.pop())
            except OSError as error:  # noqa: PERF203  hardly ever
                if error.errno not in (EINVAL, ENOENT):  # it went with its mount point
                    return False
        self._events.poll(0)
        return True

    def close(self) -> None:
        """Stop watching."""
        os.close(self._list)


def _identity(path: str) -> tuple[int, int]:
    info = os.stat(path)
    return info.st_dev, info.st_ino


def _clone(path: str) -> int:
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return linux.syscall("open_tree", _OPEN_TREE, _AT_FDCWD, path, flags)


def _enter_own_mounts(what: Protection) -> None:
    """Move into a new mount namespace, in which what is to be protected is mounted onto itself, read-only.

    What must stay writable within it is mounted onto itself once more, as it was before.
    """
    linux.unshare(_CLONE_NEWNS)
    # What the machine mounts from now on is still seen here; what is bound here is never seen by the machine.
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

    Some systems let everybody make a user namespace but not mount in it; root of a container may have neither right.
    The only sure way to find out is to try, and a process can't always undo the attempt: so a child makes it, and ends
    by `os._exit` so that nothing of this process is run or written a second time.
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
    """Prepare nothing: root has the privileges already."""


def _go_back(mounts: int, root: int) -> None:
    """Return to the mounts of before, and to the root folder there, since a change of namespace sets that anew."""
    linux.setns(mounts, _CLONE_NEWNS)
    os.chdir(root)  # in a chroot, it isn't the root of the machine's mounts
    os.chroot(".")


def _own_the_mounts() -> None:
    """Move into a user namespace, in which an ordinary user has the privileges that mounting takes.

    There the process keeps its user and group, and gets mounts of its own: a process in a user namespace can't return
    to mounts that belong to the namespace outside, so it needs some to return to.
    """
    user, group = os.geteuid(), os.getegid()
    linux.unshare(_CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "wb", buffering=0) as file:
            file.write(text.encode())
    linux.unshare(_CLONE_NEWNS)
    linux.change_mount("/", _MS_REC | _MS_SLAVE)
