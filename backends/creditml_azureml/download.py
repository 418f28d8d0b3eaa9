"""Downloads of logs, outputs and data from Azure: whole files only, and continued where one was cut off.

Until everything has arrived, a folder beside the target holds it:

    .<target>.<digest>.partial/whole/…       whole files, at their places
    .<target>.<digest>.partial/parts/…       the beginnings of others

A whole file has the time of its blob's last change, by which the next call recognizes it. Only one call at a time may
use the folder: it holds a lock on it, which the system releases when its process ends.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from hashlib import md5, sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from creditml import locks
from creditml.errors import BackendError, Conflict, NotFound
from creditml.statuses import COMPLETED, TERMINAL
from creditml_azureml.cloud_jobs import ARTIFACTS
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml_azureml.cloud import Cloud
    from creditml_azureml.cloud_data import StoredBlobs

_REUSED, _ORIGINAL = "azureml.isreused", "azureml.reusedrunid"


def fetch_output(cloud: Cloud, job: str, output: str, to: Path) -> Path:
    """Copy an output of an ended job, or of a step by its run's name, into a folder, and return the folder.

    An output that is one file is put into the folder under its own name. A reused job has the output of its original.

    Raises:
        NotFound: there is no such output.
        BackendError: the job hasn't ended.
        BackendUnavailable: the connection was lost; another call continues where this one stopped.
    """
    name = _original(cloud, job)
    doing = f"downloading the output '{output}' of the job '{job}'"
    uri = cloud.jobs.output_uri(name, output)
    if uri is None:
        message = f"The job '{job}' has no output '{output}'."
        raise NotFound(message)
    if not _fetch(cloud, uri, to, doing):
        if cloud.jobs.get_run(name).status != COMPLETED:
            message = f"The job '{job}' wrote nothing into its output '{output}'."
            raise NotFound(message)
        to.mkdir(parents=True, exist_ok=True)
    return to


def fetch_artifacts(cloud: Cloud, job: str, to: Path) -> Path:
    """Copy logs and other artifacts of an ended job, or of a step by its run's name, into a folder.

    Raises:
        BackendError: as for `fetch_output`.
    """
    uri = cloud.jobs.output_uri(_original(cloud, job), ARTIFACTS)
    if uri is not None:
        _fetch(cloud, uri, to, f"downloading the logs of the job '{job}'")
    return to


def fetch_data(cloud: Cloud, uri: str, to: Path) -> Path:
    """Copy the data of an `azureml://datastores/…` path into a folder, a single file under its own name.

    Raises:
        NotFound: there is nothing.
        BackendError, BackendUnavailable: as for `fetch_output`.
    """
    if not _fetch(cloud, uri, to, f"downloading {uri}"):
        message = f"There is nothing at {uri}."
        raise NotFound(message)
    return to


def _original(cloud: Cloud, job: str) -> str:
    """The run that wrote a job's files: that of the original if the job was reused (SDK: `JobOperations.download`)."""
    run = cloud.jobs.get_run(job)
    if run.properties.get(_REUSED) == "true" and run.properties.get(_ORIGINAL):
        run = cloud.jobs.get_run(run.properties[_ORIGINAL])
    if run.status not in TERMINAL:
        message = f"This job is in state {run.status}. Download is allowed only in states {list(TERMINAL)}"
        raise BackendError(message)
    return run.name


def _fetch(cloud: Cloud, uri: str, to: Path, doing: str) -> bool:
    """Download everything that is stored below a URI; False if there is nothing."""
    with mapped(doing), _partial(to, f"{cloud.target.id} {uri}") as partial:
        stored = cloud.data.find(uri)
        whole = partial / "whole"
        if stored is None:
            cloud.data.copy(uri, _emptied(whole))
        else:
            _bring(stored, partial)
        found = whole.exists() and any(whole.iterdir())
        if found:
            _publish(whole, to)
        shutil.rmtree(partial)
    return found


@contextmanager
def _partial(to: Path, source: str) -> Iterator[Path]:
    to = to.absolute()
    to.parent.mkdir(parents=True, exist_ok=True)
    folder = to.with_name(f".{to.name}.{sha256(source.encode()).hexdigest()[:12]}.partial")
    while True:
        folder.mkdir(exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not locks.lock(held):
                message = f"Another process downloads this to {to} already. Wait for it, or choose another folder."
                raise Conflict(message)
            if folder.exists() and os.path.samestat(os.fstat(held), folder.stat()):
                yield folder
                return
        finally:
            os.close(held)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _bring(stored: StoredBlobs, partial: Path) -> None:
    """Make `whole` hold exactly what is stored; what earlier calls brought is used."""
    whole, parts = partial / "whole", partial / "parts"
    wanted: dict[Path, Any] = {}
    for blob in stored.blobs():
        file = whole / _place(stored, blob.name)
        if wanted.setdefault(file, blob) is not blob:
            message = f"Two files of the output have the same place, '{file.relative_to(whole)}'."
            raise BackendError(message)
    for file in [file for file in whole.rglob("*") if file.is_file() and file not in wanted]:
        file.unlink()  # an earlier call brought it, and it isn't stored any more
    for file, blob in wanted.items():
        if not _is(file, blob):
            parts.mkdir(exist_ok=True)
            part = _part(stored, blob, parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            part.replace(file)


def _place(stored: StoredBlobs, name: str) -> Path:
    """The place of a blob's file, relative to the target.

    Raises:
        BackendError: it would be outside of the target.
    """
    below = name[len(stored.path.rstrip("/")) :].lstrip("/") or PurePosixPath(name).name
    place = PurePosixPath(below)
    if ".." in place.parts or not place.parts or "\0" in below or os.path.isabs(below):
        message = f"The stored file '{name}' would lie outside the folder; nothing is written there."
        raise BackendError(message)
    return Path(place)


def _is(file: Path, blob: Any) -> bool:
    """Whether a file is this blob, brought by an earlier call."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return found.st_size == blob.size and int(found.st_mtime) == int(blob.last_modified.timestamp())


def _part(stored: StoredBlobs, blob: Any, parts: Path) -> Path:
    """A file with a blob's whole content; continues where an earlier call stopped.

    Raises:
        BackendError: the content isn't the one that was announced.
    """
    part = parts / sha256(f"{blob.name}\n{blob.etag}\n{blob.size}".encode()).hexdigest()[:32]
    with part.open("ab") as out:
        if out.tell() < blob.size:
            for chunk in stored.chunks(blob, out.tell()):
                out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    size = part.stat().st_size
    told = getattr(blob.content_settings, "content_md5", None)
    if size != blob.size or (told and bytes(told) != _md5(part)):
        part.unlink()
        message = f"'{blob.name}' did not arrive whole ({size} of {blob.size} bytes). Run the same command again."
        raise BackendError(message)
    changed = blob.last_modified.timestamp()
    os.utime(part, (changed, changed))
    return part


def _md5(file: Path) -> bytes:
    digest = md5(usedforsecurity=False)  # Azure keeps that of an upload
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.digest()


def _publish(whole: Path, to: Path) -> None:
    """Give the folder its final name. If there is one that has files already, each file is moved into it as a whole."""
    try:
        whole.rename(to)
    except OSError:  # the target has files already
        for file in sorted(file for file in whole.rglob("*") if file.is_file()):
            target = to / file.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
