"""Provides images for environments: finds them in the engine, pulls them or builds them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import docker  # noqa: F401  imported before its parts: threads that import different parts at once would wait for each other
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
"""Seconds between two lines about the progress of a pull."""
_INTEL = "linux/amd64"
_MEGABYTE = 1e6


class DockerProvider:
    """Finds, pulls or builds the images of environments; see `creditml.environments.wanted.Provider`."""

    def __init__(self, settings: EnvironmentSettings, backend: Mapping[str, Any]) -> None:
        """Read the settings.

        Args:
            settings: The settings of environments.
            backend: The settings of this backend, see `creditml_docker.settings`.

        Raises:
            CreditMLError: Some of the backend's settings are unknown or wrong.
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
            message = f"The environment {wanted.title} can't be built: {_said(error)} ({engine.place})"
            raise BackendError(message) from error
        return Provided(image=image, variables=wanted.variables)


def made_images(engine: Engine) -> list[dict[str, Any]]:
    """The images that were built for environments, as the engine's API describes them (`Id`, `RepoTags`, `Size`, …).

    Their label `creditml.environment` has the environment's name.
    """
    found: list[dict[str, Any]] = engine.api.images(filters={"label": MADE})
    return found


def prune_images(engine: Engine, older_than: float | None = None, *, dry_run: bool = False) -> list[Entry]:
    """Remove the images that were built for environments and that no container uses, and return them.

    Args:
        engine: The engine that has the images.
        older_than: Remove only images that were built more than so many days ago.
        dry_run: Only return what would be removed.
    """
    before = time.time() - (older_than or 0) * DAY
    used = {container["ImageID"] for container in engine.api.containers(all=True)}
    old = [i for i in made_images(engine) if i["Created"] <= before and i["Id"] not in used]
    for image in [] if dry_run else old:
        engine.api.remove_image(image["Id"], force=True)  # with all of its tags
    return [_entry(image) for image in old]


def _entry(image: Mapping[str, Any]) -> Entry:
    at, title = image["Created"] * 1000, image["Labels"][MADE]
    name = (image.get("RepoTags") or [image["Id"]])[0]
    return Entry(image["Id"].removeprefix("sha256:")[:12], "docker", name, title, "", at, at, image["Size"])


def obtain(
    engine: Engine, image: str, settings: Settings, say: Callable[[str], None], canceled: Callable[[], bool]
) -> str:
    """Make sure that the engine has an image, pulling it if the settings say so; returns the image's name.

    Raises:
        CreditMLError: The image can't be pulled or must not be; the message has the registry's answer.
        Canceled: `canceled` returned True.
    """
    here = is_here(engine, image)
    if settings.pull == "always" or (not here and settings.pull == "missing"):
        _pull(engine, image, settings.platform, say, canceled)
    elif not here:
        message = (
            f"The engine has no image {image}, and the settings don't allow pulling it (pull: never).{_mend(image)}"
        )
        raise CreditMLError(message)
    return image


def is_here(engine: Engine, image: str) -> bool:
    """Whether the engine has an image; the registry is not asked."""
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
        say(
            f"{image} has no variant for {engine.architecture}; the one for {_INTEL} is used, which is emulated slowly."
        )
        _pull(engine, image, _INTEL, say, canceled)


def _pulling(engine: Engine, image: str, platform: str, canceled: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    repository, tag = parse_repository_tag(image)
    arguments = {"tag": tag or "latest", "stream": True, "decode": True, "platform": platform or None}
    return hear(engine.api, lambda: engine.api.pull(repository, **arguments), canceled)


class _Refused(Exception):
    """The engine's error message during a pull."""


def _follow(messages: Iterator[dict[str, Any]], image: str, say: Callable[[str], None]) -> None:
    """Read the messages of a pull to its end, and report the progress every few seconds.

    Raises:
        _Refused: The pull has failed.
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
    return f" To use another image instead, name it in creditml.yml:\n  images: {{{image}: NAME}}"


def _said(error: Exception) -> str:
    """The error message of the engine or of a registry."""
    return str(getattr(error, "explanation", "") or error).strip().rstrip(".")
