"""The backend's settings: the section `docker` of `creditml.yml`, or the keywords of `DockerLauncher`.

docker:
  pull: missing            # always, missing or never
  keep_failed: false       # keep the container of a step that failed, to look inside
  cpus: 2                  # what a step gets at most, unless its docker_args say otherwise
  memory: 4g
  shm_size: 1g
  allow: [--privileged]    # docker_args that are refused otherwise
  network: bridge          # host, none, bridge or a network's name
  platform: linux/amd64
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import CreditMLError, near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PULLS = ("always", "missing", "never")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_FLAG = re.compile(r"-{0,2}[a-z][a-z-]*", re.IGNORECASE)
_PLATFORM = re.compile(r"[a-z0-9]+(/[a-z0-9_]+){0,2}")


class Settings(NamedTuple):
    """How containers are made; sizes are bytes, and None is no limit of ours.

    Attributes:
        pull: When an image is asked for at its registry: `always`, `missing` or `never`.
        keep_failed: Whether the container of a step that failed stays.
        cpus: Processors.
        memory: Bytes.
        shm_size: Bytes of `/dev/shm`, where a step's `resources` don't say.
        allow: `docker_args` that are allowed though they open the machine to the step, as long flags (`--privileged`).
        network: The network that containers are in; empty for the one from which the tracking server can be reached.
        platform: The platform of images (`linux/amd64`); empty for the engine's own.
    """

    pull: str = "missing"
    keep_failed: bool = False
    cpus: float | None = None
    memory: int | None = None
    shm_size: int | None = None
    allow: frozenset[str] = frozenset()
    network: str = ""
    platform: str = ""


def read_settings(values: Mapping[str, Any]) -> Settings:
    """Read settings.

    Raises:
        CreditMLError: Some are unknown or wrong; the message has a line for each.
    """
    read: dict[str, Any] = {}
    problems = []
    for name, value in values.items():
        reader = _READERS.get(name)
        if reader is None:
            known = ", ".join(_READERS)
            problems.append(f"There is no setting '{name}'.{near_miss(name, _READERS)} It takes {known}.")
            continue
        if value is None:
            continue
        try:
            read[name] = reader(value)
        except ValueError as error:
            problems.append(f"{name}: {value!r} can't be used: {error}.")
    if problems:
        raise CreditMLError("\n".join(f"The Docker backend's settings: {problem}" for problem in problems))
    return Settings(**read)


def size(value: object) -> int:
    """Bytes, as Docker writes them: `512m`, `2g`, or a number.

    Raises:
        ValueError: It is none.
    """
    found = _SIZE.fullmatch(str(value).strip())
    if not found or isinstance(value, bool):
        raise ValueError("it takes a size such as 512m or 2g")
    number = int(float(found[1]) * 1024 ** _UNITS[found[2].lower()])
    if number <= 0:
        raise ValueError("a size is more than nothing")
    return number


def processors(value: object) -> float:
    """A number of processors.

    Raises:
        ValueError: It is none.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if isinstance(value, bool) or not number > 0:
        raise ValueError("it takes a number of processors such as 2 or 0.5")
    return number


def _pull(value: object) -> str:
    if value not in PULLS:
        raise ValueError("it takes always, missing or never")
    return str(value)


def _yes(value: object) -> bool:
    answers = {"true": True, "false": False}
    if str(value).lower() not in answers:
        raise ValueError("it takes true or false")
    return answers[str(value).lower()]


def _allow(value: object) -> frozenset[str]:
    flags = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if not all(isinstance(flag, str) and _FLAG.fullmatch(flag) for flag in flags):
        raise ValueError("it takes a list of flags such as [--privileged, --volume]")
    return frozenset(_long(str(flag)) for flag in flags)


def _long(flag: str) -> str:
    name = flag.lstrip("-")
    return f"--{SHORT.get(name, name)}"


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it takes a name such as host, none or bridge")
    return value


def _platform(value: object) -> str:
    if not isinstance(value, str) or not _PLATFORM.fullmatch(value):
        raise ValueError("it takes a platform such as linux/amd64")
    return value


SHORT = {
    "m": "memory",
    "c": "cpu-shares",
    "e": "env",
    "h": "hostname",
    "v": "volume",
    "u": "user",
    "l": "label",
    "w": "workdir",
    "p": "publish",
    "net": "network",
    "i": "interactive",
    "t": "tty",
    "d": "detach",
}
"""Docker's short flags, and one old name, by what they are short for."""

_READERS: dict[str, Callable[[object], Any]] = {
    "pull": _pull,
    "keep_failed": _yes,
    "cpus": processors,
    "memory": size,
    "shm_size": size,
    "allow": _allow,
    "network": _word,
    "platform": _platform,
}
