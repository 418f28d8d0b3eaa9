"""A folder of generated wheels and source distributions in which pip and uv find packages."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BACKEND = """
import os, pathlib, sys, time, zipfile
{before}
def build_wheel(folder, settings=None, metadata=None):
    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path in pathlib.Path("files").rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to("files"))
    return name
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


class Wheels:
    """Distributions of packages with one module each."""

    def __init__(self, folder: Path) -> None:
        """Make the folder with the packages that every virtual environment gets."""
        self.folder = folder
        folder.mkdir()
        self.add("pip", "20.0", script="pip")
        for name in ("setuptools", "wheel"):
            self.add(name, "80.0")

    def add_pip(self) -> None:
        """Add the real pip; installing it takes a second or two."""
        installed = metadata.distribution("pip")
        paths = [file for file in installed.files or () if str(file).startswith("pip/") and file.suffix != ".pyc"]
        scripts = "[console_scripts]\npip = pip._internal.cli.main:main\n"
        self._wheel("pip", installed.version, {str(file): file.read_binary() for file in paths}, scripts=scripts)

    def add(self, name: str, version: str, *, requires: Sequence[str] = (), python: str = "", script: str = "") -> None:
        """Add a wheel; if `script` is given, with a script of that name that prints the module's path."""
        scripts = f"[console_scripts]\n{script} = {name}:main\n" if script else ""
        self._wheel(name, version, _module(name, version), requires, python, scripts)

    def add_source(self, name: str, version: str, *, before: str = "") -> None:
        """Add a source distribution; `before` is Python code that runs before it is built."""
        files = {f"files/{path}": data for path, data in _content(name, version, _module(name, version)).items()}
        files["pyproject.toml"] = PYPROJECT.encode()
        files["backend.py"] = BACKEND.format(name=name, version=version, before=before).encode()
        files["PKG-INFO"] = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
        with tarfile.open(self.folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for path, data in files.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))

    def _wheel(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes],
        requires: Sequence[str] = (),
        python: str = "",
        scripts: str = "",
    ) -> None:
        with zipfile.ZipFile(self.folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            for path, data in _content(name, version, files, requires, python, scripts).items():
                archive.writestr(path, data)


def _module(name: str, version: str) -> dict[str, bytes]:
    return {f"{name}.py": f"__version__ = {version!r}\ndef main():\n    print(__file__, __version__)\n".encode()}


def _content(
    name: str,
    version: str,
    files: Mapping[str, bytes],
    requires: Sequence[str] = (),
    python: str = "",
    scripts: str = "",
) -> dict[str, bytes]:
    info = f"{name}-{version}.dist-info"
    lines = [f"Requires-Dist: {each}" for each in requires] + ([f"Requires-Python: {python}"] if python else [])
    about = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    content = {
        **files,
        f"{info}/METADATA": about.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **({f"{info}/entry_points.txt": scripts.encode()} if scripts else {}),
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in content.items())
    return {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
