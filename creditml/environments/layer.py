"""A step's own layer over an environment that it shares: what it installs lands there, and is gone with the step.

Many commands on Azure begin with `pip install`. There each run has its environment for itself; here it shares it with
other steps, jobs and workspaces. So a step gets a virtual environment of its own, empty but for a line that adds the
shared packages behind its own. It is made in a few milliseconds: nothing is copied but the scripts that start Python.
"""

from __future__ import annotations

import os
import re
import site
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD = 512  # bytes of a script in which it says what runs it
_LONGEST = 127  # what Linux takes of a script's first line, and thrice as much as macOS needs
_EXEC = re.compile(rb"#!/bin/sh\n'''exec' (?P<path>[^\n]+?) \"\$0\" \"\$@\"\n' '''\n")
_DIRECT = re.compile(rb"#! *(?P<path>/[^ \n]+)(?P<options>[^\n]*)\n")
_PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


class _Shared(NamedTuple):
    """What a layer lies over: the program that is its Python, `3.11`, and where its packages and scripts are."""

    program: str
    version: str
    packages: tuple[str, ...]
    scripts: str


def make_layer(provided_folder: str, at: str) -> Mapping[str, str]:
    """Make a layer over an environment, and return the variables of steps that use it.

    `PATH` is what to put in front of a step's PATH, with the environment's own `bin`; the others are to be set as they
    are.

    Args:
        provided_folder: The environment's folder; `sys.prefix` stands for the Python that creditml runs in.
        at: The layer's folder, which isn't there yet; the step must be able to write into it.

    Raises:
        CreditMLError: There is no Python environment.
    """
    shared = _host() if os.path.realpath(provided_folder) == os.path.realpath(sys.prefix) else _made(provided_folder)
    own, packages = Path(at, "bin"), Path(at, "lib", f"python{shared.version}", "site-packages")
    own.mkdir(parents=True)
    packages.mkdir(parents=True)
    lines = (f"import site; site.addsitedir({folder!r})\n" for folder in shared.packages)
    (packages / "creditml_shared.pth").write_text("".join(lines), encoding="utf-8")
    config = (
        f"home = {os.path.dirname(shared.program)}\ninclude-system-site-packages = false\nversion = {shared.version}\n"
    )
    Path(at, "pyvenv.cfg").write_text(config, encoding="utf-8")
    for name in ("python", "python3", f"python{shared.version}"):
        os.symlink(shared.program, own / name)
    _add_scripts(shared, str(own))
    return {"PATH": os.pathsep.join([str(own), shared.scripts]), "VIRTUAL_ENV": at}


def _host() -> _Shared:
    """The Python that creditml runs in."""
    packages = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    program = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return _Shared(program, version, tuple(packages), os.path.dirname(sys.executable))


def _made(folder: str) -> _Shared:
    """A virtual environment, or one of conda."""
    found = sorted(name for name in _names(f"{folder}/lib") if re.fullmatch(r"python\d\.\d+", name))
    program = os.path.realpath(f"{folder}/bin/python")
    if not found or not os.path.isfile(program):
        message = f"There is no Python environment in {folder}. Remove it: creditml environment prune"
        raise CreditMLError(message)
    packages = f"{folder}/lib/{found[-1]}/site-packages"
    return _Shared(program, found[-1].removeprefix("python"), (packages,), f"{folder}/bin")


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _add_scripts(shared: _Shared, folder: str) -> None:
    """Have the shared scripts run in the layer's Python, so that they see what is installed there."""
    pythons = {f"{shared.scripts}/{name}" for name in ("python", "python3", f"python{shared.version}")} | {
        shared.program
    }
    scripts = dict(_scripts(shared.scripts, {os.fsencode(each) for each in pythons}))
    for name in ("pip", "pip3"):
        scripts.setdefault(name, (b"", _PIP.encode()))
    for name, (options, rest) in scripts.items():
        descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
        try:
            os.write(descriptor, _beginning(os.fsencode(folder) + b"/python", options) + rest)
        finally:
            os.close(descriptor)


def _scripts(folder: str, pythons: set[bytes]) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Find the scripts that some Pythons run: their names, Python's options, and all but the beginning."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file() or entry.name.startswith("python"):
                continue
            descriptor = os.open(entry.path, os.O_RDONLY)
            try:
                head = os.read(descriptor, _HEAD)
                found = (_EXEC.match(head) or _DIRECT.match(head)) if head.startswith(b"#!") else None
                if found is None or found["path"].strip(b"\"'") not in pythons:
                    continue
                rest = head[found.end() :] + b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))  # noqa: B023  at once
            finally:
                os.close(descriptor)
            yield entry.name, (found.groupdict().get("options") or b"", rest)


def _beginning(python: bytes, options: bytes) -> bytes:
    """Return the first lines of a script, also for a path that is too long for one."""
    line = b"#!" + python + options + b"\n"
    if len(line) <= _LONGEST and b" " not in python:
        return line
    return b"#!/bin/sh\n'''exec' \"${0%/*}/python\"" + options + b" \"$0\" \"$@\"\n' '''\n"
