"""Helpers for the tests of the check for Azure ML: small jobs, and the problems found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.nodes.specs import read_job
from creditml.submission.options import Options
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from project import Json, Project

    from creditml.errors import Problem

ENVIRONMENT: Json = {"image": "python:3.11"}
STEP: Json = {"command": "true", "environment": ENVIRONMENT}


def pipeline(step: Json = STEP, **fields: Json) -> Json:
    return {"type": "pipeline", "settings": {"default_compute": "serverless"}, "jobs": {"a": step}, **fields}


def problems(folder: Project, job: Json) -> tuple[Problem, ...]:
    """The problems that are found in a job without a connection to Azure."""
    folder.write("job.yml", job)
    executor = AzureMLExecutor(Workspace(folder.folder / "home"), Options())
    reading = read_job("job.yml")
    assert reading.job
    return executor.examine(reading.job, reading.problems).problems
