"""Whose a container is: labels, and a sweep of those whose runner is gone."""

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
"""The container's own name: images made of a container hand its labels on to containers that are none of ours."""
KEPT = "creditml.keep"
"""Says that a container may stay if its step fails."""


class Owner(NamedTuple):
    """A process that runs a job, told from all others that there ever were; a label's value."""

    machine: str
    boot: str
    process: int
    start: str

    def __str__(self) -> str:
        """The label."""
        return " ".join((self.machine, self.boot, str(self.process), self.start))

    @classmethod
    def read(cls, label: str) -> Owner | None:
        """What a label says, or None if nobody can tell."""
        words = label.split(" ")
        if len(words) != len(cls._fields) or not words[2].isdigit():
            return None
        return cls(words[0], words[1], int(words[2]), words[3])

    @property
    def gone(self) -> bool:
        """Whether it surely runs no more. One of another machine, or of another container, may run still."""
        here = this_process()
        if self.machine != here.machine:
            return False
        return self.boot != here.boot or _start(self.process) != self.start


def this_process() -> Owner:
    """This one."""
    process = os.getpid()
    return Owner(_machine(), _boot(), process, _start(process))


def labels_of(name: str) -> dict[str, str]:
    """The labels of a container of this process."""
    return {NAME: name, OWNER: str(this_process())}


def sweep(api: docker.APIClient) -> list[str]:
    """Remove the containers that runners left behind when they were killed; returns their names.

    What the user has asked to keep of a failed step stays.
    """
    removed = []
    for container in api.containers(all=True, filters={"label": OWNER}):
        labels = container.get("Labels") or {}
        owner = Owner.read(labels.get(OWNER, ""))
        name = str((container.get("Names") or [""])[0]).lstrip("/")
        kept = labels.get(KEPT) and container.get("State") == "exited"
        if owner is None or name != labels.get(NAME) or kept or not owner.gone:
            continue
        with suppress(*TROUBLES):  # another runner sweeps too
            api.remove_container(container["Id"], force=True, v=True)
            removed.append(name)
    return removed


def _machine() -> str:
    """What is the same for all processes that can see each other, and for no others."""
    parts = [socket.gethostname()]
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            parts.append(Path(file).read_text(encoding="utf-8").strip())
            break
    with suppress(OSError):  # there is none but on Linux
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return "-"  # there, times of start are dates


def _start(process: int) -> str:
    """When a process started, in the system's own words; empty if there is none."""
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
