"""Reads how many processes the system has killed because memory ran out."""

from __future__ import annotations

import os


def out_of_memory_kills() -> int:
    """The number of processes killed because memory ran out: in this process's control group, else on the machine.

    The machine's count is used if the control group has none; if the system has none either, the number is always 0.
    """
    count = _kills(_control_group_account())
    return _kills("/proc/vmstat") or 0 if count is None else count


def _kills(account: str) -> int | None:
    try:
        with open(account, "rb", buffering=0) as file:
            words = file.read().split()
    except OSError:
        return None
    return int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else None


def _control_group_account() -> str:
    """The path of the file with the memory events of this process's control group (version 2); it may not exist."""
    try:
        with open("/proc/self/cgroup", "rb", buffering=0) as file:
            paths = [line[3:] for line in file.read().splitlines() if line.startswith(b"0::")]
    except OSError:
        paths = []
    return f"/sys/fs/cgroup{os.fsdecode(paths[0])}/memory.events" if paths else ""
