"""The environments that were made on this machine, shared by all workspaces of a user: each is built once.

    ~/.cache/creditml/environments/uv-3f6c…/          the environment; creditml.json in it is written last
    ~/.cache/creditml/environments/uv-3f6c….lock      locked by whoever builds it, and shared by whoever uses it

An environment holds its own path in its programs, so it is built where it stays. One without its note is what a build
left behind that came to no end: the next one that holds the lock throws it away. Programs that build inherit the lock,
so that it is held until the last of them has ended, even if the process that started them was killed. The time of a
lock is when its environment was last used.
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
_PAUSE = 0.05  # between looks at a lock that another job holds


class Built(NamedTuple):
    """What is noted of an environment.

    Attributes:
        title: How its first user called it.
        python: Its Python's version.
        told: What in it is not as it was asked for, a line each, for everybody who uses it later.
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
    """Environments by their content. What this object hands out is kept from being pruned until it is closed.

    A runner need not close it: the locks go with the process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, by default the user's; it is made when something is put there."""
        self.folder = (folder or cache_folder()) / FOLDER
        self._held: list[int] = []

    def __enter__(self) -> Self:
        """Return the cache itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cache."""
        self.close()

    def close(self) -> None:
        """Let everything go that was handed out; it may be pruned from now on."""
        while self._held:
            os.close(self._held.pop())

    def obtain(
        self,
        name: str,
        build: Callable[[str, int], Built],
        say: Callable[[str], None],
        canceled: Callable[[], bool],
    ) -> tuple[str, Built]:
        """Return an environment's folder and what is noted of it, and build it if nobody has.

        Args:
            name: The environment's kind and the key of its content, with a `-` between.
            build: Makes it in a folder that isn't there yet. Its second argument is the descriptor of the lock, which
                every program that it starts must inherit.
            say: Takes a line on what goes on.
            canceled: Whether nobody waits for it any more.

        Raises:
            Canceled: Nobody waits for it.
            CreditMLError: The cache can't be written; or whatever `build` raises.
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
                try:  # whoever has built it keeps a share, so that waiting for the whole lock would take long
                    if locks.lock(lock):
                        _build(folder, lock, build)
                        continue
                finally:
                    os.close(lock)
                if not told:
                    say("Waiting for another job that makes the same environment.")
                told = True
                time.sleep(_PAUSE)
        except OSError as error:
            message = f"The environment can't be kept in {self.folder}: {error}. Set CREDITML_CACHE to another folder."
            raise CreditMLError(message) from error
        raise Canceled("Canceled while it waited for its environment.")

    def entries(self) -> list[Entry]:
        """Return what is there, what was used last first."""
        if not self.folder.is_dir():
            return []
        found = (_entry(folder) for folder in self.folder.iterdir() if folder.suffix != ".lock")
        return sorted((entry for entry in found if entry), key=lambda entry: -entry.used_at)

    def prune(self, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
        """Remove what no job uses now, and return it; builds that came to no end go too, and aren't mentioned.

        Args:
            older_than: Only what wasn't used for so many days.
            dry_run: Remove nothing.
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
    """Build an environment, now that the whole lock is ours."""
    if not _is_current(lock, _lock_of(folder)) or _note(folder) is not None:
        return  # pruned meanwhile, or made
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
    """Whether a lock is still the one that others find: who prunes takes it away."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(file))
    except FileNotFoundError:
        return False


def _share(lock: int, folder: Path) -> Built | None:
    """Take a share in an environment and note that it is used; None if it isn't there, and there's no share then."""
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
    """Make an environment one that counts, once all that it consists of is on the disk."""
    os.sync()  # many files, of many programs: none of them may be lost when the note is there
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
    """Remove an environment; what is left when that is interrupted is none."""
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
        return None  # it goes just now
    return Entry(key, kind, str(folder), built.title, built.python, made_at, used_at, _size(folder))


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files, those with several names once."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(os.path.join(place, name))
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())
