"""Data in the datastores of a workspace in Azure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import BackendError
from creditml.references import DEFAULT_DATASTORE
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from creditml_azureml.connection import Connection

_BLOBS = "AzureBlob"
_PIECE = 1 << 22  # bytes
_STORAGE: Mapping[str, Any] = {
    **dict.fromkeys(("max_single_get_size", "max_chunk_get_size"), _PIECE),
    "initial_backoff": 1,
    "increment_base": 2,
}
"""Downloads go in pieces, so that a lost connection costs little; the SDK tries again after about 1, 3 and 5 s."""
_BLOB = re.compile(r"https://.+?\.blob\.[^/]+/(?P<container>[^/]+)/(?P<blob>.+)")


class StoredBlobs(NamedTuple):
    """The blobs of a datastore below a path: a folder of files, or one file."""

    container: Any
    path: str

    def blobs(self) -> Iterator[Any]:
        """The files, as azure.storage describes them, without the blobs that stand for folders."""
        top = self.path.rstrip("/")
        for blob in self.container.list_blobs(name_starts_with=top, include=["metadata"]):
            folder = (blob.metadata or {}).get("hdi_isfolder") or blob.name.endswith("/")
            if not folder and (blob.name == top or blob.name.startswith(f"{top}/")):
                yield blob

    def chunks(self, blob: Any, start: int) -> Iterator[bytes]:
        """The content of a file from a byte on; an error if the file has changed since it was described."""
        from azure.core import MatchConditions

        client = self.container.get_blob_client(blob.name)
        unchanged = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
        yield from client.download_blob(offset=start, length=blob.size - start, **unchanged).chunks()


class CloudData:
    """Finds data, and copies it to this machine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, uri: str) -> StoredBlobs | None:
        """The blobs at an azureml: URI; None if its datastore is of another kind (only `copy` can read it then)."""
        from azure.ai.ml._artifacts._artifact_utilities import get_datastore_info
        from azure.ai.ml._utils._storage_utils import AzureMLDatastorePathUri
        from azure.storage.blob import BlobServiceClient

        place = AzureMLDatastorePathUri(uri)
        info = get_datastore_info(self._connection.client.datastores, place.datastore)
        if info["storage_type"] != _BLOBS:
            return None
        account = BlobServiceClient(info["account_url"], credential=info["credential"], **_STORAGE)
        return StoredBlobs(account.get_container_client(info["container_name"]), str(place.path))

    def copy(self, uri: str, to: Path) -> None:
        """Copy the data at an azureml: URI into a folder, by the SDK's own download."""
        from azure.ai.ml._artifacts._artifact_utilities import (
            download_artifact_from_aml_uri,
        )

        download_artifact_from_aml_uri(uri, str(to), self._connection.client.datastores)

    def copy_code(self, uri: str, to: Path) -> None:
        """Copy the files of a code asset into an empty folder; `uri` is the address of its blob."""
        from azure.ai.ml._artifacts._artifact_utilities import get_datastore_info
        from azure.ai.ml._utils._storage_utils import get_storage_client

        place = _BLOB.fullmatch(uri)
        if place is None:
            message = "The code is not in a blob storage, so it can't be brought here."
            raise BackendError(message)
        folder = place["blob"].rstrip("/") + "/"  # the slash leaves out folders whose names only begin like this one
        with mapped("downloading code"):
            stores, container = self._connection.client.datastores, place["container"]
            info = get_datastore_info(stores, DEFAULT_DATASTORE, container_name=container)
            get_storage_client(**info).download(starts_with=folder, destination=str(to))
            if not any(to.iterdir()):  # the code is one file
                get_storage_client(**info).download(starts_with=place["blob"], destination=str(to))
