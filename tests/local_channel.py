"""A conda channel in a folder, with generated packages; its package `python` runs this machine's Python."""

from __future__ import annotations

import ensurepip
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

from rattler.platform import Subdir

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLATFORM = str(Subdir.current())


class Channel:
    """A channel to which packages are added one by one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for subdir in (PLATFORM, "noarch"):
            (folder / subdir).mkdir(parents=True)
            self._write(subdir, {})

    def add_python(self) -> None:
        """Add a package `python` that runs this machine's Python, and the package `pip`."""
        base = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]  CPython has this attribute
        version = ".".join(map(str, sys.version_info[:3]))
        config = f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\nversion = {version}\n"
        links = {f"bin/{name}": base for name in ("python", "python3", f"python{VERSION}")}
        self.add("python", version, {"pyvenv.cfg": config.encode()}, links=links)
        (wheel,) = Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {f"site-packages/{name}": archive.read(name) for name in archive.namelist() if name[-1] != "/"}
        entry = ["pip = pip._internal.cli.main:main"]
        self.add("pip", wheel.name.split("-")[1], files, depends=["python"], entry_points=entry)

    def add_module(self, name: str, version: str, depends: Sequence[str] = ("python",)) -> None:
        """Add a Python package with a module that contains only its version."""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        files = {
            f"site-packages/{name}.py": f"__version__ = {version!r}\n".encode(),
            f"site-packages/{name}-{version}.dist-info/METADATA": metadata.encode(),
            f"site-packages/{name}-{version}.dist-info/INSTALLER": b"conda",
        }
        self.add(name, version, files, depends=depends, entry_points=[])

    def add(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes],
        *,
        depends: Sequence[str] = (),
        links: Mapping[str, str] | None = None,
        entry_points: Sequence[str] | None = None,
    ) -> None:
        """Add a package; if `entry_points` is given (even empty), it is a package for any Python."""
        noarch = entry_points is not None
        subdir = "noarch" if noarch else PLATFORM
        index: dict[str, Any] = {
            "name": name,
            "version": version,
            "build": "0",
            "build_number": 0,
            "depends": list(depends),
            "subdir": subdir,
            **({"noarch": "python"} if noarch else {}),
        }
        paths = [
            {
                "_path": path,
                "path_type": "hardlink",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size_in_bytes": len(data),
            }
            for path, data in files.items()
        ]
        paths += [{"_path": path, "path_type": "softlink"} for path in links or {}]
        info = {"info/index.json": index, "info/paths.json": {"paths": paths, "paths_version": 1}}
        if noarch:
            link = {
                "noarch": {"type": "python", "entry_points": list(entry_points or [])},
                "package_metadata_version": 1,
            }
            info["info/link.json"] = link
        content = {**{path: json.dumps(each).encode() for path, each in info.items()}, **files}
        archive = self.folder / subdir / f"{name}-{version}-0.tar.bz2"
        archive.write_bytes(_packed(content, links or {}))
        self._write(subdir, {archive.name: {**index, **_digests(archive)}})

    def _write(self, subdir: str, packages: dict[str, Any]) -> None:
        file = self.folder / subdir / "repodata.json"
        before = json.loads(file.read_text())["packages"] if file.exists() else {}
        content = {"info": {"subdir": subdir}, "packages": {**before, **packages}, "packages.conda": {}}
        file.write_text(json.dumps({**content, "repodata_version": 1}))


def _packed(content: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2", compresslevel=1) as archive:
        for path, data in content.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def _digests(archive: Path) -> dict[str, Any]:
    data = archive.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest(), "size": len(data)}
