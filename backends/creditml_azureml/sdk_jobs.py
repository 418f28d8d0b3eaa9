"""From a `Job` to the object that the genuine SDK submits, loaded from the user's own file if the job is unmodified."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from creditml.nodes.specs import read_job, write_job
from creditml_azureml.connection import hush
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from creditml.model import Job


@contextmanager
def sdk_job(job: Job, name: str) -> Iterator[Any]:
    """The SDK's object for a job. The files that it refers to exist until the end of the context.

    Args:
        job: as it was read; the SDK resolves its references.
        name: the name to submit it under.
    """
    hush()
    from azure.ai.ml import load_job

    with TemporaryDirectory() as folder:
        file, overrides = _file(job, Path(folder))
        with mapped(f"reading {file}"):
            loaded: Any = load_job(file, params_override=[*overrides, {"name": name}])
        yield loaded


def _file(job: Job, folder: Path) -> tuple[Path, list[dict[str, str]]]:
    """A file that holds the job, and what overrides it."""
    source = job.source
    if source and source.file and Path(source.file).is_file():
        overrides = source.overrides
        if read_job(source.file, overrides).job == job:
            pairs = (text.partition("=") for text in overrides)
            return Path(source.file), [{key: value} for key, _, value in pairs if key != "name"]
    return write_job(job._replace(name=None), folder), []
