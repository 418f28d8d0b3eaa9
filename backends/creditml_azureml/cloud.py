"""A workspace in Azure, through the genuine SDK: its client, and what the run history says of jobs.

This is the one module that reaches into what the SDK keeps private: the run history's answers (times, errors, logs of a
job and of its children) are not to be had otherwise. A test looks whether it is still there.
"""

from __future__ import annotations

import logging
import re
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import BackendError, NotFound
from creditml.references import DEFAULT_DATASTORE, parse_reference, short_uri
from creditml_azureml.errors import mapped, quietly
from creditml_azureml.runs import Run, child, message, milliseconds, row, told
from creditml_azureml.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from azure.ai.ml import MLClient

    from creditml.references import Id

_TIMEOUT = 30.0  # seconds for a log
_NOT_THERE, _REFUSED = 404, 400  # statuses
_BLOBS = "AzureBlob"
_PIECE = 1 << 22  # bytes
_STORAGE: Mapping[str, Any] = {
    **dict.fromkeys(("max_single_get_size", "max_chunk_get_size"), _PIECE),
    "initial_backoff": 1,
    "increment_base": 2,
}
"""Downloads go in pieces, so that little is lost with a connection; the SDK tries again after 1, 3 and 5 s or so."""
_BLOB = re.compile(r"https://.+?\.blob\.[^/]+/(?P<container>[^/]+)/(?P<blob>.+)")


class Stored(NamedTuple):
    """What a blob datastore holds below a path: a folder, or one file."""

    container: Any
    path: str

    def blobs(self) -> Iterator[Any]:
        """Its files, as azure.storage describes them, without folders that are kept as blobs."""
        top = self.path.rstrip("/")
        for blob in self.container.list_blobs(name_starts_with=top, include=["metadata"]):
            folder = (blob.metadata or {}).get("hdi_isfolder") or blob.name.endswith("/")
            if not folder and (blob.name == top or blob.name.startswith(f"{top}/")):
                yield blob

    def chunks(self, blob: Any, start: int) -> Iterator[bytes]:
        """What a file holds from a byte on; an error if it has been changed since it was described."""
        from azure.core import MatchConditions

        client = self.container.get_blob_client(blob.name)
        unchanged = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
        yield from client.download_blob(offset=start, length=blob.size - start, **unchanged).chunks()


