"""Labels that say which process a container belongs to, and the removal of containers whose process is gone."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml_docker.engines import TROUBLES

if TYPE_CHECKING:
    import docker

RUN = "creditml.run"
OWNER = "creditml.owner"
NAME = "creditml.container"
"""The label with the container's own name.

An image made from a container hands its labels on to other containers; those have another name, and are left alone."""
KEPT = "creditml.keep"
"""The label of containers that are kept if their step fails."""


class Owner(NamedTuple):
    """A process, identified so that no other process on any machine is taken for it; written as a label's value."""

    machine: str
    boot: str
    process: int
    start: str

    def __str__(self) -> str:
        """The label's value."""
        return " ".join((self.machine, self.boot, str(self.process), self.start))

    @classmethod
    def read(cls, label: str) -> Owner | None:
        """Read a label's value; None if it is malformed."""
        words = label.split(" ")
        if len(words) != len(cls._fields) or not words[2].isdigit():
            return None
        return cls(words[0], words[1], int(words[2]), words[3])

    @property
    def gone(self) -> bool:
        """Whether the process has certainly ended; False for one on another machine or in another container."""
        here = this_process()
        if self.machine != here.machine:
            return False
        return self.boot != here.boot or _start(self.process) != self.start


def this_process() -> Owner:
    """The owner that stands for this process."""
    process = os.getpid()
    return Owner(_machine(), _boot(), process, _start(process))


def labels_of(name: str) -> dict[str, str]:
    """The labels of a container that belongs to this process."""
    return {NAME: name, OWNER: str(this_process())}


def sweep(api: docker.APIClient) -> list[str]:
    """Remove the containers that killed runners have left behind; returns their names.

    Containers that were kept because their step failed are not removed.
    """
    removed = []
    for container in api.containers(all=True, filters={"label": OWNER}):
        labels = container.get("Labels") or {}
        owner = Owner.read(labels.get(OWNER, ""))
        name = str((container.get("Names") or [""])[0]).lstrip("/")
        kept = labels.get(KEPT) and container.get("State") == "exited"
        if owner is None or name != labels.get(NAME) or kept or not owner.gone:
            continue
        with suppress(*TROUBLES):  # another runner may be removing it too
            api.remove_container(container["Id"], force=True, v=True)
            removed.append(name)
    return removed


def _machine() -> str:
    """An id of this machine and process namespace: equal only for processes that can see each other."""
    parts = [socket.gethostname()]
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            parts.append(Path(file).read_text(encoding="utf-8").strip())
            break
    with suppress(OSError):  # only Linux has it
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return "-"  # not needed on macOS: there the start times of processes are dates, which differ after a reboot


def _start(process: int) -> str:
    """When a process was started, in the system's notation; empty if there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return ""
    else:
        state, *rest = stat[stat.rindex(")") + 2 :].split()
        return "" if state in "ZX" else rest[18]
    command = ["ps", "-o", "lstart=", "-p", str(process)]  # macOS has no /proc
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return "-".join(done.stdout.split())
