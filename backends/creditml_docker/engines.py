"""Finds a container engine: Docker, Podman, Docker Desktop, Colima or another one with Docker's API."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import docker  # noqa: F401  imported before its parts: threads that import different parts at once would wait for each other
import requests
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from creditml.errors import BackendUnavailable
from creditml_docker.streams import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TROUBLES = (DockerException, requests.exceptions.RequestException, OSError)
"""The exceptions that the engine's client raises when the engine refuses a request or can't be reached."""

_PATIENCE = 120
"""Seconds that an engine has for an answer, except for requests that wait for a container, a build or a pull."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names of processors, and their names in the platforms of images."""


class Engine(NamedTuple):
    """A container engine that answers.

    Attributes:
        api: Its client.
        place: Its address, for messages.
        here: Whether its containers can share this machine's network; they can't if it runs in a (virtual) machine.
        rootless: Whether root in its containers is this user.
        remapped: Whether it maps the users in containers to other users of this machine, unless that is turned off.
        labelled: Whether SELinux labels keep containers from this machine's files.
        architecture: Its processor, by the name that images use (`amd64`).
        name: Its own name and version, for messages.
    """

    api: Client
    place: str
    here: bool = True
    rootless: bool = False
    remapped: bool = False
    labelled: bool = False
    architecture: str = ""
    name: str = ""


class _Place(NamedTuple):
    """A place where an engine may be: the reason for looking there, and the arguments of the client."""

    why: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        """The address, and the reason for looking there."""
        return f"{self.arguments.get('base_url')} ({self.why})"


def find_engine() -> Engine:
    """Find the engine that DOCKER_HOST or Docker's current context names, otherwise one at a usual place.

    Raises:
        BackendUnavailable: No engine answers; the message lists all places that were tried, and their errors.
    """
    tried = []
    for place in _places():
        if isinstance(place, str):
            tried.append(place)
            continue
        try:
            return _ask(place)
        except TROUBLES as error:
            tried.append(f"{place}: {_reason(error, place)}")
    listed = "\n".join(f"  {line}" for line in tried)
    message = (
        "No container engine answers. Start Docker (or Podman, Colima), or set DOCKER_HOST to the address of an engine."
        f"\nTried:\n{listed}"
    )
    raise BackendUnavailable(message)


def _places() -> Iterator[_Place | str]:
    """The places to look at, in order; a text in place of one says why that one can't be used.

    If the user names an engine with DOCKER_HOST or DOCKER_CONTEXT, no other place is looked at.
    """
    if os.environ.get("DOCKER_HOST"):
        try:
            yield _Place("DOCKER_HOST", kwargs_from_env())
        except TROUBLES as error:
            yield f"DOCKER_HOST={os.environ['DOCKER_HOST']}: {error}"
        return
    name, why = os.environ.get("DOCKER_CONTEXT") or "", "DOCKER_CONTEXT"
    if not name:
        name, why = _current_context(), "Docker's current context"
    if name and name != "default":
        yield _context(name, why)
        if why == "DOCKER_CONTEXT":
            return
    for socket, whose in _sockets():
        yield _Place(whose, {"base_url": f"unix://{socket}"})


def _current_context() -> str:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("currentContext") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _context(name: str, why: str) -> _Place | str:
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # noqa: BLE001  the client raises bare exceptions for files that it can't read
        return f"{why} '{name}': {error}"
    if context is None:
        return f"{why} '{name}': there is no such context"
    arguments: dict[str, Any] = {"base_url": context.Host}
    if context.TLSConfig:
        arguments["tls"] = context.TLSConfig
    if str(context.Host).startswith("ssh://"):
        arguments["use_ssh_client"] = True
    return _Place(f"{why} '{name}'", arguments)


def _sockets() -> Iterator[tuple[str, str]]:
    home, runtime = Path.home(), os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield "/var/run/docker.sock", "Docker"
    yield f"{runtime}/docker.sock", "Docker without root"
    yield f"{home}/.docker/run/docker.sock", "Docker Desktop"
    yield f"{home}/.docker/desktop/docker.sock", "Docker Desktop"
    yield f"{home}/.colima/default/docker.sock", "Colima"
    yield f"{home}/.orbstack/run/docker.sock", "OrbStack"
    yield f"{home}/.rd/docker.sock", "Rancher Desktop"
    yield f"{runtime}/podman/podman.sock", "Podman"
    yield "/run/podman/podman.sock", "Podman as root"
    yield f"{home}/.local/share/containers/podman/machine/podman.sock", "Podman's machine"


def _ask(place: _Place) -> Engine:
    socket = str(place.arguments.get("base_url") or "").removeprefix("unix://")
    if socket.startswith("/"):
        os.stat(socket)  # if there is no such file, its error says more than the client's
    api = Client(**place.arguments, version="auto", timeout=_PATIENCE)
    info = api.info()
    options = " ".join(map(str, info.get("SecurityOptions") or ()))
    system = str(info.get("OperatingSystem", ""))
    machine = str(info.get("Architecture", ""))
    return Engine(
        api=api,
        place=str(place),
        here=sys.platform == "linux" and socket.startswith("/") and "Docker Desktop" not in system,
        rootless="rootless" in options,
        remapped="userns" in options,
        labelled="selinux" in options,
        architecture=_MACHINES.get(machine, machine),
        name=f"{system or 'engine'}, {info.get('ServerVersion', '')}",
    )


def _reason(error: BaseException, place: _Place) -> str:
    root: BaseException = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    if isinstance(root, PermissionError):
        return "you don't have permission to use it; for Docker, ask to be added to the group 'docker'"
    if isinstance(root, FileNotFoundError):
        return "it doesn't exist"
    if isinstance(root, ConnectionRefusedError):
        return "no engine listens there"
    return f"{root}" or f"{error}" or f"no answer from {place.arguments.get('base_url')}"
