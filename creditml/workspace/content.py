"""Content-addressed snapshots: code as Azure ML would upload it, and uploaded data.

A snapshot's hash is the one that Azure ML computes for code (SDK: get_content_hash: file count, `#path#` and size of
each file, then the contents), so that a folder has the same hash here and in Azure. Uploaded data lies under the path
that Azure ML's clients use, so that an asset keeps its path when it is registered again by creditml or by the SDK.

A snapshot is either complete or absent: it is written to a temporary folder beside its place, which is then renamed.
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.documents import read_text
from creditml.errors import CreditMLError, NotFound
from creditml.names import run_id
from creditml.references import code_digest, is_digest, is_reference

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Iterable, Iterator

    from creditml.model import Command

_IGNORE_FILES = (".amlignore", ".gitignore")
_CHUNK = 1 << 20
_OBJECT_SEED = b"Initialize for october 2021 AML CLI version"


class File(NamedTuple):
    """One file of a snapshot: its place on this machine, its path in the snapshot (with `/`), its size in bytes."""

    source: str
    path: str
    size: int


class Content:
    """The folder `content/` of a workspace."""

    def __init__(self, root: Path, workspace: Path) -> None:
        """Use a folder.

        Args:
            root: the folder `content/`.
            workspace: the workspace's folder, which is left out of the snapshot of a folder that contains it.
        """
        self.root, self._workspace = root, os.path.realpath(workspace)

    def folder(self, digest: str) -> Path:
        """The folder of the snapshot with this hash; it need not exist.

        Raises:
            NotFound: what was given is not a hash, so that the folder would be another one of this machine.
        """
        if not is_digest(digest):
            message = f"'{digest}' is not the hash of a code snapshot."
            raise NotFound(message)
        return self.root / digest

    def code_folder(self, code: str) -> Path:
        """The folder of the snapshot that a frozen job's `code` refers to; it need not exist.

        Raises:
            NotFound: the reference names no snapshot.
        """
        return self.folder(code_digest(code))

    def local_code(self, component: Command) -> tuple[str, tuple[str, ...]]:
        """A step's code folder on this machine (empty if the step has no code), and its additional includes."""
        code = component.code or ""
        folder = str(self.code_folder(code)) if is_reference(code) else code
        return folder, component.additional_includes

    def snapshot_code(self, code: Path, includes: Iterable[Path] = ()) -> str:
        """Take a snapshot of a code folder (or of one file) together with its additional includes.

        Returns:
            The snapshot's hash.

        Raises:
            CreditMLError: the snapshot would be empty, or a file can't be read.
        """
        files = list(self.code_files(code, includes))
        if not files:
            message = (
                f"The code folder {code} is empty, or its ignore file leaves out everything in it; "
                "Azure ML refuses that. Put the code there, or correct the ignore file."
            )
            raise CreditMLError(message)
        return self.store(files)

    def code_files(self, code: Path | None, includes: Iterable[Path] = ()) -> Iterator[File]:
        """The files that a snapshot of the code would contain, after the ignore files have been applied.

        Of files with the same path the last one is taken, as the SDK does (`merge_local_code_and_additional_includes`).
        """
        found = {file.path: file for file in self._tree(code, "", ignore_rules(code))} if code else {}
        for include in includes:
            found |= {file.path: file for file in self._included(include)}
        yield from found.values()

    def _included(self, include: Path) -> Iterator[File]:
        from creditml.language.node_keys import zipped_folder  # brings YAML, which lists of jobs do without

        folder = zipped_folder(str(include))
        if folder:
            archive = self._archive(Path(folder))
            yield File(str(archive), include.name, archive.stat().st_size)
            return
        prefix = "" if include.is_file() else include.name + "/"
        yield from self._tree(include, prefix, ignore_rules(include))

    def _archive(self, folder: Path) -> Path:
        """Zip a folder, with its name in all paths, as the SDK does (`_resolve_folder_to_compress`)."""
        import zipfile

        place = self.root / ".archives" / f"{sha256(os.fsencode(folder)).hexdigest()}.zip"
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = place.with_suffix(f".{run_id()[:8]}")
        with zipfile.ZipFile(partial, "w", strict_timestamps=False) as archive:
            archive.write(folder, folder.name)
            for file in sorted(self._tree(folder, f"{folder.name}/", ignore_rules(folder))):
                archive.write(file.source, file.path)
        return partial.replace(place)

    def store(self, files: list[File]) -> str:
        """Copy the files to a snapshot; returns its hash."""
        digest = content_hash(files)
        _put(files, self.folder(digest))
        return digest

    def keep(self, folder: Path) -> str:
        """Copy all files of a folder to a snapshot, without regard to ignore files; returns its hash."""
        return self.store(list(self._tree(folder, "", lambda _path: False)))

    def upload(self, source: Path, store: Path) -> str:
        """Copy a file or folder to `<store>/<hash>/<name>`; returns the hash.

        The hash is the one that Azure ML's clients compute for an upload. Different folders can have the same one; if
        other files are already stored under it, the content hash is used instead.
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
        """Whether a folder is a workspace: this one, or any folder named `.creditml`."""
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
    """A directory entry as a file of a snapshot.

    Raises:
        CreditMLError: Azure ML could not upload the entry.
    """
    if not entry.is_file():
        what = "a link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
    elif any("\ud800" <= character <= "\udfff" for character in path):
        what = "a file whose name is not valid UTF-8"
    else:
        return File(entry.path, path, entry.stat().st_size)
    shown = os.fsencode(entry.path).decode(errors="backslashreplace")
    message = (
        f"{shown} is {what}, which Azure ML can't upload; remove it, or list it in an .amlignore at the folder's root."
    )
    raise CreditMLError(message)


def _put(files: list[File], target: Path, within: str = "") -> None:
    """Copy files to `target` by way of a temporary folder, so that `target` is either complete or absent.

    `within` is the part of the temporary folder that becomes the target; empty means all of it.
    """
    if target.exists():
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
            if not target.exists():  # otherwise another process has just made it, with the same content
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _holds(target: Path, files: list[File]) -> bool:
    """Whether the target is free, or holds exactly these files (judged by their names and sizes)."""
    if not target.exists():
        return True
    found = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    there = {(path.relative_to(target.parent).as_posix(), path.stat().st_size) for path in found}
    return there == {(file.path, file.size) for file in files}


def ignore_rules(folder: Path, always: tuple[str, ...] = ("__pycache__",)) -> Callable[[str], bool]:
    """Read a folder's ignore file: its `.amlignore`, or without one its `.gitignore` (ignore files below don't count).

    The last rule that matches a path decides.

    Args:
        folder: the folder that is uploaded.
        always: further names to leave out, as the SDK does for code (SDK: `ComponentIgnoreFile`).

    Returns:
        A function that tells whether a path in the folder is left out; a folder's path ends with `/`.
    """
    for name in _IGNORE_FILES:
        file = folder / name
        if file.is_file():
            return _matcher([*read_text(file, "utf-8", "replace").splitlines(), *always])
    return lambda path: any(name in path and name in path.split("/") for name in always)


def _matcher(rules: list[str]) -> Callable[[str], bool]:
    from pathspec import PathSpec

    match = PathSpec.from_lines("gitignore", rules).match_file
    keeps = any(rule.lstrip().startswith("!") for rule in rules)

    def ignored(path: str) -> bool:
        # Rules with `!` may keep files in an ignored folder, so then folders are never skipped as a whole.
        return not (keeps and path.endswith("/")) and match(path)

    return ignored


def _loops(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is a link to a folder above it, so that following it would never end."""
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
    """The hash under which Azure ML's clients upload data (SDK: `get_object_hash`).

    Args:
        source: the file or folder.
        ignored: whether a path in the folder is left out.
        own: whether a folder is a workspace of creditml; these are left out too, which Azure ML's clients would not do.
    """
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
    """Copy a file's contents, permission bits and times.

    File systems that support it (Btrfs, XFS) share the blocks of the two files instead of copying them.
    """
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
    """Copy a file or a folder, following links, to a place that may exist already."""
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
