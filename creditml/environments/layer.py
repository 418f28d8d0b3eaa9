"""A step's own layer over a shared environment: packages that the step installs go there, and are removed with it.

Many commands on Azure ML begin with `pip install`. There each run has its own copy of the environment; here it shares
the environment with other steps, jobs and workspaces. So each step gets a virtual environment of its own. It is empty,
except for a line that adds the shared packages after the step's own ones. Making it takes a few milliseconds, because
nothing is copied except the scripts that start Python.
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

_HEAD = 512  # bytes at a script's beginning in which its interpreter is searched
_LONGEST = 127  # bytes of a script's first line that Linux reads; macOS reads more
_EXEC = re.compile(rb"#!/bin/sh\n'''exec' (?P<path>[^\n]+?) \"\$0\" \"\$@\"\n' '''\n")
_DIRECT = re.compile(rb"#! *(?P<path>/[^ \n]+)(?P<options>[^\n]*)\n")
_PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


class _Shared(NamedTuple):
    """The environment below a layer: its Python's program and version (`3.11`), its package folders, its scripts."""

    program: str
    version: str
    packages: tuple[str, ...]
    scripts: str


def make_layer(provided_folder: str, at: str) -> Mapping[str, str]:
    """Make a layer over an environment, and return the environment variables of steps that use it.

    `PATH` among them is to be put in front of a step's own PATH; the other variables are to be set unchanged.

    Args:
        provided_folder: The environment's folder; `sys.prefix` means the Python that creditml runs in.
        at: The layer's folder, which must not exist yet; the step must be able to write into it.

    Raises:
        CreditMLError: The folder has no Python environment.
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
    """A virtual environment or a conda environment."""
    found = sorted(name for name in _names(f"{folder}/lib") if re.fullmatch(r"python\d\.\d+", name))
    program = os.path.realpath(f"{folder}/bin/python")
    if not found or not os.path.isfile(program):
        message = f"There is no Python environment in {folder}. Remove the folder: creditml environment prune"
        raise CreditMLError(message)
    packages = f"{folder}/lib/{found[-1]}/site-packages"
    return _Shared(program, found[-1].removeprefix("python"), (packages,), f"{folder}/bin")


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _add_scripts(shared: _Shared, folder: str) -> None:
    """Copy the shared scripts so that they run in the layer's Python, and find the packages installed there."""
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
    """Find the scripts in a folder whose first line names one of these Pythons.

    Yields each script's name, the options of Python in the first line, and the text after it.
    """
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
                rest = head[found.end() :] + b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))  # noqa: B023  the lambda is called at once
            finally:
                os.close(descriptor)
            yield entry.name, (found.groupdict().get("options") or b"", rest)


def _beginning(python: bytes, options: bytes) -> bytes:
    """Return the first line of a script that Python runs.

    If the path is too long for it or has spaces, these are the lines with which pip solves that: the shell runs the
    script first, and starts Python, to which the shell's line is only a text.
    """
    line = b"#!" + python + options + b"\n"
    if len(line) <= _LONGEST and b" " not in python:
        return line
    return b"#!/bin/sh\n'''exec' \"${0%/*}/python\"" + options + b" \"$0\" \"$@\"\n' '''\n"
