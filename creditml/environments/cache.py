"""The cache of built environments, which all workspaces of a user share, so that each environment is built once.

    ~/.cache/creditml/environments/uv-3f6c…/          the environment; its note, creditml.json, is written last
    ~/.cache/creditml/environments/uv-3f6c….lock      its lock: exclusive while it is built, shared while jobs use it

The programs of an environment contain its path, so it is built in its final place. An environment without a note is the
rest of a build that was interrupted, and the next process that holds the lock exclusively removes it.

The programs that build an environment inherit its lock. So the lock is held until the last of these programs has ended,
even if the process that started them was killed. The lock file's modification time is when the environment was last
used.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from creditml import locks
from creditml.cache import cache_folder
from creditml.errors import Canceled, CreditMLError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

FOLDER = "environments"
NOTE = "creditml.json"
DAY = 24 * 3600
_PAUSE = 0.05  # seconds between two attempts to take a lock that another job holds


class Built(NamedTuple):
    """The note of an environment.

    Attributes:
        title: The environment's name in the job that built it first.
        python: The version of its Python.
        told: How it differs from what was asked for, one line per difference; shown to all jobs that use it.
    """

    title: str
    python: str
    told: tuple[str, ...] = ()


class Entry(NamedTuple):
    """An environment in the cache; times are milliseconds since 1970, the size is in bytes."""

    key: str
    kind: str
    folder: str
    title: str
    python: str
    made_at: int
    used_at: int
    size: int


class Cache:
    """The cache of environments.

    An environment that this object has returned can't be pruned until the object is closed, or the process ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Use a cache folder, by default the user's; it is created when an environment is built."""
        self.folder = (folder or cache_folder()) / FOLDER
        self._held: list[int] = []

    def __enter__(self) -> Self:
        """Return the cache itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cache."""
        self.close()

    def close(self) -> None:
        """Release all environments that were returned; they can be pruned from now on."""
        while self._held:
            os.close(self._held.pop())

    def obtain(
        self,
        name: str,
        build: Callable[[str, int], Built],
        say: Callable[[str], None],
        canceled: Callable[[], bool],
    ) -> tuple[str, Built]:
        """Return an environment's folder and note; build the environment if the cache doesn't have it.

        Args:
            name: The environment's kind and the key of its content, joined by `-`.
            build: Builds the environment in a folder that doesn't exist yet. Its second argument is the descriptor of
                the lock, which every program that it starts must inherit.
            say: Called with lines about the progress, for the user.
            canceled: Called now and then; whether the environment is not needed any more.

        Raises:
            Canceled: `canceled` returned True.
            CreditMLError: The cache can't be written to, or `build` has failed.
        """
        folder = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            told = False
            while not canceled():
                lock = locks.open_file(_lock_of(folder))
                if (built := _share(lock, folder)) is not None:
                    self._held.append(lock)
                    return str(folder), built
                # The job that has just built it keeps a shared lock. So the exclusive lock is only tried, not waited
                # for: it might not be free for hours.
                try:
                    if locks.lock(lock):
                        _build(folder, lock, build)
                        continue
                finally:
                    os.close(lock)
                if not told:
                    say("Waiting for another job that is building the same environment.")
                told = True
                time.sleep(_PAUSE)
        except OSError as error:
            message = (
                f"The environment can't be stored in {self.folder}: {error}. Set CREDITML_CACHE to another folder."
            )
            raise CreditMLError(message) from error
        raise Canceled("Canceled while waiting for the environment.")

    def entries(self) -> list[Entry]:
        """Return all environments in the cache, the most recently used first."""
        if not self.folder.is_dir():
            return []
        found = (_entry(folder) for folder in self.folder.iterdir() if folder.suffix != ".lock")
        return sorted((entry for entry in found if entry), key=lambda entry: -entry.used_at)

    def prune(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove the environments that no job is using, and return them.

        The rests of interrupted builds are removed too, but not returned.

        Args:
            older_than: Remove only environments that were not used for so many days.
            dry_run: Only return what would be removed.
        """
        before = time.time() - (older_than or 0) * DAY
        removed = []
        for folder in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if folder.suffix == ".lock":
                continue
            lock = locks.open_file(_lock_of(folder))
            try:
                entry = _entry(folder)
                if not locks.lock(lock) or (entry and entry.used_at > before * 1000):
                    continue
                removed += [entry] if entry else []
                if not dry_run:
                    _remove(folder)
                    _lock_of(folder).unlink(missing_ok=True)
            finally:
                os.close(lock)
        return removed


def _build(folder: Path, lock: int, build: Callable[[str, int], Built]) -> None:
    """Build an environment; the caller holds its lock exclusively."""
    if not _is_current(lock, _lock_of(folder)) or _note(folder) is not None:
        return  # the lock file was removed by a prune, or another process has built the environment
    _remove(folder)
    try:
        _write_note(folder, build(str(folder), lock))
    except BaseException:
        with suppress(OSError):
            _remove(folder)
        raise


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _is_current(lock: int, file: Path) -> bool:
    """Whether an open lock is still the file that other processes open: pruning removes the lock file."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(file))
    except FileNotFoundError:
        return False


def _share(lock: int, folder: Path) -> Built | None:
    """Take a shared lock on an environment, record that it is used, and return its note.

    None, without a lock, if the environment doesn't exist or is being built.
    """
    if locks.lock(lock, shared=True):
        built = _note(folder)
        if built is not None and _is_current(lock, _lock_of(folder)):
            os.utime(lock)
            return built
        locks.unlock(lock)
    return None


def _note(folder: Path) -> Built | None:
    try:
        note = json.loads((folder / NOTE).read_bytes())
        return Built(note["title"], note["python"], tuple(note["told"]))
    except (OSError, ValueError, KeyError):
        return None


def _write_note(folder: Path, built: Built) -> None:
    """Write the note of a finished environment, once all of its files have reached the disk."""
    os.sync()  # the note must not outlive, after a power failure, files that other programs have written
    new = folder / f"{NOTE}.new"
    with open(new, "w", encoding="utf-8") as file:
        json.dump({**built._asdict(), "made_at": int(time.time() * 1000)}, file)
        file.flush()
        os.fsync(file.fileno())
    new.rename(folder / NOTE)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove an environment, its note first: if that is interrupted, the rest doesn't count as an environment."""
    (folder / NOTE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _entry(folder: Path) -> Entry | None:
    built = _note(folder)
    if built is None:
        return None
    kind, _, key = folder.name.partition("-")
    try:
        made_at = int(json.loads((folder / NOTE).read_bytes()).get("made_at", 0))
        used_at = int(os.stat(_lock_of(folder)).st_mtime * 1000)
    except OSError:
        return None  # another process is removing it
    return Entry(key, kind, str(folder), built.title, built.python, made_at, used_at, _size(folder))


def _size(folder: Path) -> int:
    """Return the size of a folder's files in bytes; a file with several hard links counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(os.path.join(place, name))
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())
