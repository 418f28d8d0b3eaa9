"""What an environment asks for, and what a step needs to know of one that has been made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from creditml.model import NOTHING, Build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Wanted(NamedTuple):
    """What an environment asks for, wherever its definition was found.

    Attributes:
        title: How messages name it (`aml-scikit-learn`, `azureml:name:1`).
        image: The image it starts from, after `images` of the settings.
        build: The build context, instead of an image.
        python: The Python it asks for, as conda writes versions (`3.8`, `>=3.10`); empty if it doesn't say.
        conda: Conda packages without Python and pip, as conda writes them (`numpy=1.21`, `conda-forge::scipy>=1.7`).
        pip: Lines of pip requirements; a `-r file` is already replaced by that file's lines.
        channels: Conda channels in order of priority, after `channels` of the settings.
        variables: Environment variables that the conda file sets.
        mode: The mode that the settings name for this environment alone.
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
        """Whether it asks for a Python or packages of its own, beside its image."""
        return bool(self.python or self.conda or self.pip)


class Provided(NamedTuple):
    """An environment that a step can run in. With neither a folder nor an image it is the host's own.

    Attributes:
        folder: Where a Python environment lies: steps get its `bin` first in their PATH, and never write into it.
        image: The image that a container is made of.
        variables: Environment variables that it sets.
    """

    folder: str = ""
    image: str = ""
    variables: Mapping[str, str] = NOTHING


def is_conda(folder: str) -> bool:
    """Whether the Python environment in a folder is one of conda."""
    return os.path.isdir(os.path.join(folder, "conda-meta"))


class Provider(Protocol):
    """Makes environments, or finds those that were made before."""

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Return an environment like the one that is wanted. May take minutes; called in a thread.

        Args:
            wanted: What is asked for.
            say: Takes a line on what goes on, for the user to see: progress, and whatever is not as asked for.
            canceled: Whether nobody waits for it any more.

        Raises:
            CreditMLError: It can't be made; the message says why, and what to do.
            Canceled: Nobody waits for it.
        """
        ...
