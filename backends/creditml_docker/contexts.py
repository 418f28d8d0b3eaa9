"""Builds images from the build contexts of environments."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from docker.utils import exclude_paths

from creditml.documents import read_text
from creditml.errors import CreditMLError
from creditml_docker.building import MADE, REPOSITORY, network_of, proxies, run_build

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.environments.wanted import Wanted
    from creditml.model import Build
    from creditml_docker.engines import Engine
    from creditml_docker.settings import Settings

_REMOTE = ("http://", "https://", "git://", "git@", "github.com/")
_BLOCK = 1 << 20


def build_context(
    engine: Engine, wanted: Wanted, settings: Settings, say: Callable[[str], None], canceled: Callable[[], bool]
) -> str:
    """Return the image of a build context; the engine builds it unless it has an image of the same content.

    Raises:
        CreditMLError: The image can't be built; the message has the last lines of the build's output.
        Canceled: `canceled` returned True.
    """
    assert wanted.build is not None  # noqa: S101  the caller has checked that
    build = wanted.build
    remote = build.path.startswith(_REMOTE)
    if not remote and not os.path.isfile(os.path.join(build.path, build.dockerfile_path)):
        message = (
            f"The environment {wanted.title} has no {build.dockerfile_path} in its build context {build.path}. "
            "Add it there, or name the Dockerfile in 'dockerfile_path'."
        )
        raise CreditMLError(message)
    image = f"{REPOSITORY}:{_key(build, settings, remote=remote)}"
    # The content of a remote context can change, which only the engine can see; its cache makes another build cheap.
    if not remote and settings.pull != "always" and engine.api.images(name=image):
        return image
    say(f"Building the image of {wanted.title}.")
    arguments = {
        "path": build.path,
        "dockerfile": build.dockerfile_path,
        "tag": image,
        "labels": {MADE: wanted.title},
        "buildargs": proxies(),
        "network_mode": network_of(engine),
        "pull": settings.pull == "always",
        "platform": settings.platform or None,
    }
    run_build(engine, arguments, f"The image of {wanted.title}", say, canceled)
    return image


def _key(build: Build, settings: Settings, *, remote: bool) -> str:
    """The tag of a build context's image: a hash of everything that the image is built from."""
    whole = hashlib.sha256(f"1\0{build.dockerfile_path}\0{settings.platform}\0".encode())
    if remote:
        whole.update(build.path.encode())
        return whole.hexdigest()[:16]
    for name in sorted(exclude_paths(build.path, _ignored(build), dockerfile=build.dockerfile_path)):
        place = os.path.join(build.path, name)
        whole.update(f"{name}\0{os.lstat(place).st_mode:o}\0".encode("utf-8", "surrogateescape"))
        if os.path.islink(place):
            whole.update(os.fsencode(os.readlink(place)))
        elif os.path.isfile(place):
            with open(place, "rb") as file:
                while block := file.read(_BLOCK):
                    whole.update(block)
    return whole.hexdigest()[:16]


def _ignored(build: Build) -> list[str]:
    """The patterns of `.dockerignore`."""
    try:
        lines = [line.strip() for line in read_text(os.path.join(build.path, ".dockerignore")).split("\n")]
    except FileNotFoundError:
        return []
    return [line for line in lines if line and not line.startswith("#")]
