"""Images for environments: those that are here, pulled ones, and built ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import docker  # noqa: F401  whole before its parts, or two threads that import them wait for each other
from docker.errors import APIError, ImageNotFound
from docker.utils import parse_repository_tag

from creditml.environments.cache import DAY, Entry
from creditml.environments.wanted import Provided
from creditml.errors import BackendError, CreditMLError
from creditml_docker.building import MADE
from creditml_docker.contexts import build_context
from creditml_docker.engines import TROUBLES, find_engine
from creditml_docker.packages import Source, derive
from creditml_docker.settings import read_settings
from creditml_docker.streams import hear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from creditml.config import EnvironmentSettings
    from creditml.environments.wanted import Wanted
    from creditml_docker.engines import Engine
    from creditml_docker.settings import Settings

_PAUSE = 3.0
"""Seconds between lines on how far a pull is."""
_INTEL = "linux/amd64"
_MEGABYTE = 1e6


class DockerProvider:
    """Finds, pulls or builds the images of environments; see `creditml.environments.wanted.Provider`."""

    def __init__(self, settings: EnvironmentSettings, backend: Mapping[str, Any]) -> None:
        """Go by the settings of environments, and by the backend's own (see `creditml_docker.settings`).

        Raises:
            CreditMLError: Some of these are unknown or wrong.
        """
        self._environments, self._settings = settings, read_settings(backend)
        self._engine: Engine | None = None

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Return an image with what is wanted; see `creditml.environments.wanted.Provider.provide`."""
        engine = self._engine = self._engine or find_engine()
        try:
            if wanted.build is not None:
                image = build_context(engine, wanted, self._settings, say, canceled)
            elif wanted.image:
                image = obtain(engine, wanted.image, self._settings, say, canceled)
            else:
                message = (
                    f"The environment {wanted.title} has neither an image nor a build context, so it can't be run in a"
                    " container. Name an image for it in creditml.yml:"
                    f"\n  environments: {{{wanted.title}: {{image: NAME}}}}"
                )
                raise CreditMLError(message)
            if wanted.packages:
                image = derive(
                    Source(engine, image, self._settings.platform), wanted, self._environments, say, canceled
                )
        except TROUBLES as error:
            message = f"The environment {wanted.title} can't be made: {_said(error)} ({engine.place})"
            raise BackendError(message) from error
        return Provided(image=image, variables=wanted.variables)


def made_images(engine: Engine) -> list[dict[str, Any]]:
    """The images that were built for environments, as the engine's API describes them (`Id`, `RepoTags`, `Size`, …).

    Their label `creditml.environment` has the environment's title.
    """
    found: list[dict[str, Any]] = engine.api.images(filters={"label": MADE})
    return found


def prune_images(engine: Engine, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
    """Remove the images that were built for environments and that no container uses, and return them.

    Args:
        engine: Where they are.
        older_than: Only those that were made more than so many days ago.
        dry_run: Remove nothing.
    """
    before = time.time() - (older_than or 0) * DAY
    used = {container["ImageID"] for container in engine.api.containers(all=True)}
    old = [i for i in made_images(engine) if i["Created"] <= before and i["Id"] not in used]
    for image in [] if dry_run else old:
        engine.api.remove_image(image["Id"], force=True)  # all of its tags
    return [_entry(image) for image in old]


def _entry(image: Mapping[str, Any]) -> Entry:
    at, title = image["Created"] * 1000, image["Labels"][MADE]
    name = (image.get("RepoTags") or [image["Id"]])[0]
    return Entry(image["Id"].removeprefix("sha256:")[:12], "docker", name, title, "", at, at, image["Size"])


def obtain(
    engine: Engine, image: str, settings: Settings, say: Callable[[str], None], canceled: Callable[[], bool]
) -> str:
    """Return an image that is here: it was, or is pulled.

    Raises:
        CreditMLError: It can't be had; the message has the registry's answer.
        Canceled: Nobody waits any more.
    """
    here = is_here(engine, image)
    if settings.pull == "always" or (not here and settings.pull == "missing"):
        _pull(engine, image, settings.platform, say, canceled)
    elif not here:
        message = f"There is no image {image} here, and by the settings none is pulled (pull: never).{_mend(image)}"
        raise CreditMLError(message)
    return image


def is_here(engine: Engine, image: str) -> bool:
    """Whether the engine has an image; no registry is asked."""
    try:
        engine.api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def _pull(engine: Engine, image: str, platform: str, say: Callable[[str], None], canceled: Callable[[], bool]) -> None:
    say(f"Pulling {image}.")
    try:
        _follow(_pulling(engine, image, platform, canceled), image, say)
    except (APIError, _Refused) as error:
        said = _said(error)
        if platform or engine.architecture == "amd64" or not _lacks_platform(said):
            message = f"The image {image} can't be pulled: {said}.{_mend(image)}"
            raise CreditMLError(message) from error
        say(f"{image} has no variant for {engine.architecture}; the one for {_INTEL} is taken, and emulated slowly.")
        _pull(engine, image, _INTEL, say, canceled)


def _pulling(engine: Engine, image: str, platform: str, canceled: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    repository, tag = parse_repository_tag(image)
    arguments = {"tag": tag or "latest", "stream": True, "decode": True, "platform": platform or None}
    return hear(engine.api, lambda: engine.api.pull(repository, **arguments), canceled)


class _Refused(Exception):
    """The registry's answer."""


def _follow(messages: Iterator[dict[str, Any]], image: str, say: Callable[[str], None]) -> None:
    """Say now and then how far a pull is.

    Raises:
        _Refused: It failed.
    """
    layers: dict[str, tuple[int, int]] = {}
    told = time.monotonic()
    for message in messages:
        if message.get("error"):
            raise _Refused(message["error"])
        detail = message.get("progressDetail") or {}
        if message.get("status") == "Downloading" and detail.get("total"):
            layers[message.get("id", "")] = (detail.get("current", 0), detail["total"])
        elif message.get("status") == "Download complete" and message.get("id") in layers:
            total = layers[message["id"]][1]
            layers[message["id"]] = (total, total)
        if layers and time.monotonic() - told >= _PAUSE:
            told = time.monotonic()
            done, total = (sum(sizes) / _MEGABYTE for sizes in zip(*layers.values(), strict=True))
            say(f"{image}: {done:.0f} of {total:.0f} MB")


def _lacks_platform(said: str) -> bool:
    return "no matching manifest" in said or "does not match the specified platform" in said


def _mend(image: str) -> str:
    return f" If you have another image that does as well, name it in creditml.yml:\n  images: {{{image}: NAME}}"


def _said(error: Exception) -> str:
    """What the engine or a registry said, in its own words."""
    return str(getattr(error, "explanation", "") or error).strip().rstrip(".")
