"""Reads a step's `resources`: `shm_size`, and `docker_args` with the flags of Docker's command line.

Flags that give a step access to this machine are refused unless the settings allow them. Unknown flags are refused with
their name; no flag is ignored without a message.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.errors import BackendError
from creditml_docker.settings import SHORT, processors, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from creditml_docker.settings import Settings

_BILLION = 1_000_000_000


class Extras(NamedTuple):
    """What a step's container gets in addition to what all steps' containers have.

    Attributes:
        host: Values for the engine's `HostConfig`, by the engine's names.
        env: Environment variables.
        hostname: The container's host name.
        user: The `uid:gid` to run as, instead of this user's.
        network: The network.
        notes: Lines for the log about flags that have another effect than with `docker run`.
    """

    host: dict[str, Any]
    env: dict[str, str]
    hostname: str = ""
    user: str = ""
    network: str = ""
    notes: tuple[str, ...] = ()


def read_resources(resources: Mapping[str, Any], settings: Settings) -> Extras:
    """Read a step's `resources`; limits that they don't set are taken from the settings.

    Raises:
        BackendError: Some of the resources are not supported; the message has a line for each.
    """
    reader = _Reader(settings)
    if resources.get("shm_size"):
        reader.take("--shm-size", str(resources["shm_size"]), "shm_size")
    for flag, value in _flags(resources.get("docker_args"), reader.problems):
        reader.take(flag, value)
    if reader.problems:
        raise BackendError("\n".join(reader.problems))
    return Extras(
        host=reader.host,
        env=reader.env,
        hostname=reader.other.get("hostname", ""),
        user=reader.other.get("user", ""),
        network=reader.other.get("network", ""),
        notes=tuple(reader.notes),
    )


def _flags(given: Any, problems: list[str]) -> Iterator[tuple[str, str | None]]:
    """Split `docker_args` into flags in their long form, each with its value."""
    texts = [given] if isinstance(given, str) else given or []
    try:
        words = [word for text in texts for word in shlex.split(str(text))]
    except ValueError as error:
        problems.append(f"docker_args can't be split into words: {error}.")
        return
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            problems.append(f"docker_args takes only flags of 'docker run', but '{word}' is not a flag.")
            continue
        flag, value = _split(word)
        if value is None and flag not in _SWITCHES and words and not words[0].startswith("--"):
            value = words.pop(0)
        yield flag, value


def _split(word: str) -> tuple[str, str | None]:
    """A flag's long form, and its value if that is in the same word."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return f"--{SHORT.get(name[2:], name[2:])}", value if equals else None
    name, value = word[1], word[2:].removeprefix("=")
    long = f"--{SHORT.get(name, name)}"
    return long, (None if long in _SWITCHES else value or None)


class _Reader:
    """Collects the effects of flags."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.host: dict[str, Any] = {}
        self.env: dict[str, str] = {}
        self.other: dict[str, str] = {}
        self.notes: list[str] = []
        self.problems: list[str] = []
        if settings.cpus:
            self.host["NanoCpus"] = int(settings.cpus * _BILLION)
        if settings.memory:
            self.host["Memory"] = self.host["MemorySwap"] = settings.memory
        if settings.shm_size:
            self.host["ShmSize"] = settings.shm_size

    def take(self, flag: str, value: str | None, name: str = "") -> None:
        """Apply a flag or report a problem; `name` is how the user wrote it."""
        name = name or flag
        if flag in _DANGEROUS and flag not in self._settings.allow and not self._harmless(flag, value):
            self.problems.append(
                f"docker_args: {name} {_DANGEROUS[flag]}. If you trust the step, allow it in creditml.yml:"
                f" docker: {{allow: [{flag}]}}"
            )
        elif flag in _NEVER:
            self.problems.append(f"docker_args: {name} can't be used: {_NEVER[flag]}.")
        elif flag in _SWITCHES:
            _SWITCHES[flag](self)
        elif flag not in _TAKERS:
            self.problems.append(
                f"docker_args: {name} isn't supported here. Supported: {', '.join(sorted({*_TAKERS, *_SWITCHES}))}."
            )
        elif value is None:
            self.problems.append(f"docker_args: {name} needs a value.")
        else:
            self._take(flag, value, name)

    def _take(self, flag: str, value: str, name: str) -> None:
        try:
            _TAKERS[flag](self, value)
        except ValueError as error:
            self.problems.append(f"resources: {name}: '{value}' can't be used: {error}.")

    def _harmless(self, flag: str, value: str | None) -> bool:
        """Whether a dangerous flag is harmless with this value, or is replaced by something harmless."""
        if flag == "--network":
            network = self._settings.network or "host"
            return value in ("none", network)
        return flag == "--ipc" and value in ("host", "private", "shareable", "none")

    # -- the effects of flags

    def add(self, key: str, value: Any) -> None:
        self.host.setdefault(key, []).append(value)

    def memory(self, value: str) -> None:
        self.host["Memory"] = size(value)
        self.host.setdefault("MemorySwap", self.host["Memory"])

    def memory_swap(self, value: str) -> None:
        self.host["MemorySwap"] = -1 if value == "-1" else size(value)

    def ulimit(self, value: str) -> None:
        name, equals, limits = value.partition("=")
        soft, _, hard = limits.partition(":")
        if not equals:
            raise ValueError("write name=soft or name=soft:hard")
        self.add("Ulimits", {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})

    def variable(self, value: str) -> None:
        name, equals, text = value.partition("=")
        if equals:
            self.env[name] = text
        elif name in os.environ:
            self.env[name] = os.environ[name]

    def gpus(self, value: str) -> None:
        if value.removeprefix("device=") != value:
            request: dict[str, Any] = {"DeviceIDs": value.removeprefix("device=").split(",")}
        else:
            request = {"Count": -1 if value == "all" else int(value)}
        self.add("DeviceRequests", {"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **request})

    def runtime(self, value: str) -> None:
        if value != "nvidia":
            raise ValueError("the only supported runtime is nvidia, which works like --gpus all")
        self.gpus("all")

    def ipc(self, value: str) -> None:
        if value == "host" and "--ipc" not in self._settings.allow:
            half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
            self.host.setdefault("ShmSize", half)
            self.notes.append(
                "instead of --ipc=host, the step gets its own /dev/shm, as large as this machine's;"
                " to share the machine's, allow that in creditml.yml: docker: {allow: [--ipc]}"
            )
        else:
            self.host["IpcMode"] = value

    def tmpfs(self, value: str) -> None:
        path, _, options = value.partition(":")
        self.host.setdefault("Tmpfs", {})[path] = options

    def label(self, value: str) -> None:
        self.notes.append(f"the label {value} is ignored: creditml sets its own labels on containers")

    def volume(self, value: str) -> None:
        source, _, rest = value.partition(":")
        target, _, options = rest.partition(":")
        if not target:
            raise ValueError("write folder:folder or folder:folder:ro")
        self.add("Binds", f"{os.path.abspath(source) if '/' in source else source}:{target}:{options or 'rw'}")

    def mount(self, value: str) -> None:
        parts = dict(part.partition("=")[::2] for part in value.split(","))
        target = parts.get("target") or parts.get("destination") or parts.get("dst")
        source = parts.get("source") or parts.get("src") or ""
        if not target:
            raise ValueError("write type=bind,source=folder,target=folder")
        read_only = "readonly" in parts or "ro" in parts
        kind = parts.get("type", "volume")
        self.add("Mounts", {"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only})

    def device(self, value: str) -> None:
        source, _, rest = value.partition(":")
        target, _, rights = rest.partition(":")
        device = {"PathOnHost": source, "PathInContainer": target or source, "CgroupPermissions": rights or "rwm"}
        self.add("Devices", device)


def _sets(key: str, read: Callable[[str], Any] = str) -> Callable[[_Reader, str], None]:
    """The handler of a flag that sets a value of the engine's `HostConfig`."""

    def take(reader: _Reader, value: str) -> None:
        reader.host[key] = read(value)

    return take


