"""Builds an image with an environment's packages, derived from the image that the environment names."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from docker.errors import ImageNotFound

from creditml import locks
from creditml.cache import cache_folder
from creditml.environments.conda_names import counterpart
from creditml.environments.installing import Goal, Uv
from creditml.environments.interpreters import Interpreter, nearest, uv_program
from creditml.environments.keys import key_of
from creditml.environments.pip_settings import uv_variables
from creditml.environments.requirements import read_wishes
from creditml.environments.uv import pip_requirements
from creditml.errors import Canceled, CreditMLError
from creditml_docker.building import MADE, REPOSITORY
from creditml_docker.engines import TROUBLES
from creditml_docker.owners import labels_of
from creditml_docker.streams import hear
from creditml_docker.workshop import TOOLS, Workshop, volume_mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from creditml.config import EnvironmentSettings
    from creditml.environments.programs import Done
    from creditml.environments.wanted import Wanted
    from creditml_docker.engines import Engine

_NOTES = "creditml.notes"
"""The label that says how an image differs from what was asked for: a JSON list of sentences."""
_FOLDER = "/azureml-envs/azureml_"
"""In Azure ML's images, an environment with a conda file is in `/azureml-envs/azureml_<hash>`."""
_MADE = f"{TOOLS}/made"
_UV = f"{TOOLS}/uv"
_PAUSE = 0.1  # seconds between two attempts to take a lock that another job holds
_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The engine's default PATH, for images that don't set one."""


class Source(NamedTuple):
    """The image from which another one is derived."""

    engine: Engine
    image: str
    platform: str = ""


def derive(
    source: Source,
    wanted: Wanted,
    settings: EnvironmentSettings,
    say: Callable[[str], None],
    canceled: Callable[[], bool],
) -> str:
    """Return an image with the wanted packages; it is built if the engine doesn't have it.

    The user is told each time how the image differs from what was asked for.

    Raises:
        CreditMLError: The image can't be built, or it has differences and `settings.strict` is set.
        Canceled: `canceled` returned True.
    """
    api = source.engine.api
    base = api.inspect_image(source.image)
    key = key_of("docker", wanted, (str(base["Id"]), *wanted.channels), relax=settings.relax)
    image = f"{REPOSITORY}:{key}"
    notes = _notes(source.engine, image)
    if notes is None:
        with _alone(key, canceled):
            notes = _notes(source.engine, image)
            if notes is None:
                say(f"Building the image of {wanted.title} from {source.image}.")
                notes = _make(source, wanted, settings, key, say, canceled)
    if settings.strict and notes:
        listed = "\n".join(f"  {note}" for note in notes)
        message = (
            f"The environment {wanted.title} differs from what is asked for, which --strict does not allow:\n{listed}"
        )
        raise CreditMLError(message)
    for note in notes:
        say(note)
    return image


def _notes(engine: Engine, image: str) -> list[str] | None:
    """The differences of an image from what was asked for; None if there is no such image."""
    try:
        labels = engine.api.inspect_image(image)["Config"].get("Labels") or {}
    except ImageNotFound:
        return None
    return [str(note) for note in json.loads(labels.get(_NOTES) or "[]")]


@contextmanager
def _alone(key: str, canceled: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of an image, so that only one process on this machine builds it."""
    folder = cache_folder() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    while (descriptor := locks.take(folder / f"{key}.lock")) is None:
        if canceled():
            raise Canceled("Canceled while waiting for the environment.")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def _make(
    source: Source,
    wanted: Wanted,
    settings: EnvironmentSettings,
    key: str,
    say: Callable[[str], None],
    canceled: Callable[[], bool],
) -> list[str]:
    """Build an image; returns its differences from what was asked for."""
    folder = f"{_FOLDER}{key}"
    own = dict(os.environ)
    variables = {**_uv_settings(own), **uv_variables(own), "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    volume = f"creditml-env-{key}"
    _drop(source.engine, volume)  # a killed process may have left it
    paths = _local_paths(wanted)
    try:
        with Workshop(source.engine, source.image, variables, canceled, paths=paths, made=(volume, folder)) as shop:
            notes = _furnish(shop, source.image, folder, wanted, settings, say)
        say(f"Creating the image of {wanted.title}.")
        _finish(source, wanted, key, notes, canceled)
    finally:
        _drop(source.engine, volume)
    return notes


def _drop(engine: Engine, volume: str) -> None:
    with suppress(*TROUBLES):  # it doesn't exist, or a container of a killed process still uses it
        engine.api.remove_volume(volume)


def _furnish(
    shop: Workshop, image: str, folder: str, wanted: Wanted, settings: EnvironmentSettings, say: Callable[[str], None]
) -> list[str]:
    """Install the environment in the container; returns its differences from what was asked for."""
    found = shop.look()
    python, fits = nearest(wanted.python, found.pythons) if found.pythons else (None, True)
    uv = InsideUv(shop, say, python)
    foreign = [spec for spec in wanted.conda if not counterpart(spec).requirement]
    if found.condas and (foreign or not fits or python is None):
        _conda(shop, found.condas[0], folder, wanted, say)
        lines, notes = list(wanted.pip), list[str]()
        python = Interpreter(uv.version(folder), f"{folder}/bin/python")
        fits = True
    elif python is None:
        message = (
            f"The image {image} has neither Python nor conda. Name another image in creditml.yml:"
            f"\n  images: {{{image}: NAME}}"
        )
        raise CreditMLError(message)
    else:
        lines, notes = pip_requirements(wanted)
        uv.make(folder, python, wanted.title)
        if not fits:
            text = f"Python {wanted.python} isn't in the image {image}; Python {python.version} is used instead."
            notes.insert(0, text)
    goal = Goal(wanted.title, python.version, "" if fits else wanted.python, settings.relax)
    return [*notes, *(uv.install(folder, read_wishes(lines), goal) if lines else [])]


def _conda(shop: Workshop, conda: str, folder: str, wanted: Wanted, say: Callable[[str], None]) -> None:
    """Create the environment with the image's conda."""
    say(f"Installing {', '.join(wanted.conda) or 'Python'} with {os.path.basename(conda)}.")
    channels = [word for channel in wanted.channels for word in ("-c", channel)]
    python = f"python{wanted.python}" if re.match(r"[<>=!~]", wanted.python) else f"python={wanted.python}"
    specs = [python if wanted.python else "python", "pip", *wanted.conda]
    only = ["--override-channels", *channels] if channels else []
    done = shop.run([conda, "create", "-y", "-q", "-p", folder, *only, *specs])
    if done.code:
        said = "\n".join(f"  {line}" for line in (done.errors or done.output).strip().splitlines()[-12:])
        message = f"The environment {wanted.title} can't be built by the image's {conda}:\n{said}"
        raise CreditMLError(message)


def _finish(source: Source, wanted: Wanted, key: str, notes: Sequence[str], canceled: Callable[[], bool]) -> None:
    """Create an image from the source image and the environment, without anything else from the workshop's container.

    The environment is copied in a container that has no credentials, which is then committed as the image. The engine's
    builder could do that too, but takes five times as long for many files.
    """
    api, folder, name = source.engine.api, f"{_FOLDER}{key}", f"creditml-image-{key}-{os.urandom(4).hex()}"
    base = api.inspect_image(source.image)["Config"] or {}
    copy = ["sh", "-c", f"mkdir -p {os.path.dirname(folder)} && cp -a {_MADE} {folder}"]
    config = {
        "Image": source.image,
        "Entrypoint": [] if not base.get("Entrypoint") else ["/usr/bin/env"],
        "Cmd": copy,
        "User": "0:0",
        "Labels": labels_of(name),
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [volume_mount(f"creditml-env-{key}", _MADE, read_only=True)],
            "SecurityOpt": ["label=disable"] if source.engine.labelled else [],
        },
    }
    container = api.create_container_from_config(config, name, source.platform or None)["Id"]
    try:
        api.start(container)
        [end] = hear(api, lambda: [api.wait(container)], canceled)
        if end["StatusCode"]:
            message = f"The environment {wanted.title} can't be copied into its image: is the engine's disk full?"
            raise CreditMLError(message)
        variables = dict(line.partition("=")[::2] for line in base.get("Env") or ())
        again = {
            "Entrypoint": base.get("Entrypoint"),
            "Cmd": base.get("Cmd") or ["sh"],
            "User": base.get("User") or "",
            "Env": [f"PATH={folder}/bin:{variables.get('PATH') or _PATHS}"],
            "Labels": {MADE: wanted.title, _NOTES: json.dumps(list(notes))},
        }
        api.commit(container, REPOSITORY, key, conf=again)
    finally:
        with suppress(*TROUBLES):
            api.remove_container(container, force=True, v=True)


