"""`creditml.yml`: what a project sets for all its runs, from the nearest one upward.

    backend: local
    max_parallel: 4      # steps of a job that run at once
    max_jobs: 2          # submitted jobs that run at once; others wait
    pass_env: [HF_HOME]
    env: uv              # where steps find their packages: host, uv or conda
    environments:        # what is known of environments, by the names that specs have for them
      AzureML-sklearn-1.0-ubuntu20.04-py38-cpu: {image: "python:3.12", conda_file: conda.yml}
    images:              # local images for those of specs, with or without a tag
      mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04: my-base:1
    channels:            # other places for conda's channels
      conda-forge: https://mirror.example.com/conda-forge
    docker: {pull: missing, memory: 4g}
    azureml: {subscription_id: …, resource_group: team, workspace_name: credit}

A flag wins over an environment variable (CREDITML_BACKEND), and that over the file.
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
        mode: `host`, `uv` or `conda`; of backends that run containers, nothing.
        relax: Whether pins that can't be met are loosened.
        strict: Whether whatever is not as the environment asks for is an error.
        known: What is known of environments, by the names that specs have for them (with or without a version): the
            keys of an environment in a spec, paths absolute and the conda file's content in place, and maybe `env`, its
            own mode.
        images: Images to use instead, by those in specs.
        channels: Places of conda channels, by name.
    """

    mode: str = ""
    relax: bool = False
    strict: bool = False
    known: Mapping[str, Mapping[str, Any]] = NOTHING
    images: Mapping[str, str] = NOTHING
    channels: Mapping[str, str] = NOTHING


class Config(NamedTuple):
    """A project's settings; `sections` are those of backends, by their names."""

    backend: str = DEFAULT
    max_parallel: int | None = None
    max_jobs: int | None = None
    pass_env: tuple[str, ...] = ()
    environments: EnvironmentSettings = EnvironmentSettings()
    sections: Mapping[str, Mapping[str, Any]] = NOTHING


def read_config() -> Config:
    """The settings that hold in the current folder.

    Raises:
        SpecError: the file has problems.
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
        return context.error(node, f"At least one has to run, not {count}.")
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
    """`environments`: the table of an environment for each name, and the mode in which it is made."""
    from creditml.language.environment import ENVIRONMENT
    from creditml.language.fields import INVALID, Choice, describe
    from creditml.language.yaml import Map

    if not isinstance(node, Map):
        return context.error(node, f"Environments are a mapping from names to definitions, not {describe(node)}.")
    table = ENVIRONMENT.extended("the settings of an environment", {"env": Choice(*MODES, exact=True)})
    found = {name: table.nested(context, child) for name, child in node.items.items()}
    return INVALID if INVALID in found.values() else found
