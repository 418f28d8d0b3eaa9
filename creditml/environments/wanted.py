"""What an environment asks for, what a step needs to run in it, and the protocol of what provides environments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from creditml.model import NOTHING, Build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Wanted(NamedTuple):
    """What an environment asks for, regardless of where its definition was found.

    Attributes:
        title: The name in messages (`aml-scikit-learn`, `azureml:name:1`).
        image: The base image; replacements of images in the settings have been applied.
        build: The build context, if there is no image.
        python: The Python version in conda's notation (`3.8`, `>=3.10`); empty if none is named.
        conda: Conda packages except Python and pip, in conda's notation (`numpy=1.21`, `conda-forge::scipy>=1.7`).
        pip: Lines of pip requirements; each `-r file` has been replaced by that file's lines.
        channels: Conda channels in order of priority; places of channels in the settings have been applied.
        variables: Environment variables that the conda file sets.
        mode: The mode that the settings name for this environment only; empty if they name none.
    """

    title: str
    image: str = ""
    build: Build | None = None
    python: str = ""
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    variables: Mapping[str, str] = NOTHING
    mode: str = ""

    @property
    def packages(self) -> bool:
        """Whether the environment asks for Python or packages in addition to its image."""
        return bool(self.python or self.conda or self.pip)


class Provided(NamedTuple):
    """An environment that a step can run in; with neither a folder nor an image, the step runs in the host's Python.

    Attributes:
        folder: The folder of a Python environment. Its `bin` comes first in the PATH of steps, which can't write to it.
        image: The image for the step's container.
        variables: Environment variables to set for the step.
    """

    folder: str = ""
    image: str = ""
    variables: Mapping[str, str] = NOTHING


def is_conda(folder: str) -> bool:
    """Whether the Python environment in a folder is a conda environment."""
    return os.path.isdir(os.path.join(folder, "conda-meta"))


class Provider(Protocol):
    """Provides environments: builds them, or finds those that were built before."""

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Return an environment that matches what is wanted. This may take minutes, so it is called in a thread.

        Args:
            wanted: What the environment asks for.
            say: Called with lines for the user: the progress, and whatever differs from what was asked for.
            canceled: Called now and then; whether the environment is not needed any more.

        Raises:
            CreditMLError: The environment can't be built; the message says why, and what to do.
            Canceled: `canceled` returned True.
        """
        ...