class Cloud:
    """A workspace in Azure."""

    def __init__(self, target: Target, client: MLClient | None = None) -> None:
        """Nothing is asked yet. A client may be given; else one is made with DefaultAzureCredential."""
        self.target, self._given = target, client
        self._registries: dict[str, MLClient] = {}

    @classmethod
    def find(cls, given: Mapping[str, Any]) -> Cloud:
        """The workspace that is meant in the current folder; see `find_target`."""
        return cls(find_target(given))

    @cached_property
    def client(self) -> MLClient:
        """The genuine client."""
        if self._given is not None:
            return self._given
        hush()
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        with quietly():
            return MLClient(DefaultAzureCredential(), *self.target, enable_telemetry=False, show_progress=False)

    def registry(self, name: str) -> MLClient:
        """The genuine client of a registry, for who is signed in here; that of the workspace for an empty name."""
        if not name:
            return self.client
        if name not in self._registries:
            from azure.ai.ml import MLClient

            credential = self.client._credential  # noqa: SLF001  see above
            made = MLClient(credential, registry_name=name, enable_telemetry=False, show_progress=False)
            self._registries[name] = made
        return self._registries[name]

    def run(self, name: str) -> Run:
        """How a job stands, and which logs there are.

        Raises:
            NotFound: there is no such job.
        """
        with mapped(f"asking for the job '{name}'"):
            found: Any = self._history.get_run_details(name)
            return Run(
                name,
                found.status,
                started_at=milliseconds(found.start_time_utc),
                ended_at=milliseconds(found.end_time_utc),
                error=message(found.error),
                logs=dict(found.log_files or {}),
                properties=dict(found.properties or {}),
            )

    def entries(self, limit: int | None, *, archived: bool | None) -> Iterator[dict[str, Any]]:
        """Submitted jobs, newest first, as `az ml job list` tells of them; `archived` as for the local workspace."""
        from azure.ai.ml.constants import ListViewType

        view = {True: ListViewType.ALL, False: ListViewType.ACTIVE_ONLY, None: ListViewType.ARCHIVED_ONLY}[archived]
        with mapped("listing jobs"):
            found = self.client.jobs.list(list_view_type=view)  # it doesn't heed `max_results` (SDK 1.35)
            for job in islice((job for job in found if job is not None), limit):
                yield row(job)

    def job(self, name: str) -> dict[str, Any]:
        """A job as `az ml job show` tells of it.

        Raises:
            NotFound: there is no such job.
        """
        with mapped(f"asking for the job '{name}'"):
            return told(self.client.jobs.get(name))

    def children(self, name: str) -> list[Run]:
        """The children of a job that have been made so far, oldest first."""
        with mapped(f"asking for the steps of the job '{name}'"):
            history: Any = self._history
            found = history._operation.get_child(*history_scope(history), name)  # noqa: SLF001  see above
            return sorted(map(child, found), key=lambda run: run.started_at or 0)

    def text(self, url: str) -> str:
        """What a log says so far; nothing if it isn't there yet."""
        from azure.ai.ml._utils.utils import create_requests_pipeline_with_retry
        from azure.core.exceptions import HttpResponseError

        with mapped("reading a log"):
            pipeline: Any = create_requests_pipeline_with_retry(requests_pipeline=self.client.jobs._requests_pipeline)  # noqa: SLF001  see above
            answer = pipeline.get(url, read_timeout=_TIMEOUT, connection_timeout=_TIMEOUT)
            if answer.status_code == _NOT_THERE:
                return ""
            if answer.status_code >= _REFUSED:  # the SDK would take what is said then for the log
                raise HttpResponseError(response=answer)
            return str(answer.text())

    def output_uri(self, job: str, output: str) -> str | None:
        """Where an output of a job lies (`default`: its logs and artifacts), as an azureml: URI."""
        with mapped(f"asking for the output '{output}' of the job '{job}'"):
            found: Mapping[str, str] = self.client.jobs._get_named_output_uri(job, output)  # noqa: SLF001  see above
            return found.get(output)

    def outputs(self, job: str) -> list[str]:
        """The names of the outputs that a job or step has written."""
        with mapped(f"asking for the outputs of the job '{job}'"):
            found: Mapping[str, str] = self.client.jobs._get_named_output_uri(job)  # noqa: SLF001  see above
            return [name for name in found if name != "default"]

    def stored(self, uri: str) -> Stored | None:
        """What lies at an azureml: URI; None if its datastore isn't one of blobs."""
        from azure.ai.ml._artifacts._artifact_utilities import get_datastore_info
        from azure.ai.ml._utils._storage_utils import AzureMLDatastorePathUri
        from azure.storage.blob import BlobServiceClient

        place = AzureMLDatastorePathUri(uri)
        info = get_datastore_info(self.client.datastores, place.datastore)
        if info["storage_type"] != _BLOBS:
            return None
        account = BlobServiceClient(info["account_url"], credential=info["credential"], **_STORAGE)
        return Stored(account.get_container_client(info["container_name"]), str(place.path))

    def copy(self, uri: str, to: Path) -> None:
        """Copy what lies at an azureml: URI into a folder, as the SDK does it."""
        from azure.ai.ml._artifacts._artifact_utilities import (
            download_artifact_from_aml_uri,
        )

        download_artifact_from_aml_uri(uri, str(to), self.client.datastores)

    def asset(self, kind: str, name: str, version: str | None) -> Any:
        """A version of data, an environment or a component, without one the latest; None if there is none."""
        label = None if version else "latest"
        try:
            with mapped(f"asking for the {kind} {name}:{version or label}"):
                return self._assets(kind).get(name=name, version=version, label=label)
        except NotFound:
            return None

    def versions(self, kind: str, name: str) -> list[str]:
        """The versions of a name."""
        try:
            with mapped(f"asking for the versions of the {kind} {name}"):
                return [str(each.version) for each in self._assets(kind).list(name=name)]
        except NotFound:
            return []

    def register(self, kind: str, asset: Any) -> None:
        """Register data, an environment or a component; what is uploaded already isn't again (SDK: by its hash)."""
        with quietly():
            self._assets(kind).create_or_update(asset)

    def upload_hash(self, path: str) -> str:
        """The hash under which the SDK uploads a file or folder."""
        from azure.ai.ml._utils._asset_utils import get_ignore_file, get_object_hash

        return str(get_object_hash(path, get_ignore_file(path)))

    def _assets(self, kind: str) -> Any:
        client = self.client
        return {"data": client.data, "environment": client.environments, "component": client.components}[kind]

    def job_body(self, name: str) -> dict[str, Any]:
        """The `properties` of a job, as the service sends them.

        Raises:
            NotFound: there is no such job.
        """
        with mapped(f"asking for the job '{name}'"):
            found: Any = self.client.jobs._get_job_2401(name)  # noqa: SLF001  see above
            return dict(found.as_dict()["properties"])

    def component_body(self, asset: Id) -> dict[str, Any]:
        """The `componentSpec` of a registered component, with its version; the latest if none is named.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the component '{asset.name}'"):
            components: Any = self.registry(asset.registry).components
            version = asset.version or _latest(components, asset.name)
            found = components._get_component_version(asset.name, version).as_dict()  # noqa: SLF001  see above
            return {**found["properties"]["componentSpec"], "name": asset.name, "version": version}

    def environment_body(self, asset: Id) -> dict[str, Any]:
        """The `properties` of an environment's version; the latest if none is named.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the environment '{asset.name}'"):
            environments: Any = self.registry(asset.registry).environments
            version = asset.version or _latest(environments, asset.name)
            found: Any = environments._get(asset.name, version)  # noqa: SLF001  see above
            return {**found.as_dict()["properties"], "version": version}

    def code_body(self, asset: Id) -> dict[str, Any]:
        """The `properties` of a code asset.

        Raises:
            NotFound: there is none.
        """
        with mapped(f"asking for the code '{asset.name}'"):
            operations: Any = self.registry(asset.registry)._code  # noqa: SLF001  see above
            found = operations._version_operation.get(  # noqa: SLF001  see above
                name=asset.name,
                version=asset.version,
                resource_group_name=self.target.resource_group,
                workspace_name=self.target.workspace_name,
            )
            return dict(found.as_dict()["properties"])

    def download_code(self, uri: str, to: Path) -> None:
        """Copy what a code asset holds into an empty folder; `uri` is its blob's."""
        from azure.ai.ml._artifacts._artifact_utilities import get_datastore_info
        from azure.ai.ml._utils._storage_utils import get_storage_client

        place = _BLOB.fullmatch(uri)
        if place is None:
            message = "The code lies in no blob storage, and can't be brought here."
            raise BackendError(message)
        folder = place["blob"].rstrip("/") + "/"  # or what only begins like it came too
        with mapped("downloading code"):
            info = get_datastore_info(self.client.datastores, DEFAULT_DATASTORE, container_name=place["container"])
            get_storage_client(**info).download(starts_with=folder, destination=str(to))
            if not any(to.iterdir()):  # it is one file
                get_storage_client(**info).download(starts_with=place["blob"], destination=str(to))

    def data_path(self, reference: str, *, model: bool) -> tuple[str, str, str]:
        """A data or model asset's name, version, and where it lies.

        Raises:
            NotFound: there is none.
        """
        named = parse_reference(reference)
        if named is None:
            message = f"{reference} names no asset."
            raise NotFound(message)
        with mapped(f"asking for {reference}"):
            assets: Any = self.client.models if model else self.client.data
            wanted = {"version": named.version} if named.version else {"label": named.label or "latest"}
            found = assets.get(name=named.name, **wanted)
            return str(found.name), str(found.version), short_uri(str(found.path))

    @property
    def _history(self) -> Any:
        return self.client.jobs._runs_operations  # noqa: SLF001  see above


def hush() -> None:
    """Keep the SDK from logging: what is to be said is said by us, without secrets."""
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # it speaks while it is imported
    import azure.ai.ml  # noqa: F401  it takes seconds, and gives loggers levels of their own

    own = [name for name in logging.root.manager.loggerDict if name.startswith("azure.")]
    for logger in map(logging.getLogger, ("msrest", "msal", *own)):
        if 0 < logger.level < logging.CRITICAL or "." not in logger.name:  # others heed the one above them
            logger.setLevel(logging.CRITICAL)


def _latest(operations: Any, name: str) -> str:
    """The latest version of a component or environment.

    Raises:
        NotFound: there is none of that name.
    """
    from azure.ai.ml.exceptions import MlException

    try:
        return str(operations._get_latest_version(name).version)  # noqa: SLF001  see above
    except MlException as error:
        if "does not exist" in str(error):  # the SDK calls that invalid
            raise NotFound(name) from None
        raise


def history_scope(history: Any) -> tuple[str, str, str]:
    """Subscription, resource group and workspace, as its calls take them."""
    scope = history._operation_scope  # noqa: SLF001  see above
    return scope.subscription_id, scope.resource_group_name, history._workspace_name  # noqa: SLF001  see above
