"""Reads and writes jobs and components: the functions of `creditml.language` with the table of node types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditml.language import reader, writer
from creditml.nodes.table import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from creditml.language.reader import ComponentReading, Reading
    from creditml.language.yaml import Document
    from creditml.model import Component, Job


def read_job(path: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a YAML file; `creditml.language.reader.read_job` explains arguments and errors."""
    return reader.read_job(TYPES, path, overrides)


def read_job_document(document: Document, folder: Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a parsed document in which `overrides` are set; its relative paths start from `folder`."""
    return reader.read_job_document(TYPES, document, folder, overrides)


def read_job_dict(value: Mapping[str, Any], file: str = "") -> Job:
    """Read a job from plain values, as `job_dict` makes them.

    Raises:
        SpecError: The values are not a valid job.
    """
    return reader.read_job_dict(TYPES, value, file)


def read_component_document(document: Document, folder: Path) -> ComponentReading:
    """Read a component from a parsed document; its relative paths start from `folder`."""
    return reader.read_component_document(TYPES, document, folder)


def job_dict(job: Job) -> dict[str, Any]:
    """A job as plain values, with Azure ML's keys and its components in place."""
    return writer.job_dict(TYPES, job)


def component_dict(component: Component, nested: Callable[[Component], Any] | None = None) -> dict[str, Any]:
    """A component as plain values. `nested` writes the components in it; by default they are written in place."""
    return writer.component_dict(TYPES, component, nested)


def write_job(job: Job, folder: Path, name: str = "pipeline.yml") -> Path:
    """Write a job as YAML, and its components as files beside it; returns the path of the job's file."""
    return writer.write_job(TYPES, job, folder, name)


def job_files(job: Job, name: str, components: str = "") -> dict[str, str]:
    """The texts of a job's YAML files by their paths; `creditml.language.writer.job_files` explains the arguments."""
    return writer.job_files(TYPES, job, name, components)
