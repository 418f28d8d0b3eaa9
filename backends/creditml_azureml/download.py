"""Logs and outputs of the cloud's jobs, brought here: whole files only, and again where it was cut off."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from creditml.errors import NotFound
from creditml_azureml.errors import mapped

if TYPE_CHECKING:
    from creditml_azureml.cloud import Cloud


def fetch_output(cloud: Cloud, job: str, output: str, to: Path) -> Path:
    """Copy an output of an ended job, or of a step by its run's name, into a folder, and return the folder.

    Raises:
        NotFound: there is no such output.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent) as folder:
        with mapped(f"downloading the output '{output}' of the job '{job}'"):
            cloud.client.jobs.download(job, download_path=folder, output_name=output)
        got = Path(folder, "named-outputs", output)
        if not got.exists():
            message = f"The job '{job}' has no output '{output}'."
            raise NotFound(message)
        shutil.copytree(got, to, dirs_exist_ok=True)
    return to


def fetch_artifacts(cloud: Cloud, job: str, to: Path) -> Path:
    """Copy logs and other artifacts of an ended job, or of a step by its run's name, into a folder."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent) as folder:
        with mapped(f"downloading the logs of the job '{job}'"):
            cloud.client.jobs.download(job, download_path=folder)
        got = Path(folder, "artifacts")
        if got.exists():
            shutil.copytree(got, to, dirs_exist_ok=True)
    return to
