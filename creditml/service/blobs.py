"""The storage account: as much of Azure's blob service as Azure ML's clients use."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from creditml.documents import LARGEST
from creditml.references import UPLOADS
from creditml.secret_files import FOLDER
from creditml.service.blob_places import blob_file, list_blobs
from creditml.service.messages import Answer, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from creditml.service.messages import Request
    from creditml.workspace import Workspace

_META = "x-ms-meta-"
_UPLOADS = f"{UPLOADS}/"
"""The folder of the SDK's uploads, each under a hash of its content."""
_PAGE = 5000
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_VERSION = "2021-12-02"


def serve(request: Request, workspace: Workspace, place: str) -> Answer:
    """Answer a request for `container` or `container/blob`; the caller has checked that the client may ask."""
    container, _, blob = place.partition("/")
    query = request.query
    if not blob:
        if query.get("restype") == "container" and query.get("comp") == "list" and request.method == "GET":
            return _list(request, workspace, container)
        if query.get("restype") == "container" and request.method in ("GET", "HEAD", "PUT"):
            return Answer(200 if request.method != "PUT" else 201, _headers())
        raise _unknown(request)
    store = _Blob(workspace, container, blob)
    action = _ACTIONS.get((request.method, query.get("comp", "")))
    if action is None:
        raise _unknown(request)
    return action(store, request)


