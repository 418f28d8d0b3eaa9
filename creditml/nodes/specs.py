"""Jobs and components from files and plain values, and back: the language, with every type that there is."""

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
    """Read a job from a YAML file; see `creditml.language.reader.read_job`, also for what is raised."""
    return reader.read_job(TYPES, path, overrides)


def read_job_document(document: Document, folder: Path, overrides: Sequence[str] = ()) -> Reading:
    """Read a job from a parsed document whose relative paths start at `folder`, and in which `overrides` are set."""
    return reader.read_job_document(TYPES, document, folder, overrides)


def read_job_dict(value: Mapping[str, Any], file: str = "") -> Job:
    """A job from plain values, as `job_dict` made them.

    Raises:
        SpecError: they are not a job.
    """
    return reader.read_job_dict(TYPES, value, file)


def read_component_document(document: Document, folder: Path) -> ComponentReading:
    """A component from a parsed document, whose relative paths start at `folder`."""
    return reader.read_component_document(TYPES, document, folder)


def job_dict(job: Job) -> dict[str, Any]:
    """A job as plain values, with Azure ML's keys and its components in place."""
    return writer.job_dict(TYPES, job)


def component_dict(component: Component, nested: Callable[[Component], Any] | None = None) -> dict[str, Any]:
    """A component as plain values; `nested` says how those in it are written, by default in place."""
    return writer.component_dict(TYPES, component, nested)


def write_job(job: Job, folder: Path, name: str = "pipeline.yml") -> Path:
    """Write a job as YAML, with files beside it for components that can't stand in place; returns the job's file."""
    return writer.write_job(TYPES, job, folder, name)
