"""Images built from an environment's build context."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from docker.utils import exclude_paths

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
    """Return the image of a build context: one per content, built by the engine, with the engine's cache.

    Raises:
        CreditMLError: It can't be built; the message has the last lines of what the build said.
        Canceled: Nobody waits any more.
    """
    assert wanted.build is not None  # noqa: S101  the caller has looked
    build = wanted.build
    remote = build.path.startswith(_REMOTE)
    if not remote and not os.path.isfile(os.path.join(build.path, build.dockerfile_path)):
        message = (
            f"The environment {wanted.title}: there is no {build.dockerfile_path} in its build context {build.path}"
        )
        raise CreditMLError(message)
    image = f"{REPOSITORY}:{_key(build, settings, remote=remote)}"
    # what a remote context holds can change, and only the engine can tell: its cache makes that cheap
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
    """What tells an image from others: the content of what it is built from."""
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
        with open(os.path.join(build.path, ".dockerignore"), encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        return []
    return [line for line in lines if line and not line.startswith("#")]
