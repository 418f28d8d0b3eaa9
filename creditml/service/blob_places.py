"""Which file of this machine each blob of the storage account is.

    azureml                  the artifact store: ExperimentRun/dcid.<run>/… are a run's artifacts, Jobs/… what lies
                             elsewhere below the workspace's folder jobs/ (models that MLflow keeps)
    azureml-blobstore-<id>   the default datastore; azureml/<run>/<output>/… in it are the outputs of runs
    datastore-<name>         any other datastore
    content                  snapshots of code, by their hash
    upload-<id>              what is about to become code

No name leads out of its container.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from creditml import tracking
from creditml.errors import NotFound
from creditml.references import (
    ARTIFACT_STORE,
    DEFAULT_DATASTORE,
    artifact_path,
    datastore_uri,
    parse_artifact_path,
    short_uri,
)
from creditml.service.keys import FOLDER
from creditml.service.messages import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.service.call import Call
    from creditml.workspace import Workspace
    from creditml.workspace.records import JobRecord

ARTIFACTS = "azureml"
BLOBSTORE = "azureml-blobstore-local"
CONTENT = "content"
UPLOAD = "upload-"
_OTHERS = "datastore-"
_FORBIDDEN = re.compile(r"(?:^|/)\.{1,2}(?:/|$)|^/|//|[\\\0]|^[A-Za-z]:")


class Base(NamedTuple):
    """A folder (or one file) of this machine, and the name that its blobs begin with."""

    folder: Path
    prefix: str
    writable: bool = True


def container_of(datastore: str) -> str:
    """The container that a datastore is."""
    return {DEFAULT_DATASTORE: BLOBSTORE, ARTIFACT_STORE: ARTIFACTS}.get(datastore, f"{_OTHERS}{datastore}")


def upload_folder(workspace: Workspace, container: str) -> Path:
    """Where a container for uploads lies."""
    return workspace.root / FOLDER / "uploads" / container


def blob_file(workspace: Workspace, container: str, blob: str) -> tuple[Path, bool]:
    """The file that a blob is, and whether it may be written.

    Raises:
        Refusal: there is no such container, or the name leads out of it.
    """
    if not blob or _FORBIDDEN.search(blob):
        raise Refusal(400, "InvalidResourceName", f"'{blob}' is no name for a blob here.")
    base = _base(workspace, container, blob)
    rest = blob[len(base.prefix) :]
    file = base.folder / rest if rest else base.folder
    _stay_within(base.folder, file)
    return file, base.writable


def blobs(workspace: Workspace, container: str, prefix: str) -> Iterator[tuple[str, Path]]:
    """The blobs whose names begin with a prefix, in their order."""
    if _FORBIDDEN.search(prefix.rstrip("/")):
        raise Refusal(400, "InvalidQueryParameterValue", f"'{prefix}' is no prefix of a blob's name here.")
    base = _base(workspace, container, prefix)
    found = {}
    for file in _files(base.folder):
        name = base.prefix + file.relative_to(base.folder).as_posix() if file != base.folder else base.prefix
        if name.startswith(prefix):
            found[name] = file
    yield from sorted(found.items())


def own_upload(call: Call, uri: str) -> Path | None:
    """What was uploaded to a container made for it (`codes.start_upload`), by its blob's URL; None for other URIs.

    Raises:
        Refusal: nothing was.
    """
    place = uri.removeprefix(f"{call.storage.url}/")
    container, _, prefix = unquote(urlsplit(place).path).partition("/")
    if place == uri or not container.startswith(UPLOAD):
        return None
    top = upload_folder(call.workspace, container)
    source = Path(os.path.normpath(top / prefix))
    if not source.is_relative_to(top) or not source.exists():
        raise Refusal(404, "UserError", "Nothing was uploaded there.")
    return source


def kept_uri(call: Call, uri: str, kind: str) -> str:
    """The path that an asset records: what was uploaded for it goes to the default datastore."""
    source = own_upload(call, uri)
    if source is None:
        return short_uri(uri)
    kept = call.workspace.data.keep(str(source), kind)
    discard(call.workspace, source)
    return kept


def discard(workspace: Workspace, source: Path) -> None:
    """Remove the container of an upload that is kept elsewhere now."""
    uploads = upload_folder(workspace, "")
    shutil.rmtree(uploads / source.relative_to(uploads).parts[0], ignore_errors=True)


def uploaded(call: Call, uri: str) -> str:
    """What was uploaded, by its blob's URL: a place of this machine, in the default datastore; other URIs stay."""
    if own_upload(call, uri) is not None:
        return call.workspace.data.source(kept_uri(call, uri, "uri_folder"))
    # a build context's address is made by `urljoin`, which takes the last part of the account's path off (SDK 1.35)
    for top in (f"{call.storage.url}/{BLOBSTORE}/", urljoin(call.storage.url, f"{BLOBSTORE}/")):
        if uri.startswith(top):
            return str(blob_file(call.workspace, BLOBSTORE, uri.removeprefix(top).rstrip("/"))[0])
    return short_uri(uri)


