"""Finding an engine: Docker's own, Podman's, or that of Docker Desktop, Colima and their like."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import docker  # noqa: F401  whole before its parts, or two threads that import them wait for each other
import requests
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from creditml.errors import BackendUnavailable
from creditml_docker.streams import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TROUBLES = (DockerException, requests.exceptions.RequestException, OSError)
"""What the engine's client raises when the engine refuses or can't be reached."""

_PATIENCE = 120
"""Seconds that an engine has for an answer, but for those that take as long as what they are about."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Names of processors by what the kernel calls them: those that images have."""


class Engine(NamedTuple):
    """An engine that answers.

    Attributes:
        api: Its client.
        place: Where it was found, for messages.
        here: Whether its containers can share this machine's network: they are no other (virtual) machine's.
        rootless: Whether root in its containers is the user.
        remapped: Whether it gives containers other users than this machine's, unless asked not to.
        labelled: Whether files of this machine are closed to containers by their SELinux labels.
        architecture: Its processor, as images name it (`amd64`).
        name: What it calls itself, for messages.
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
    """Where an engine may be."""

    why: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        """Its address, and why it is looked for there."""
        return f"{self.arguments.get('base_url')} ({self.why})"


def find_engine() -> Engine:
    """The engine that DOCKER_HOST names, or Docker's current context, or else one at a usual place.

    Raises:
        BackendUnavailable: None answers; the message says what was tried, and what each said.
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
        "No container engine answers. Start Docker (or Podman, Colima), or set DOCKER_HOST to where one listens."
        f"\nTried:\n{listed}"
    )
    raise BackendUnavailable(message)


def _places() -> Iterator[_Place | str]:
    """Where to look, in order; a text says why a place can't be looked at. What the user names is not gone beyond."""
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
        os.stat(socket)  # its error says more than the client's
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
        return "you may not use it; if it is Docker's, have yourself put into the group 'docker'"
    if isinstance(root, FileNotFoundError):
        return "nothing is there"
    if isinstance(root, ConnectionRefusedError):
        return "nobody listens there"
    return f"{root}" or f"{error}" or f"no answer from {place.arguments.get('base_url')}"