class InsideUv(Uv):
    """Does the work of `Uv` in a container: with uv if it runs there, else with the image's own pip."""

    def __init__(self, shop: Workshop, say: Callable[[str], None], python: Interpreter | None) -> None:
        """Copy uv into the container, and find out whether it runs there."""
        super().__init__({}, -1, say, lambda: False)
        self._shop, self._python = shop, python.path if python else "python3"
        shop.put(uv_program(), _UV)
        self._runs = not shop.run([_UV, "--version"]).code

    def version(self, folder: str) -> str:
        """Return the version of an environment's Python."""
        program = "import platform; print(platform.python_version())"
        return self._shop.run([f"{folder}/bin/python", "-c", program]).output.strip()

    def _run(self, *arguments: str, at: str) -> Done:
        for path in filter(os.path.isfile, arguments):
            self._shop.put(path)
        self._shop.run(["mkdir", "-p", at])
        return self._shop.run([_UV, *arguments] if self._runs else self._by_pip(arguments), self._hear, folder=at)

    def _by_pip(self, arguments: Sequence[str]) -> list[str]:
        """Translate uv's arguments into a command of `venv` or pip."""
        words = [word for word in arguments if word not in ("--compile-bytecode", "--break-system-packages")]
        if words[0] == "venv":
            return [self._python, "-m", "venv", words[-1]]
        python = words[words.index("--python") + 1]
        words = [word for word in words if word not in ("--python", python)]
        if "--build-constraints" in words:  # pip has no such option
            at = words.index("--build-constraints")
            del words[at : at + 2]
        return [python, "-m", *words]


def _uv_settings(own: Mapping[str, str]) -> dict[str, str]:
    """The variables that the user has set for uv, without those that refer to this machine's folders or Pythons."""
    ours = ("UV_PYTHON", "UV_CACHE", "UV_PROJECT", "UV_LINK", "UV_TOOL", "UV_INSTALL", "UV_LOG")
    return {name: value for name, value in own.items() if name.startswith("UV_") and not name.startswith(ours)}


def _local_paths(wanted: Wanted) -> list[str]:
    """The files and folders of this machine that the pip requirements name."""
    words = (word for line in wanted.pip for word in re.split(r"[\s=]+|@\s*file://", line))
    return [word for word in words if os.path.isabs(word) and os.path.exists(word)]
