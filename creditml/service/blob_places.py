"""Which file of this machine each blob of the storage account is.

These are the containers of the account:

    azureml                  the artifact store: ExperimentRun/dcid.<run>/… are a run's artifacts, Jobs/… other files
                             below the workspace's folder jobs/ (models that MLflow keeps)
    azureml-blobstore-<id>   the default datastore; azureml/<run>/<output>/… are the outputs of runs
    datastore-<name>         any other datastore
    content                  snapshots of code, by their hash
    upload-<id>              uploads, until they become code or data

No name of a blob leads out of its container.
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
from creditml.secret_files import FOLDER
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


class BlobFolder(NamedTuple):
    """A folder (or one file) of this machine, and the prefix of the names of its blobs."""

    folder: Path
    prefix: str
    writable: bool = True


def container_of(datastore: str) -> str:
    """The container of a datastore."""
    return {DEFAULT_DATASTORE: BLOBSTORE, ARTIFACT_STORE: ARTIFACTS}.get(datastore, f"{_OTHERS}{datastore}")


def upload_folder(workspace: Workspace, container: str) -> Path:
    """The folder of a container for uploads."""
    return workspace.root / FOLDER / "uploads" / container


def blob_file(workspace: Workspace, container: str, blob: str) -> tuple[Path, bool]:
    """The file of a blob, and whether it may be written.

    Raises:
        Refusal: there is no such container, or the name leads out of it.
    """
    if not blob or _FORBIDDEN.search(blob):
        raise Refusal(400, "InvalidResourceName", f"'{blob}' is not a valid name of a blob here.")
    base = _base(workspace, container, blob)
    rest = blob[len(base.prefix) :]
    file = base.folder / rest if rest else base.folder
    _stay_within(base.folder, file)
    return file, base.writable


def list_blobs(workspace: Workspace, container: str, prefix: str) -> Iterator[tuple[str, Path]]:
    """The names and files of all blobs whose names begin with a prefix, sorted by name."""
    if _FORBIDDEN.search(prefix.rstrip("/")):
        raise Refusal(400, "InvalidQueryParameterValue", f"'{prefix}' is not a valid prefix of a blob's name here.")
    base = _base(workspace, container, prefix)
    found = {}
    for file in _files(base.folder):
        name = base.prefix + file.relative_to(base.folder).as_posix() if file != base.folder else base.prefix
        if name.startswith(prefix):
            found[name] = file
    yield from sorted(found.items())


def find_upload(call: Call, uri: str) -> Path | None:
    """The place of an upload, by its blob's URL; None for a URL outside of the containers of `codes.start_upload`.

    Raises:
        Refusal: nothing was uploaded there.
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


def keep_upload(call: Call, uri: str, kind: str) -> str:
    """The path for an asset's record. An upload that the URI names is moved to the default datastore first."""
    source = find_upload(call, uri)
    if source is None:
        return short_uri(uri)
    kept = call.workspace.data.keep(str(source), kind)
    discard_upload(call.workspace, source)
    return kept


def discard_upload(workspace: Workspace, source: Path) -> None:
    """Remove the container of an upload that was moved elsewhere."""
    uploads = upload_folder(workspace, "")
    shutil.rmtree(uploads / source.relative_to(uploads).parts[0], ignore_errors=True)


def build_context_path(call: Call, uri: str) -> str:
    """The folder of a build context, by its blob's URL; other URIs stay as they are."""
    if find_upload(call, uri) is not None:
        return call.workspace.data.source(keep_upload(call, uri, "uri_folder"))
    # a build context's address is made by `urljoin`, which takes the last part of the account's path off (SDK 1.35)
    for top in (f"{call.storage.url}/{BLOBSTORE}/", urljoin(call.storage.url, f"{BLOBSTORE}/")):
        if uri.startswith(top):
            return str(blob_file(call.workspace, BLOBSTORE, uri.removeprefix(top).rstrip("/"))[0])
    return short_uri(uri)


def build_context_uri(call: Call, path: str) -> str:
    """The blob's URL of a build context in the default datastore; other paths become URIs."""
    place, store = Path(path), call.workspace.data.datastore(DEFAULT_DATASTORE)
    if not place.is_absolute() or not place.is_relative_to(store):
        return call.scope.uri(path)
    return f"{call.storage.url}/{BLOBSTORE}/{place.relative_to(store).as_posix()}/"


def registry_download_url(call: Call, path: str) -> str:
    """The URL under which the SDK downloads a registry's asset, by its place in the default datastore.

    The SDK takes all that follows the host and the container for the blob's name, so the account's path is left out.
    Access is granted by `codes.grant_download`.
    """
    place, store = Path(path), call.workspace.data.datastore(DEFAULT_DATASTORE)
    if not place.is_relative_to(store):
        return path
    end = "" if place.is_file() else "/"
    host = call.storage.url.partition("://")[2].partition("/")[0]
    return f"https://{host}/{BLOBSTORE}/{place.relative_to(store).as_posix()}{end}"


def artifact_store_uri(workspace: Workspace, path: str) -> str | None:
    """The URI of a place below the workspace's folder jobs/, in the artifact store; None for other places."""
    place = Path(path)
    jobs = workspace.root / "jobs"
    if not place.is_absolute() or not place.is_relative_to(jobs):
        return None
    return datastore_uri(ARTIFACT_STORE, f"Jobs/{place.relative_to(jobs).as_posix()}")


def model_uri(workspace: Workspace, path: str, run: str | None) -> str | None:
    """The URI of a model's folder in the artifact store: among its run's artifacts if it was logged there."""
    for model in tracking.logged_models(workspace.root, run) if run else ():
        if str(model.folder) == path:
            blob = artifact_path(run or "", model.name)
            try:
                if (blob_file(workspace, ARTIFACTS, blob)[0] / "MLmodel").is_file():
                    return datastore_uri(ARTIFACT_STORE, blob)
            except Refusal:  # a run that doesn't belong to a job
                break
    return artifact_store_uri(workspace, path)


def _base(workspace: Workspace, container: str, name: str) -> BlobFolder:
    if container == ARTIFACTS:
        return _artifacts(workspace, name)
    if container == CONTENT:
        return BlobFolder(workspace.content.root, "", writable=False)
    if container == BLOBSTORE:
        output = workspace.data.stored_output(name)
        if output is not None:
            return BlobFolder(output.place, output.prefix, writable=False)
        return BlobFolder(workspace.data.datastore(DEFAULT_DATASTORE), "")
    if container.startswith(UPLOAD) and re.fullmatch(r"upload-[0-9a-f]{32}", container):
        return BlobFolder(upload_folder(workspace, container), "")
    if container.startswith(_OTHERS) and re.fullmatch(r"datastore-[A-Za-z0-9_-]+", container):
        return BlobFolder(workspace.data.datastore(container.removeprefix(_OTHERS)), "")
    raise Refusal(404, "ContainerNotFound", f"There is no container '{container}'.")


def _artifacts(workspace: Workspace, name: str) -> BlobFolder:
    if name.startswith("Jobs/"):
        return BlobFolder(workspace.root / "jobs", "Jobs/", writable=False)
    artifact = parse_artifact_path(name)
    if artifact is None:
        raise Refusal(404, "BlobNotFound", f"The artifact store has only the artifacts of runs, and not '{name}'.")
    record = _record(workspace, artifact.run)
    return BlobFolder(workspace.jobs.artifacts(record), artifact_path(record.name))


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
    """Refuse links that lead out of a container."""
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        raise Refusal(403, "AuthorizationFailure", "The blob is outside of the container.")
