"""The environment variables that steps take from this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# What a step takes from the shell that started the job. Anything else would be missing on Azure ML.
_INHERITED = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
)
_INHERITED_PREFIXES = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "NVIDIA_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")
_LOOPBACK = ("localhost", "127.0.0.1")


def host_variables(pass_env: Iterable[str], shims: Path, *, isolated: bool) -> dict[str, str]:
    """The variables that every step gets before its own ones.

    `python` is the interpreter that creditml runs in, even where no virtual environment is activated.

    Args:
        pass_env: names of variables of this process to hand on in any case.
        shims: a folder for a link named `python`, used if the interpreter's own folder has none.
        isolated: whether steps see nothing else of this machine.
    """
    passed = {name: os.environ[name] for name in pass_env if name in os.environ}
    if isolated:
        return passed
    inherited = {name: value for name, value in os.environ.items() if _handed_on(name)} | passed
    folder = os.path.dirname(sys.executable)
    if not os.path.exists(os.path.join(folder, "python")):
        folder = _shim(shims)
    inherited["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    inherited.setdefault("LANG", "C.UTF-8")
    return inherited | _direct(inherited)


def _direct(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep steps from asking a proxy for the tracking server, which is on this machine."""
    if not any(name.upper() in _PROXIES for name in environment):
        return {}
    names = [name for name in environment if name.upper() == "NO_PROXY"] or ["no_proxy"]
    hosts = {name: environment.get(name, "") for name in names}
    # a star means all hosts, but only if it stands alone
    return {name: ",".join(filter(None, [host, *_LOOPBACK])) for name, host in hosts.items() if host.strip() != "*"}


def _handed_on(name: str) -> bool:
    return name in _INHERITED or name.startswith(_INHERITED_PREFIXES) or name.upper() in _PROXIES


def _shim(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "python"
    if not link.exists() or not os.path.samefile(link, sys.executable):
        link.unlink(missing_ok=True)
        link.symlink_to(sys.executable)
    return str(folder)
