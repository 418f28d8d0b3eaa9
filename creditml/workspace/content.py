"""Content-addressed snapshots: code as Azure ML would upload it, and uploaded data.

A snapshot's hash is Azure's own for code (SDK: get_content_hash: file count, `#path#` and size of each file, then the
contents), so that the same folder has the same identity here and there. Uploaded data
lies where Azure ML's clients put it, so that either may register it again. Snapshots are complete or absent: they are
written beside their place and renamed.
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import CreditMLError
from creditml.names import run_id
from creditml.references import code_digest, is_reference

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from creditml.model import Command

_IGNORE_FILES = (".amlignore", ".gitignore")
_CHUNK = 1 << 20
_OBJECT_SEED = b"Initialize for october 2021 AML CLI version"


class File(NamedTuple):
    """One file of a snapshot: where it lies, and its path in the snapshot (with `/`)."""

    source: str
    path: str
    size: int


class Content:
    """The folder `content/` of a workspace."""

    def __init__(self, root: Path, workspace: Path) -> None:
        """`workspace` is never part of a snapshot, even of a folder that holds it."""
        self.root, self._workspace = root, os.path.realpath(workspace)

    def folder(self, digest: str) -> Path:
        """Where the snapshot of that hash lies; it need not exist."""
        return self.root / digest

    def code_folder(self, code: str) -> Path:
        """The snapshot that a frozen job's `code` names; it need not exist."""
        return self.folder(code_digest(code))

    def local_code(self, component: Command) -> tuple[str, tuple[str, ...]]:
        """A step's code folder on this machine (empty if it has none), and what is put beside the files in it."""
        code = component.code or ""
        folder = str(self.code_folder(code)) if is_reference(code) else code
        return folder, component.additional_includes

    def snapshot_code(self, code: Path, includes: Iterable[Path] = ()) -> str:
        """Snapshot a code folder (or one file) with additional includes beside it; returns the hash.

        Raises:
            CreditMLError: nothing would be left to upload, or a file can't be read.
        """
        files = list(self.code_files(code, includes))
        if not files:
            message = (
                f"The code folder {code} is empty, or its ignore file leaves nothing of it; Azure ML refuses that."
            )
            raise CreditMLError(message)
        return self.store(files)

    def code_files(self, code: Path, includes: Iterable[Path] = ()) -> Iterator[File]:
        """What a snapshot of the code would hold, ignore files applied."""
        yield from self._tree(code, "", ignore_rules(code))
        for include in includes:
            prefix = "" if include.is_file() else include.name + "/"
            yield from self._tree(include, prefix, ignore_rules(include))

    def store(self, files: list[File]) -> str:
        """Keep copies of the files under their common hash."""
        digest = content_hash(files)
        _put(files, self.folder(digest))
        return digest

    def keep(self, folder: Path) -> str:
        """Keep copies of all files of a folder, whatever an ignore file in it says; returns the hash."""
        return self.store(list(self._tree(folder, "", lambda _path: False)))

    def upload(self, source: Path, store: Path) -> str:
        """Keep a copy of a file or folder as `<store>/<hash>/<name>`; returns the hash.

        It is that of Azure ML's clients, which different content can share, unless other files lie there already.
        """
        prefix = "" if source.is_file() else source.name + "/"
        files = list(self._tree(source, prefix, ignore_rules(source, ())))
        digest = self.upload_hash(source)
        if not _holds(store / digest / source.name, files):
            digest = content_hash(files)
        _put(files, store / digest / source.name, source.name)
        return digest

    def upload_hash(self, source: Path) -> str:
        """The hash under which Azure ML's clients upload a file or folder."""
        return object_hash(source, ignore_rules(source, ()), self._own)

    def _own(self, entry: os.DirEntry[str]) -> bool:
        """Whether a folder is a workspace, this one or another."""
        if entry.name == ".creditml":
            return True
        return os.path.realpath(entry.path) == self._workspace

    def _tree(self, top: Path, prefix: str, ignored: Callable[[str], bool]) -> Iterator[File]:
        if top.is_file():
            yield File(str(top), prefix + top.name, top.stat().st_size)
            return
        base = os.fspath(top)
        stack = [""]
        while stack:
            inside = stack.pop()
            folders = []
            with os.scandir(os.path.join(base, inside)) as entries:
                for entry in sorted(entries, key=lambda e: e.name):
                    path = f"{inside}{entry.name}"
                    if entry.is_dir():
                        if not ignored(path + "/") and not self._own(entry) and not _loops(entry):
                            folders.append(path + "/")
                    elif not ignored(path):
                        yield _file(entry, prefix + path)
            stack.extend(reversed(folders))