def uploaded_uri(call: Call, path: str) -> str:
    """The blob's URL of a folder in the default datastore; other paths stay."""
    place, store = Path(path), call.workspace.data.datastore(DEFAULT_DATASTORE)
    if not place.is_absolute() or not place.is_relative_to(store):
        return call.scope.uri(path)
    return f"{call.storage.url}/{BLOBSTORE}/{place.relative_to(store).as_posix()}/"


def registry_uri(call: Call, path: str) -> str:
    """What a registry says of a place in the default datastore, for the SDK to download it (see `codes.lend`).

    The SDK takes what follows the host and the container for the blob's name, so an account's path is left out.
    """
    place, store = Path(path), call.workspace.data.datastore(DEFAULT_DATASTORE)
    if not place.is_relative_to(store):
        return path
    end = "" if place.is_file() else "/"
    host = call.storage.url.partition("://")[2].partition("/")[0]
    return f"https://{host}/{BLOBSTORE}/{place.relative_to(store).as_posix()}{end}"


def local_uri(workspace: Workspace, path: str) -> str | None:
    """The artifact store's name for a place below the workspace's folder jobs/; None for other places."""
    place = Path(path)
    jobs = workspace.root / "jobs"
    if not place.is_absolute() or not place.is_relative_to(jobs):
        return None
    return datastore_uri(ARTIFACT_STORE, f"Jobs/{place.relative_to(jobs).as_posix()}")


def model_uri(workspace: Workspace, path: str, run: str | None) -> str | None:
    """The artifact store's name for a model's folder: among its run's artifacts if it was logged there."""
    for model in tracking.logged_models(workspace.root, run) if run else ():
        if str(model.folder) == path:
            blob = artifact_path(run or "", model.name)
            try:
                if (blob_file(workspace, ARTIFACTS, blob)[0] / "MLmodel").is_file():
                    return datastore_uri(ARTIFACT_STORE, blob)
            except Refusal:  # a run that no job is
                break
    return local_uri(workspace, path)


def _base(workspace: Workspace, container: str, name: str) -> Base:
    if container == ARTIFACTS:
        return _artifacts(workspace, name)
    if container == CONTENT:
        return Base(workspace.content.root, "", writable=False)
    if container == BLOBSTORE:
        output = workspace.data.stored_output(name)
        if output is not None:
            return Base(output.place, output.prefix, writable=False)
        return Base(workspace.data.datastore(DEFAULT_DATASTORE), "")
    if container.startswith(UPLOAD) and re.fullmatch(r"upload-[0-9a-f]{32}", container):
        return Base(upload_folder(workspace, container), "")
    if container.startswith(_OTHERS) and re.fullmatch(r"datastore-[A-Za-z0-9_-]+", container):
        return Base(workspace.data.datastore(container.removeprefix(_OTHERS)), "")
    raise Refusal(404, "ContainerNotFound", f"There is no container '{container}'.")


def _artifacts(workspace: Workspace, name: str) -> Base:
    if name.startswith("Jobs/"):
        return Base(workspace.root / "jobs", "Jobs/", writable=False)
    artifact = parse_artifact_path(name)
    if artifact is None:
        raise Refusal(404, "BlobNotFound", f"The artifact store has only the artifacts of runs, and not '{name}'.")
    record = _record(workspace, artifact.run)
    return Base(workspace.jobs.artifacts(record), artifact_path(record.name))


def _record(workspace: Workspace, run: str) -> JobRecord:
    try:
        return workspace.jobs.get(run)
    except NotFound:
        raise Refusal(404, "BlobNotFound", f"There is no run '{run}'.") from None


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    top = os.path.realpath(folder)
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            file = Path(place, name)
            if file.is_file() and (not file.is_symlink() or Path(os.path.realpath(file)).is_relative_to(top)):
                yield file


def _stay_within(folder: Path, file: Path) -> None:
    """No link leads out of what a container is."""
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        raise Refusal(403, "AuthorizationFailure", "That lies outside the container.")
