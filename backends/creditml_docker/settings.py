"""The backend's settings: the section `docker` of `creditml.yml`, or the keywords of `DockerLauncher`.

docker:
  pull: missing            # always, missing or never
  keep_failed: false       # whether the container of a failed step is kept, to look inside
  cpus: 2                  # the limits of each step, unless its docker_args set others
  memory: 4g
  shm_size: 1g
  allow: [--privileged]    # docker_args that would otherwise be refused
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
    """How images are pulled and containers are created.

    Attributes:
        pull: When an image is pulled: `always`, `missing` (if the engine doesn't have it) or `never`.
        keep_failed: Whether the container of a failed step is kept.
        cpus: The processors of a step; None for no limit.
        memory: The memory of a step in bytes; None for no limit.
        shm_size: The size of `/dev/shm` in bytes if a step's `resources` don't set it; None for the engine's default.
        allow: Flags of `docker_args` in their long form (`--privileged`) that are allowed although they give a step
            access to this machine.
        network: The network of containers; empty for the one from which steps can reach the tracking server.
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
        CreditMLError: Some settings are unknown or wrong; the message has a line for each.
    """
    read: dict[str, Any] = {}
    problems = []
    for name, value in values.items():
        reader = _READERS.get(name)
        if reader is None:
            known = ", ".join(_READERS)
            problems.append(f"There is no setting '{name}'.{near_miss(name, _READERS)} The settings are {known}.")
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
    """Read a size in Docker's notation (`512m`, `2g`, or a number of bytes); returns bytes.

    Raises:
        ValueError: The value is not a size.
    """
    found = _SIZE.fullmatch(str(value).strip())
    if not found or isinstance(value, bool):
        raise ValueError("write a size such as 512m or 2g")
    number = int(float(found[1]) * 1024 ** _UNITS[found[2].lower()])
    if number <= 0:
        raise ValueError("a size must be greater than 0")
    return number


def processors(value: object) -> float:
    """Read a number of processors.

    Raises:
        ValueError: The value is not a positive number.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if isinstance(value, bool) or not number > 0:
        raise ValueError("write a number of processors such as 2 or 0.5")
    return number


def _pull(value: object) -> str:
    if value not in PULLS:
        raise ValueError("write always, missing or never")
    return str(value)


def _yes(value: object) -> bool:
    answers = {"true": True, "false": False}
    if str(value).lower() not in answers:
        raise ValueError("write true or false")
    return answers[str(value).lower()]


def _allow(value: object) -> frozenset[str]:
    flags = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if not all(isinstance(flag, str) and _FLAG.fullmatch(flag) for flag in flags):
        raise ValueError("write a list of flags such as [--privileged, --volume]")
    return frozenset(_long(str(flag)) for flag in flags)


def _long(flag: str) -> str:
    name = flag.lstrip("-")
    return f"--{SHORT.get(name, name)}"


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a name such as host, none or bridge")
    return value


def _platform(value: object) -> str:
    if not isinstance(value, str) or not _PLATFORM.fullmatch(value):
        raise ValueError("write a platform such as linux/amd64")
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
"""Docker's short flags (and the old name `net`) with their long forms."""

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