class _Blob:
    """One blob: its file, its metadata, and the blocks of an upload in progress."""

    def __init__(self, workspace: Workspace, container: str, blob: str) -> None:
        self.file, self.writable = blob_file(workspace, container, blob)
        self._named_folder = blob.endswith("/")  # the SDK asks for such a name to see whether there is a folder
        self._named_by_content = blob.startswith(_UPLOADS)
        digest = hashlib.sha256(f"{container}/{blob}".encode()).hexdigest()
        own = workspace.root / FOLDER
        self._notes = own / "metadata" / f"{digest}.json"
        self.blocks = own / "blocks" / digest
        self._drafts = own / "drafts"

    def read(self, request: Request) -> Answer:
        """GET: the whole blob, or a range of it."""
        info = self._stat()
        wanted = _RANGE.fullmatch(request.headers.get("x-ms-range") or request.headers.get("range") or "")
        if wanted is None or (wanted[2] and int(wanted[2]) < int(wanted[1])):  # RFC 9110: such a range is ignored
            return Answer(200, self._properties(info), self.file.read_bytes())
        start, end = int(wanted[1]), int(wanted[2]) if wanted[2] else info.st_size - 1
        if start >= info.st_size:
            raise Refusal(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
        end = min(end, info.st_size - 1)
        with self.file.open("rb") as stream:
            stream.seek(start)
            body = stream.read(end - start + 1)
        headers = self._properties(info) | {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{info.st_size}"}
        return Answer(206, headers, body)

    def head(self, _request: Request) -> Answer:
        """HEAD: the blob's properties."""
        info = self._stat()
        return Answer(200, self._properties(info) | {"Content-Length": str(info.st_size)})

    def metadata(self, request: Request) -> Answer:
        """PUT ?comp=metadata: set the blob's metadata."""
        info = self._stat()
        self._may_write()
        self._note(_metadata(request.headers))
        return Answer(200, _headers() | _identity(info))

    def write(self, request: Request) -> Answer:
        """PUT: the whole blob at once."""
        self._create(request, lambda: iter([request.body]))
        return Answer(201, _headers() | _identity(self.file.stat()))

    def block(self, request: Request) -> Answer:
        """PUT ?comp=block: keep a part of a blob."""
        self._may_write()
        name = hashlib.sha256(request.query.get("blockid", "").encode()).hexdigest()
        self.blocks.mkdir(parents=True, exist_ok=True)
        draft = self.blocks / f"{name}.{os.urandom(4).hex()}"
        draft.write_bytes(request.body)
        draft.replace(self.blocks / name)
        return Answer(201, _headers())

    def block_list(self, request: Request) -> Answer:
        """PUT ?comp=blocklist: make the blob of parts."""
        wanted = _block_list(request.body)
        names = [hashlib.sha256(text.encode()).hexdigest() for text in wanted]
        parts = [self.blocks / name for name in names]
        if not all(part.is_file() for part in parts):
            raise Refusal(400, "InvalidBlockList", "The specified block list is invalid.")
        self._create(request, lambda: (part.read_bytes() for part in parts))
        for part in dict.fromkeys(parts):
            part.unlink(missing_ok=True)
        return Answer(201, _headers() | _identity(self.file.stat()))

    def delete(self, _request: Request) -> Answer:
        """DELETE: remove the blob."""
        self._stat()
        self._may_write()
        self.file.unlink()
        self._notes.unlink(missing_ok=True)
        return Answer(202, _headers())

    def _create(self, request: Request, parts: Callable[[], Iterator[bytes]]) -> None:
        self._may_write()
        if request.headers.get("if-none-match") == "*" and self.file.exists():
            # the SDK names an upload after its content and has seen none: another client has uploaded the same
            if self._named_by_content and b"".join(parts()) == self.file.read_bytes():
                return
            raise Refusal(409, "BlobAlreadyExists", "The specified blob already exists.")
        self._drafts.mkdir(parents=True, exist_ok=True)
        draft = self._drafts / os.urandom(8).hex()
        try:
            with draft.open("wb") as stream:
                for part in parts():
                    stream.write(part)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(self.file)
        except (IsADirectoryError, FileExistsError, NotADirectoryError):
            raise Refusal(409, "ResourceTypeMismatch", "A blob and a folder can't have the same name here.") from None
        finally:
            draft.unlink(missing_ok=True)
        self._note(_metadata(request.headers))

    def _note(self, metadata: Mapping[str, str]) -> None:
        if metadata:
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            self._notes.write_text(json.dumps(metadata), encoding="utf-8")
        else:
            self._notes.unlink(missing_ok=True)

    def _may_write(self) -> None:
        if not self.writable:
            raise Refusal(403, "AuthorizationPermissionMismatch", "What a job has written can't be changed.")

    def _stat(self) -> os.stat_result:
        if self._named_folder or not self.file.is_file():
            raise Refusal(404, "BlobNotFound", "The specified blob does not exist.")
        return self.file.stat()

    def _properties(self, info: os.stat_result) -> dict[str, str]:
        try:
            kept = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        return {
            **_headers(),
            **_identity(info),
            **{_META + name: value for name, value in kept.items()},
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-lease-status": "unlocked",
            "x-ms-lease-state": "available",
        }


_ACTIONS: Mapping[tuple[str, str], Callable[[_Blob, Request], Answer]] = {
    ("GET", ""): _Blob.read,
    ("HEAD", ""): _Blob.head,
    ("PUT", ""): _Blob.write,
    ("PUT", "metadata"): _Blob.metadata,
    ("PUT", "block"): _Blob.block,
    ("PUT", "blocklist"): _Blob.block_list,
    ("DELETE", ""): _Blob.delete,
}


def _block_list(body: bytes) -> list[str]:
    """The blocks that a body names."""
    refused = Refusal(400, "InvalidXmlDocument", "The block list is not XML.")
    if len(body) > LARGEST or b"<!" in body or b"\0" in body:  # entities repeat each other; zeros hide them (UTF-16)
        raise refused
    try:
        return [node.text or "" for node in ET.fromstring(body)]  # noqa: S314  without entities
    except ET.ParseError:
        raise refused from None


def _list(request: Request, workspace: Workspace, container: str) -> Answer:
    query = request.query
    prefix, delimiter, marker = query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", "")
    size = min(int(query["maxresults"]) if query.get("maxresults", "").isdecimal() else _PAGE, _PAGE)
    entries: list[str] = []
    folders: set[str] = set()
    following = ""
    for name, file in list_blobs(workspace, container, prefix):
        if name < marker:
            continue
        head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        folder = prefix + head + delimiter if found else ""
        if folder in folders:
            continue
        if len(entries) == size:
            following = name
            break
        if folder:
            folders.add(folder)
            entries.append(f"<BlobPrefix><Name>{escape(folder)}</Name></BlobPrefix>")
        else:
            entries.append(_entry(name, file))
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{quote(container)}">'
        f"<Prefix>{escape(prefix)}</Prefix><Blobs>{''.join(entries)}</Blobs>"
        f"<NextMarker>{escape(following)}</NextMarker></EnumerationResults>"
    )
    return Answer(200, _headers() | {"Content-Type": "application/xml"}, text.encode())


def _entry(name: str, file: Path) -> str:
    info = file.stat()
    identity = _identity(info)
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{identity['Last-Modified']}</Last-Modified>"
        f"<Etag>{escape(identity['ETag'])}</Etag><Content-Length>{info.st_size}</Content-Length>"
        "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties>"
        "<Metadata /></Blob>"
    )


def _identity(info: os.stat_result) -> dict[str, str]:
    tag = f"{info.st_mtime_ns:x}-{info.st_size:x}-{info.st_ino:x}"
    return {"ETag": f'"0x{tag}"', "Last-Modified": formatdate(info.st_mtime, usegmt=True)}


def _headers() -> dict[str, str]:
    return {
        "x-ms-request-id": base64.b16encode(os.urandom(8)).decode(),
        "x-ms-version": _VERSION,
        "Date": formatdate(usegmt=True),
    }


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def _unknown(request: Request) -> Refusal:
    return Refusal(501, "NotImplemented", f"The storage here does not serve {request.method} {request.target}.")
