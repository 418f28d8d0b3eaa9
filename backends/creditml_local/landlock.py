"""Write protection by Landlock: what is given is read-only for a process and all that it starts.

Landlock needs no privilege, but it can only *allow*, and a right given for a folder holds for all that lies beneath it.
So the folders above what is protected (its spine) get no right of their own, and everything else in them does, entry by
entry. Reading, executing and the network stay as they were.

What this gives up, and `readonly` doesn't:

* Nothing can be made, removed or renamed directly in a folder of the spine, nor is what appears in it later writable.
* A folder for temporary files must stay usable: what lies beneath one isn't protected.
* A folder with more than `CROWDED` entries isn't looked through: if it is part of a spine, its other entries are
  protected too. This bounds what a start costs.
* Changes of mode, owner, times and attributes are not denied (Landlock has no rights for them). Before ABI 3
  (Linux 6.2) truncate(2) isn't either, only opening for writing.
* ABI 1 (Linux 5.13 to 5.18) denies every rename between folders, which would break innocent programs: not used.
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
    message = "Landlock is Linux's"
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

_CLOCK_TICK = 20_000_000  # ns; a folder may change twice within one tick of its file system's clock


class _Allowed(NamedTuple):
    """The paths beside a spine, and when the spine's folders had changed last as they were read."""

    paths: tuple[str, ...]
    changed: tuple[tuple[str, int], ...]


class Landlock:
    """Gives rules to the processes of one step after another. Remembers what lies beside what it protected last."""

    def __init__(self, _sample: Protection | None = None) -> None:
        """Ask the kernel what it can do.

        Raises:
            OSError: It has no Landlock, or none that is of use here.
        """
        abi = linux.syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
        if abi < _ABI_WITH_REFER:
            message = "this kernel's Landlock can't allow renames between folders"
            raise OSError(message)
        self._file_rights = _WRITE_FILE | (_TRUNCATE if abi >= _ABI_WITH_TRUNCATE else 0)
        self._rights = self._file_rights | _REMOVE_AND_MAKE | _REFER
        self._allowed: dict[tuple[str, ...], _Allowed] = {}

    def start(self, what: Protection, spawn: Callable[[], int]) -> int:
        """Start a process from a thread that takes on the rules and ends, since it can't put them off again.

        Raises:
            NoProtectionError: The rules can't be made.
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
        """There is nothing to clear up."""

    def leave(self) -> None:
        """There is nothing to leave."""

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
        except OSError:  # gone since, or not for us to see
            return
        try:
            is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
            rule = linux.structure("=Qi", self._rights if is_folder else self._file_rights, opened)
            linux.syscall("landlock_add_rule", _ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(opened)

    def _beside(self, protected: tuple[str, ...]) -> tuple[str, ...]:
        """List what to allow: from memory, if no folder of the spine changed since."""
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
        except Exception as error:  # noqa: BLE001  raised again
            outcome.append(error)
        finally:
            done.release()

    _thread.start_new_thread(run, ())  # `threading` would also wait for the thread to begin and to end
    done.acquire()
    [result] = outcome
    if isinstance(result, Exception):
        raise result
    return result


def _parents(path: str) -> Iterator[str]:
    while path != (path := os.path.dirname(path)):
        yield path


def _entries(folder: str) -> Sequence[str]:
    """List the files and folders in a folder, or nothing if there are too many; symbolic links take no rights."""
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) == CROWDED:
                    return ()
                if not entry.is_symlink():
                    found.append(entry.path)
    except OSError:  # not for us to read: nor could anything in it be allowed by name
        return ()
    return found


def _changed(folder: str) -> int:
    """When the folder's list of entries changed last (ns), or -1 if that is too recent to rely on."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return -1
    return changed if time.time_ns() - changed > _CLOCK_TICK else -1
