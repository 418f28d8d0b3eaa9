"""Where data lies: turns any path that Azure ML accepts into a file or folder of this machine.

./x.csv, file:///x.csv                                   a local file or folder
https://…/x.csv                                          a file that is downloaded once, verified and cached
azureml:name:version, azureml:name@latest                a data or model asset
azureml://registries/<registry>/data/<name>/versions/…   a data asset of a registry (or a model, with `models`)
azureml://datastores/<datastore>/paths/<path>            a path in the workspace's folder for that datastore
azureml://subscriptions/…/datastores/<datastore>/paths/… a path in the workspace's folder for that datastore
azureml://jobs/<job>/outputs/<output>/paths/<path>       an output of a job
runs:/<run>/<path>                                       an artifact of an MLflow run
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from creditml.documents import is_system
from creditml.errors import CreditMLError, NotFound, Unsupported, near_miss
from creditml.logs import ARTIFACTS
from creditml.model import asset_kind
from creditml.references import (
    DEFAULT_DATASTORE,
    SCHEME_NAME,
    UPLOADS,
    is_reference,
    parse_datastore,
    parse_output,
    parse_reference,
    parse_stored_output,
    stored_output_path,
    upload_uri,
)

if TYPE_CHECKING:
    from creditml.workspace.assets import Assets
    from creditml.workspace.content import Content
    from creditml.workspace.jobs import Jobs

# Patterns are kept as text: compiling them at import would take too long for a command that doesn't need them.
_RUN = r"runs:/(?P<job>[^/]+)/(?P<path>.*)"
_REMOTE = ("wasbs", "wasb", "abfss", "abfs", "adl", "s3", "gs", "hdfs", "dbfs")
_FOLDER_TYPES = ("uri_folder", "mltable", "mlflow_model", "triton_model")
DEFAULT_ARTIFACTS = ("default", ARTIFACTS)


def is_url(path: str) -> bool:
    """Whether a path has to be downloaded."""
    return path.lower().startswith(("http://", "https://"))


class StoredOutput(NamedTuple):
    """An output of a job: its place on this machine, and the prefix of its path in the default datastore."""

    place: Path
    prefix: str


class DataPaths:
    """Resolves Azure ML's paths within one workspace."""

    def __init__(self, root: Path, assets: Assets, jobs: Jobs, content: Content) -> None:
        """Resolve paths in the workspace with the folder `root`."""
        self._stores, self._assets, self._jobs, self._content = root / "datastores", assets, jobs, content

    def locate(self, path: str, type: str = "uri_folder") -> Path:  # noqa: A002  Azure's term
        """The existing file or folder that a path refers to; a URL is downloaded.

        Args:
            path: any path that Azure ML accepts.
            type: the type of the input (`uri_file`, `mltable`, …); it decides between data and model assets.

        Raises:
            NotFound: there is no such asset, job, output, file or folder.
            Unsupported: the path is in a storage that can't be read from here.
            CreditMLError: a download failed, or the path is neither a file nor a folder.
        """
        source = self.source(path, type)
        place = _downloaded(source) if is_url(source) else Path(source)
        if not place.exists():
            message = f"{path} does not exist{'' if source == path else f' ({place})'}."
            raise NotFound(message)
        if not (place.is_file() or place.is_dir()):
            message = f"{path} is neither a file nor a folder, so it can't be data; copy the data into a file."
            raise CreditMLError(message)
        return place

    def source(self, path: str, type: str = "uri_folder") -> str:  # noqa: A002  Azure ML's word
        """The local path or the URL that a path refers to; whether it exists is not checked.

        Args:
            path: any path that Azure ML accepts.
            type: the type of the input (`uri_file`, `mltable`, …); it decides between data and model assets.

        Raises:
            NotFound: there is no such asset, job or output.
            Unsupported: the path is in a storage that can't be read from here.
        """
        scheme = path.partition(":")[0].lower() if ":" in path else ""
        if scheme == "file":
            return unquote(urlsplit(path).path) if path[5:7] == "//" else path[5:]
        if scheme in _REMOTE:
            message = f"{path}: {scheme} storage can't be read from here. Download it and use the local path."
            raise Unsupported(message)
        if scheme in (SCHEME_NAME, "runs"):
            return self._azureml(path, type)
        return path

    def keep(self, path: str, type: str) -> str:  # noqa: A002  Azure ML's word
        """Upload the data of a new asset, and return the path to record for the asset.

        Local data is copied to the default datastore, into a folder named by a hash of the content. URIs and references
        are returned unchanged.

        Args:
            path: the `path` of the asset's YAML.
            type: the asset's type.

        Raises:
            NotFound: there is no such file or folder.
            CreditMLError: the data does not fit the type (for example a file for a `uri_folder`), or it is empty.
        """
        if "://" in path or is_reference(path):
            return path
        source = self.locate(path, type)
        folder = source.is_dir()
        if is_system(source):
            message = f"{path} contains files of the operating system, and can't be uploaded; choose another folder."
            raise CreditMLError(message)
        if (type == "uri_file" and folder) or (type in _FOLDER_TYPES and not folder):
            message = f"{path} is a {'folder' if folder else 'file'}; File path does not match asset type {type}."
            if type in ("uri_file", "uri_folder"):
                message += f" Use type {'uri_folder' if folder else 'uri_file'}."
            raise CreditMLError(message)
        if type == "mltable" and not (source / "MLTable").is_file():
            message = f"{path} has no file named 'MLTable'. A folder of type mltable needs one: it defines the table."
            raise CreditMLError(message)
        if folder and not any(self._content.code_files(source)):
            message = f"{path} is empty; Azure ML refuses that. Put the data into it."
            raise CreditMLError(message)
        upload = self._content.upload(source, self.datastore(DEFAULT_DATASTORE) / UPLOADS)
        return upload_uri(upload, source.name)

    def keep_context(self, path: str) -> str:
        """Upload the build context of an environment, and return the path to record for it; URLs are kept unchanged.

        Raises:
            NotFound: there is no such folder.
            CreditMLError: the path is a file, or the folder is empty.
        """
        kept = self.keep(path, "uri_folder")
        return kept if kept == path else self.source(kept)

    def datastore(self, name: str) -> Path:
        """The local folder that stands for a datastore; it need not exist."""
        return self._stores / name

    def stored_output(self, path: str) -> StoredOutput | None:
        """The job output that contains a path of the default datastore; None if no job has written an output there."""
        found = parse_stored_output(path)
        if found is None:
            return None
        try:
            place = self._jobs.get(found.job).results.get("outputs", {}).get(found.output)
        except NotFound:
            return None
        prefix = stored_output_path(found.job, found.output)
        if place is None:
            return None
        return StoredOutput(Path(place), prefix if os.path.isdir(place) else prefix + os.path.basename(place))

    def _azureml(self, path: str, type: str) -> str:  # noqa: A002  Azure ML's word
        if ".." in path.split("/"):
            message = f"{path} may lead out of the folder that it starts in. Write the path without '..'."
            raise NotFound(message)
        if found := parse_datastore(path):
            if "*" in found.path:
                found = found._replace(path=_without_pattern(path, found.path))
            output = self.stored_output(found.path) if found.datastore == DEFAULT_DATASTORE else None
            if output is None:
                return str(self.datastore(found.datastore) / found.path)
            rest = found.path.removeprefix(output.prefix).strip("/")
            return str(output.place / rest if rest and output.place.is_dir() else output.place)
        if written := parse_output(path):
            return str(self._output(written.job, written.output, written.path))
        if match := re.fullmatch(_RUN, path):
            return str(self._output(match["job"], ARTIFACTS, match["path"]))
        reference = parse_reference(path)
        if reference is None:
            known = "azureml:<name>:<version> or azureml://datastores/<datastore>/paths/<path>"
            message = f"{path} is not a path that Azure ML knows; write {known}."
            raise NotFound(message)
        kind = reference.kind if reference.kind in ("data", "model") else asset_kind(type)
        asset = self._assets.resolve(kind, path)
        return self.source(asset.spec["path"], type)

    def _output(self, job: str, output: str, path: str) -> Path:
        record = self._jobs.get(job)
        place = self._jobs.outputs(record) / output
        if output in DEFAULT_ARTIFACTS and not place.exists():
            return self._jobs.artifacts(record) / path
        recorded = record.results.get("outputs", {})
        if output in recorded:
            place = Path(recorded[output])
        elif not place.exists():
            message = f"The job '{job}' has no output '{output}'.{near_miss(output, recorded)}"
            raise NotFound(message)
        return place / path if path else place


def _without_pattern(uri: str, path: str) -> str:
    """The folder of a path in a datastore that ends with `**`, the pattern of everything in a folder."""
    folder, _, last = path.removesuffix("/*").rpartition("/")
    if last != "**" or "*" in folder:
        mend = "only the pattern '/**' at the end of a folder is; give the folder, and choose the files in the step"
        message = f"The pattern in {uri} is not supported on this machine: {mend}."
        raise Unsupported(message)
    return folder


def _downloaded(url: str) -> Path:
    from creditml.workspace.download import download  # 3 ms, and few jobs download anything

    return download(url)
