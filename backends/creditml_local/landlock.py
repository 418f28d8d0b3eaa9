"""Write protection by Landlock: the given paths are read-only for a process and all processes that it starts.

Landlock needs no privileges, but its rules can only *allow* access, and a right for a folder holds for everything below
that folder. So the folders above a protected path (its spine) get no rights themselves; instead, each of their other
entries gets the right to be written. Reading, executing and the network are not restricted.

The disadvantages compared with `readonly`:

* Nothing can be created, removed or renamed directly in a folder of the spine, and entries that appear there later are
  read-only.
* Folders for temporary files must stay writable, so protected paths below them are not protected.
* A folder with more than `CROWDED` entries is not listed, to limit the time that a start takes: if it is part of a
  spine, its other entries are read-only too.
* Changes of mode, owner, times and attributes are not denied, since Landlock has no rights for them. Before ABI 3
  (Linux 6.2), truncate(2) is not denied either, only opening for writing.
* ABI 1 (Linux 5.13 to 5.18) is not used: it denies every rename between folders, which would break ordinary programs.
"""

from __future__ import annotations

import _thread
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from creditml_local import linux
from creditml_local.protection import NoProtectionError, existing, link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from creditml_local.protection import Protection

if sys.platform != "linux":
    message = "only Linux has Landlock"
    raise ImportError(message)

CROWDED = 1000

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4  # remove: dir, file; make: char, dir, reg, sock, fifo, block, sym
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_ABI_WITH_REFER, _ABI_WITH_TRUNCATE = 2, 3

_CLOCK_TICK = 20_000_000  # ns; two changes of a folder within one tick of the file system's clock have equal times


class _Allowed(NamedTuple):
    """The entries beside a spine, and the spine's folders with the times at which they had changed last."""

    paths: tuple[str, ...]
    changed: tuple[tuple[str, int], ...]


class Landlock:
    """Applies Landlock rules to one step after another; remembers the allowed entries for the paths protected last."""

    def __init__(self, _sample: Protection | None = None) -> None:
        """Ask the kernel for its version of Landlock.

        Raises:
            OSError: The kernel has no Landlock, or too old a version.
        """
        abi = linux.syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
        if abi < _ABI_WITH_REFER:
            message = "this kernel's Landlock can't allow renames between folders"
            raise OSError(message)
        self._file_rights = _WRITE_FILE | (_TRUNCATE if abi >= _ABI_WITH_TRUNCATE else 0)
        self._rights = self._file_rights | _REMOVE_AND_MAKE | _REFER
        self._allowed: dict[tuple[str, ...], _Allowed] = {}

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Start a process with the rules, see `Way.start`.

        A thread can't get rid of Landlock rules again. So the process is started from a new thread, which applies the
        rules to itself and then ends; the guard's main thread stays without rules.

        Raises:
            NoProtectionError: The rules can't be made or applied.
        """
        try:
            rules = self._make_rules(what)
        except OSError as error:
            raise NoProtectionError from error
        link(what.mounts)

        def restricted() -> int:
            try:
                if os.geteuid() != 0:
                    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
                linux.syscall("landlock_restrict_self", _RESTRICT_SELF, rules, 0)
            except OSError as error:
                raise NoProtectionError from error
            return spawn()

        try:
            return _in_own_thread(restricted)
        finally:
            os.close(rules)

    def rest(self) -> None:
        """Do nothing: the rules are gone with the step's processes."""

    def leave(self) -> None:
        """Do nothing: this process has no rules."""

    def _make_rules(self, what: Protection) -> int:
        beside = self._beside(what.protected)
        rules = linux.syscall("landlock_create_ruleset", _CREATE_RULESET, linux.structure("=Q", self._rights), 8, 0)
        try:
            for path in (*beside, *what.writable, *existing(what.usable)):
                self._allow(rules, path)
        except OSError:
            os.close(rules)
            raise
        return rules

    def _allow(self, rules: int, path: str) -> None:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # removed in the meantime, or not accessible for this user
            return
        try:
            is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
            rule = linux.structure("=Qi", self._rights if is_folder else self._file_rights, opened)
            linux.syscall("landlock_add_rule", _ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(opened)

    def _beside(self, protected: tuple[str, ...]) -> tuple[str, ...]:
        """List the entries to allow; the last list is used again if no folder of the spine has changed since."""
        known = self._allowed.get(protected)
        if known is None or any(_changed(folder) != when for folder, when in known.changed):
            spine = {parent for path in protected for parent in _parents(path)}
            changed = tuple((folder, _changed(folder)) for folder in spine)
            paths = tuple(path for folder in spine for path in _entries(folder) if path not in spine)
            known = _Allowed(tuple(set(paths).difference(protected)), changed)
            self._allowed = {protected: known}
        return known.paths


def _in_own_thread(work: Callable[[], int]) -> int:
    outcome: list[int | Exception] = []
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001  raised again in the calling thread
            outcome.append(error)
        finally:
            done.release()

    _thread.start_new_thread(run, ())  # the module `threading` would also wait for the thread's start and end
    done.acquire()
    [result] = outcome
    if isinstance(result, Exception):
        raise result
    return result


def _parents(path: str) -> Iterator[str]:
    while path != (path := os.path.dirname(path)):
        yield path


def _entries(folder: str) -> Sequence[str]:
    """List the files and folders in a folder, without symbolic links, which can't have rights.

    Empty if there are more than `CROWDED`, or if the folder can't be read.
    """
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) == CROWDED:
                    return ()
                if not entry.is_symlink():
                    found.append(entry.path)
    except OSError:  # without permission to read the folder, no rules for its entries can be made
        return ()
    return found


def _changed(folder: str) -> int:
    """When the folder's list of entries changed last, in ns; -1 if that is so recent that another change may follow."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return -1
    return changed if time.time_ns() - changed > _CLOCK_TICK else -1