def _file(entry: os.DirEntry[str], path: str) -> File:
    """A file of a snapshot.

    Raises:
        CreditMLError: it is none that Azure ML could take.
    """
    if not entry.is_file():
        what = "a link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
    elif any("\ud800" <= character <= "\udfff" for character in path):
        what = "named by bytes that are no UTF-8"
    else:
        return File(entry.path, path, entry.stat().st_size)
    shown = os.fsencode(entry.path).decode(errors="backslashreplace")
    message = f"{shown} is {what}; remove it, or list it in an .amlignore at the folder's root."
    raise CreditMLError(message)


def _put(files: list[File], target: Path, within: str = "") -> None:
    """Copy files to a folder that is complete or absent; `within` is what of them becomes the target."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name[:12]}-{run_id()[:8]}"
    partial.mkdir()
    try:
        for file in files:
            place = partial / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_file(file.source, place)
        try:
            (partial / within).rename(target)
        except OSError:
            if not target.exists():  # somebody else was first: the content is the same
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _holds(target: Path, files: list[File]) -> bool:
    """Whether nothing lies there, or these files, as far as their names and sizes tell."""
    if not target.exists():
        return True
    found = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    there = {(path.relative_to(target.parent).as_posix(), path.stat().st_size) for path in found}
    return there == {(file.path, file.size) for file in files}


def ignore_rules(folder: Path, always: tuple[str, ...] = ("__pycache__",)) -> Callable[[str], bool]:
    """What the `.amlignore`, else the `.gitignore`, at the folder's root leaves out (not both, no nested ones).

    The last rule that matches decides. `always` names what is left out of code besides (SDK: `ComponentIgnoreFile`).
    """
    for name in _IGNORE_FILES:
        file = folder / name
        if file.is_file():
            return _matcher([*file.read_text(encoding="utf-8", errors="replace").splitlines(), *always])
    return lambda path: any(name in path and name in path.split("/") for name in always)


def _matcher(rules: list[str]) -> Callable[[str], bool]:
    from pathspec import PathSpec

    match = PathSpec.from_lines("gitignore", rules).match_file
    keeps = any(rule.lstrip().startswith("!") for rule in rules)

    def ignored(path: str) -> bool:
        # a folder may hold files that a later rule keeps: only without such rules is it skipped as a whole
        return not (keeps and path.endswith("/")) and match(path)

    return ignored


def _loops(entry: os.DirEntry[str]) -> bool:
    """Whether a linked folder contains itself."""
    return entry.is_symlink() and os.path.realpath(entry.path) in (
        parent for parent in _parents(os.path.realpath(os.path.dirname(entry.path)))
    )


def _parents(path: str) -> Iterator[str]:
    while True:
        yield path
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent


def content_hash(files: list[File]) -> str:
    """Azure ML's content hash of a set of files (SDK: `get_content_hash`, version 202208)."""
    ordered = sorted(files, key=lambda file: file.path.lower())
    digest = sha256(str(len(ordered)).encode())
    for file in ordered:
        digest.update(f"#{file.path}#{file.size}".encode())
    for file in ordered:
        _feed(digest, file.source)
    return digest.hexdigest()


def object_hash(source: Path, ignored: Callable[[str], bool], own: Callable[[os.DirEntry[str]], bool]) -> str:
    """The hash under which Azure ML's clients upload data (SDK: `get_object_hash`), which know no `own` folders."""
    digest = sha256(_OBJECT_SEED)

    def add(place: str, path: str) -> None:
        if os.path.isfile(place):
            _feed(digest, place)
            return
        with os.scandir(place) as entries:
            for entry in sorted(entries, key=lambda entry: entry.path.lower()):
                inner = f"{path}{entry.name}"
                if not ignored(inner) and not (entry.is_dir() and (own(entry) or _loops(entry))):
                    digest.update(entry.name.encode())
                    add(entry.path, inner + "/")

    add(os.fspath(source), "")
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, file: str) -> None:
    try:
        with open(file, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}."
        raise CreditMLError(message) from error


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy contents, permission bits and times; by reference where the file system can."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        info = os.fstat(reader.fileno())
        if info.st_size and not _copy_range(reader.fileno(), writer.fileno()):
            shutil.copyfileobj(reader, writer, _CHUNK)
        os.fchmod(writer.fileno(), info.st_mode & 0o777 | 0o600)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def _copy_range(reader: int, writer: int) -> bool:
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return False
    try:
        copied = copy(reader, writer, 1 << 30)
    except OSError:
        return False
    if not copied:
        return False
    while copied:
        copied = copy(reader, writer, 1 << 30)
    return True


def copy_tree(source: str | Path, target: str | Path) -> None:
    """Copy a file, or a folder with its links followed, to a place that may exist."""
    if os.path.isfile(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        copy_file(source, target)
        return
    os.makedirs(target, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)
            if entry.is_dir():
                if _loops(entry):
                    continue
                copy_tree(entry.path, place)
            elif entry.is_file():
                copy_file(entry.path, place)
