"""Inputs with an https path: downloaded once, verified, and kept in the user's cache for all workspaces."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from hashlib import md5, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from creditml import locks
from creditml.cache import cache_folder
from creditml.errors import Canceled, CreditMLError
from creditml.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 18
_TIMEOUT = 60  # seconds without an answer
_PAUSE = 0.1  # seconds between two looks at another process's download
_LONGEST_NAME = 200
_STALE = 24 * 3600  # seconds after which an unfinished download counts as abandoned
_URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"


def file_name(url: str) -> str:
    """The name of a downloaded file: the last part of the URL's path, or `download` if that can't be a file name."""
    try:
        last = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    except ValueError:
        last = ""
    name = "".join(c for c in last if c not in "/\0")[-_LONGEST_NAME:]
    return name if name.strip(".") else "download"


def download(url: str, tell: Callable[[str], None] | None = None, stopped: Callable[[], bool] = lambda: False) -> Path:
    """Download a URL, unless the cache has it, and return the local file.

    A file in the cache is used without asking the server if it still has the size and modification time that were
    recorded when it was verified.

    Args:
        url: an http or https address.
        tell: called with lines about the progress, if the file has to be downloaded.
        stopped: called now and then; the download is canceled when it returns True.

    Raises:
        CreditMLError: the download failed, or the file's size or checksum differs from what the server announced.
        Canceled: `stopped` returned True.
    """
    address = quote(url, safe=_URL_CHARACTERS)
    folder = _folder() / sha256(address.encode()).hexdigest()[:32]
    file, record = folder / file_name(url), folder.with_suffix(".json")
    if _verified(file, record):
        return file
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder.parent)
    with _alone(folder.with_suffix(".lock"), url, stopped):
        if not _verified(file, record):
            _renew(address, file, record, tell or (lambda _line: None), stopped)
    return file


@contextmanager
def _alone(lock: Path, url: str, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of a URL, so that only one process downloads it; the others wait here.

    The lock's file holds the number of the process meanwhile.
    """
    while (descriptor := locks.take(lock)) is None:
        _go_on(url, stopped)
        time.sleep(_PAUSE)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _go_on(url: str, stopped: Callable[[], bool]) -> None:
    if stopped():
        message = f"The download of {redacted(url)} was canceled."
        raise Canceled(message)


def _renew(url: str, file: Path, record: Path, tell: Callable[[str], None], stopped: Callable[[], bool]) -> None:
    folder = file.parent
    partial = Path(tempfile.mkdtemp(prefix=f".partial-{os.getpid()}-", dir=folder.parent))
    try:
        about = _fetch(url, partial / file.name, tell, stopped)
        info = (partial / file.name).stat()
        about |= {"size": info.st_size, "mtime_ns": info.st_mtime_ns}
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        _write(record, json.dumps(about))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _verified(file: Path, record: Path) -> bool:
    try:
        about = json.loads(record.read_text(encoding="utf-8"))
        info = file.stat()
    except (OSError, ValueError):
        return False
    return bool(info.st_size == about.get("size") and info.st_mtime_ns == about.get("mtime_ns"))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def remove_partial() -> None:
    """Remove the unfinished downloads and the locks of this process, before it exits without its `finally` blocks."""
    for partial in _folder().glob(f".partial-{os.getpid()}-*"):
        shutil.rmtree(partial, ignore_errors=True)
    for lock in _folder().glob("*.lock"):
        if lock.read_text(encoding="utf-8") == str(os.getpid()):
            lock.unlink(missing_ok=True)


def _folder() -> Path:
    return cache_folder() / "downloads"


def _remove_stale(folder: Path) -> None:
    """Remove the unfinished downloads of processes that were killed."""
    for partial in folder.glob(".partial-*"):
        if time.time() - partial.stat().st_mtime > _STALE:
            shutil.rmtree(partial, ignore_errors=True)


def _fetch(url: str, target: Path, tell: Callable[[str], None], stopped: Callable[[], bool]) -> dict[str, Any]:
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    digest, check = sha256(), md5(usedforsecurity=False)
    shown = redacted(url)
    tell(f"downloading {shown}")
    try:
        request = Request(url, headers={"User-Agent": "creditml"})  # noqa: S310  callers pass http and https only
        with urlopen(request, timeout=_TIMEOUT) as response, target.open("wb") as out:  # noqa: S310  http and https only
            headers = response.headers
            while chunk := response.read(_CHUNK):
                _go_on(url, stopped)
                out.write(chunk)
                digest.update(chunk)
                check.update(chunk)
            size = out.tell()
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = redacted(str(getattr(error, "reason", None) or error))
        message = f"{shown} can't be downloaded: {reason}. Check the address and the network, or use a local file."
        raise CreditMLError(message) from error
    _compare(shown, "Content-Length", headers.get("Content-Length"), str(size))
    _compare(shown, "Content-MD5", headers.get("Content-MD5"), base64.b64encode(check.digest()).decode())
    tell(f"downloaded {size:,} bytes")
    return {"url": shown, "sha256": digest.hexdigest(), "etag": headers.get("ETag")}


def _compare(url: str, what: str, announced: str | None, found: str) -> None:
    if announced is not None and announced.strip() != found:
        message = (
            f"The download of {url} is incomplete or damaged: the server announced {what} {announced}, "
            f"but the downloaded file has {found}. Try again."
        )
        raise CreditMLError(message)
