"""`creditml.yml`: a project's settings for all its runs.

The file is looked for in the current folder and then in the folders above it; the first one that is found counts.

    backend: local
    max_parallel: 4      # steps of a job that run at once
    max_jobs: 2          # submitted jobs that run at once; others wait
    pass_env: [HF_HOME]
    env: uv              # where steps find their packages: host, uv or conda
    environments:        # definitions of environments that specs refer to by name, such as curated ones
      AzureML-sklearn-1.0-ubuntu20.04-py38-cpu: {image: "python:3.12", conda_file: conda.yml}
    images:              # local images to use instead of the images that specs name (with or without a tag)
      mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04: my-base:1
    channels:            # addresses to use for conda channels, such as mirrors
      conda-forge: https://mirror.example.com/conda-forge
    docker: {pull: missing, memory: 4g}
    azureml: {subscription_id: …, resource_group: team, workspace_name: credit}

A command-line flag wins over the environment variable (CREDITML_BACKEND), and the variable wins over the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.entry_points import AZURE, DEFAULT, DOCKER
from creditml.errors import SpecError
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from creditml.language.fields import Context
    from creditml.language.yaml import Node

FILE = "creditml.yml"
AZURE_WORKSPACE = ("subscription_id", "resource_group", "workspace_name")
_SECTIONS = (DOCKER, AZURE)
MODES = ("host", "uv", "conda")


class EnvironmentSettings(NamedTuple):
    """How steps get their environments.

    Attributes:
        mode: `host`, `uv` or `conda`; empty for backends that run containers.
        relax: Whether pinned versions that can't be installed are loosened.
        strict: Whether any difference between an environment and its specification is an error.
        known: Definitions of environments, by the names that specs use (with or without a version). A definition has
            the keys of an environment in a spec, with absolute paths and with the conda file's content in place of
            its path. It may also have `env`, a mode for this environment alone.
        images: Images to use, by the images in specs that they replace.
        channels: Addresses of conda channels, by name.
    """

    mode: str = ""
    relax: bool = False
    strict: bool = False
    known: Mapping[str, Mapping[str, Any]] = NOTHING
    images: Mapping[str, str] = NOTHING
    channels: Mapping[str, str] = NOTHING


class Config(NamedTuple):
    """A project's settings; `sections` holds the settings of backends, by the backend's name."""

    backend: str = DEFAULT
    max_parallel: int | None = None
    max_jobs: int | None = None
    pass_env: tuple[str, ...] = ()
    environments: EnvironmentSettings = EnvironmentSettings()
    sections: Mapping[str, Mapping[str, Any]] = NOTHING


def read_config() -> Config:
    """The settings that apply in the current folder.

    Raises:
        SpecError: `creditml.yml` has errors.
    """
    here = Path.cwd()
    file = next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
    config = _from_file(file) if file else Config()
    backend = os.environ.get("CREDITML_BACKEND")
    return config._replace(backend=backend) if backend else config


def _count(context: Context, node: Node) -> Any:  # int or INVALID
    from creditml.language.fields import integer

    count = integer(context, node)
    if isinstance(count, int) and count < 1:
        return context.error(node, f"The number must be at least 1, not {count}.")
    return count


def _from_file(file: Path) -> Config:
    from creditml.language.fields import (
        Choice,
        Context,
        Table,
        any_map,
        loose_text_map,
        text,
        text_list,
    )
    from creditml.language.reader import open_document
    from creditml.language.yaml import Scalar

    document = open_document(file)
    if isinstance(document.root, Scalar) and document.root.value is None:
        return Config()
    context = Context(document, file.parent, [])
    keys: dict[str, Callable[[Context, Node], Any]] = {
        "backend": text,
        "max_parallel": _count,
        "max_jobs": _count,
        "pass_env": text_list,
        "env": Choice(*MODES, exact=True),
        "environments": _known,
        "images": loose_text_map,
        "channels": loose_text_map,
        DOCKER: any_map,
        AZURE: Table("the workspace in Azure", dict.fromkeys(AZURE_WORKSPACE, text)).nested,
    }
    values = Table(f"the settings in {FILE}", keys).read(context, document.root)
    if context.problems:
        raise SpecError(context.problems)
    environments = EnvironmentSettings(
        mode=values.pop("env", ""),
        known=values.pop("environments", NOTHING),
        images=values.pop("images", NOTHING),
        channels=values.pop("channels", NOTHING),
    )
    sections = {name: values.pop(name) for name in _SECTIONS if name in values}
    return Config(**values, environments=environments, sections=sections or NOTHING)


def _known(context: Context, node: Node) -> Any:  # dict or INVALID
    """Read `environments`: a definition for each name, as in a spec, plus the key `env` for its mode."""
    from creditml.language.environment import ENVIRONMENT
    from creditml.language.fields import INVALID, Choice, describe
    from creditml.language.yaml import Map

    if not isinstance(node, Map):
        return context.error(node, f"'environments' must map names to definitions, not be {describe(node)}.")
    table = ENVIRONMENT.extended("the settings of an environment", {"env": Choice(*MODES, exact=True)})
    found = {name: table.nested(context, child) for name, child in node.items.items()}
    return INVALID if INVALID in found.values() else found