def _adds(key: str) -> Callable[[_Reader, str], None]:
    """The handler of a flag that adds to a list of the engine's `HostConfig`."""
    return lambda reader, value: reader.add(key, value)


def _notes(key: str) -> Callable[[_Reader, str], None]:
    """The handler of a flag whose value doesn't belong to the engine's `HostConfig`."""

    def take(reader: _Reader, value: str) -> None:
        reader.other[key] = value

    return take


_TAKERS: dict[str, Callable[[_Reader, str], None]] = {
    "--add-host": _adds("ExtraHosts"),
    "--cap-add": _adds("CapAdd"),
    "--cap-drop": _adds("CapDrop"),
    "--cpu-shares": _sets("CpuShares", int),
    "--cpus": _sets("NanoCpus", lambda value: int(processors(value) * _BILLION)),
    "--cpuset-cpus": _sets("CpusetCpus"),
    "--device": _Reader.device,
    "--env": _Reader.variable,
    "--gpus": _Reader.gpus,
    "--group-add": _adds("GroupAdd"),
    "--hostname": _notes("hostname"),
    "--ipc": _Reader.ipc,
    "--label": _Reader.label,
    "--memory": _Reader.memory,
    "--memory-swap": _Reader.memory_swap,
    "--mount": _Reader.mount,
    "--network": _notes("network"),
    "--pids-limit": _sets("PidsLimit", int),
    "--runtime": _Reader.runtime,
    "--security-opt": _adds("SecurityOpt"),
    "--shm-size": _sets("ShmSize", size),
    "--tmpfs": _Reader.tmpfs,
    "--ulimit": _Reader.ulimit,
    "--user": _notes("user"),
    "--volume": _Reader.volume,
}

_SWITCHES: dict[str, Callable[[_Reader], None]] = {
    "--init": lambda _: None,  # containers always have an init process
    "--rm": lambda _: None,  # containers are always removed
    "--interactive": lambda reader: reader.notes.append("--interactive is ignored: a step's input is empty"),
    "--tty": lambda reader: reader.notes.append("--tty is ignored: a step's output goes to its log"),
    "--privileged": lambda reader: reader.host.update(Privileged=True),
}

_DANGEROUS = {
    "--privileged": "gives the step all rights on this machine",
    "--volume": "gives the step access to more files of this machine than its inputs and outputs",
    "--mount": "gives the step access to more files of this machine than its inputs and outputs",
    "--network": "puts the step into another network than the one in the settings",
    "--cap-add": "gives the step rights of the system's administrator",
    "--device": "gives the step access to a device of this machine",
    "--security-opt": "weakens the isolation of the step's container",
    "--user": "lets the step write files that aren't yours",
    "--group-add": "gives the step the rights of other groups",
    "--ipc": "gives the step access to memory of other processes",
}

_NEVER = {
    "--pid": "creditml ends all processes of a step, so they need a process namespace of their own",
    "--entrypoint": "the container runs the step's command",
    "--name": "creditml names containers after their steps",
    "--workdir": "a step starts in its working folder, as on Azure ML",
    "--detach": "creditml waits for the step's end",
}
