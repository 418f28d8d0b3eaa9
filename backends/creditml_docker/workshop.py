"""The workshop: a container in which an environment's packages are installed into a volume, before an image is made.

This is not done with the engine's builder, because the programs need this machine's package indexes, credentials and
folders, and none of these must get into an image or its history. The workshop also keeps downloads for the next build.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from creditml.environments.interpreters import Interpreter
from creditml.environments.programs import Done
from creditml.errors import CreditMLError
from creditml_docker.building import network_of, proxies
from creditml_docker.engines import TROUBLES
from creditml_docker.owners import labels_of
from creditml_docker.streams import hear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    from creditml_docker.engines import Engine

TOOLS = "/creditml"
_CACHE = f"{TOOLS}/cache"
_VOLUME = "creditml-cache"
"""The engine's volume for downloads and compiled packages, which all builds share."""
_LIVES = "86400"  # seconds after which the container ends by itself
_PROBE = r"""
for name in micromamba mamba conda; do
    for place in $(command -v $name) /opt/*conda*/bin/$name /root/*conda*/bin/$name /usr/local/bin/$name; do
        [ -x "$place" ] && echo "conda $place"
    done
done
IFS=:
for place in $PATH /opt/*conda*/bin /usr/local/bin /usr/bin; do
    for python in "$place"/python "$place"/python3 "$place"/python3.[0-9] "$place"/python3.[0-9][0-9]; do
        [ -x "$python" ] && "$python" -c 'import sys, os
print("python %d.%d.%d %s" % (sys.version_info[:3] + (os.path.realpath(sys.executable),)))' 2>/dev/null
    done
done
true
"""
_PIP = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_FIND_LINKS": "PIP_FIND_LINKS",
    "UV_INSECURE_HOST": "PIP_TRUSTED_HOST",
    "UV_NO_INDEX": "PIP_NO_INDEX",
    "UV_CONSTRAINT": "PIP_CONSTRAINT",
    "SSL_CERT_FILE": "PIP_CERT",
}
"""pip's names of uv's variables: for pip, which is used if uv doesn't run in the image, and for conda's programs."""


class Found(NamedTuple):
    """The programs in an image that can create environments: its Pythons, and conda's programs."""

    pythons: tuple[Interpreter, ...]
    condas: tuple[str, ...]


class Workshop:
    """A container of an image that can use this machine's package indexes. To be used as a context manager."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        variables: Mapping[str, str],
        canceled: Callable[[], bool],
        *,
        paths: Sequence[str],
        made: tuple[str, str],
    ) -> None:
        """Prepare the container's settings; it is created by `__enter__`.

        Args:
            engine: The engine.
            image: The image, which the engine must have.
            variables: The variables for uv, see `uv_variables`; the container gets the files and folders in them.
            canceled: Called now and then; whether the environment is not needed any more.
            paths: Further files and folders of this machine that the container gets.
            made: The name of the volume for the environment, and its path in the container.
        """
        self._engine, self._image, self._canceled = engine, image, canceled
        self._variables = {
            **proxies(),
            **variables,
            **{_PIP[name]: value.replace(",", " ") for name, value in variables.items() if name in _PIP},
            "UV_CACHE_DIR": f"{_CACHE}/uv",
            "UV_LINK_MODE": "copy",
            "PIP_CACHE_DIR": f"{_CACHE}/pip",
            "CONDA_PKGS_DIRS": f"{_CACHE}/conda",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self._paths = (*_named(variables.values()), *paths)
        self._made = made
        self._container = ""

    def __enter__(self) -> Self:
        """Create and start the container.

        Raises:
            CreditMLError: The image has no shell.
        """
        folders = sorted({path for path in self._paths if os.path.isdir(path)})
        mounts: list[dict[str, object]] = [
            {"Type": "bind", "Source": folder, "Target": folder, "ReadOnly": True} for folder in folders
        ]
        name = f"creditml-workshop-{os.urandom(6).hex()}"
        config = {
            "Image": self._image,
            "Entrypoint": ["sh", "-c"],
            "Cmd": [f"sleep {_LIVES}"],
            "User": "0:0",
            "WorkingDir": "/",
            "Labels": labels_of(name),
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {
                "NetworkMode": network_of(self._engine) or "default",
                "Mounts": [*mounts, *(volume_mount(*each) for each in ((_VOLUME, _CACHE), self._made))],
                "SecurityOpt": ["label=disable"] if self._engine.labelled else [],
            },
        }
        self._container = str(self._engine.api.create_container_from_config(config, name)["Id"])
        try:
            self._engine.api.start(self._container)
        except TROUBLES as error:
            self.close()
            if "exec" not in str(error):
                raise
            message = f"The image {self._image} has no shell, so packages can't be installed in it. Use another image."
            raise CreditMLError(message) from error
        for path in self._paths:
            if os.path.isfile(path):
                self.put(path)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the container."""
        self.close()

    def close(self) -> None:
        """Remove the container, which ends all programs in it."""
        with suppress(*TROUBLES):  # it was removed already
            self._engine.api.remove_container(self._container, force=True, v=True)

    def put(self, path: str, target: str = "") -> None:
        """Copy a file of this machine into the container, by default to the same path."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar, open(path, "rb") as file:
            entry = tar.gettarinfo(arcname=(target or path).lstrip("/"), fileobj=file)
            entry.uid = entry.gid = 0
            tar.addfile(entry, file)
        self._engine.api.put_archive(self._container, "/", archive.getvalue())

    def look(self) -> Found:
        """Find the Pythons and conda's programs in the container."""
        words = [line.split(" ") for line in self.run(["sh", "-c", _PROBE]).output.splitlines()]
        pythons = dict.fromkeys(Interpreter(each[1], each[2]) for each in words if each[0] == "python")
        return Found(tuple(pythons), tuple(each[1] for each in words if each[0] == "conda"))

    def run(
        self, command: Sequence[str], hear_line: Callable[[str], None] = lambda _: None, *, folder: str = "/"
    ) -> Done:
        """Run a program in the container, as root.

        Args:
            command: The program and its arguments.
            hear_line: Called with each line that the program writes to stderr.
            folder: The folder in which it runs.

        Raises:
            Canceled: The environment is not needed any more.
        """
        api = self._engine.api
        made = api.exec_create(self._container, list(command), environment=self._variables, workdir=folder, user="0:0")[
            "Id"
        ]
        output, errors, heard = bytearray(), bytearray(), 0
        for out, err in hear(api, lambda: api.exec_start(made, stream=True, demux=True), self._canceled, self.close):
            output += out or b""
            errors += err or b""
            end = errors.rfind(b"\n") + 1
            for line in errors[heard:end].splitlines():
                hear_line(line.decode(errors="replace"))
            heard = max(heard, end)
        code = api.exec_inspect(made)["ExitCode"]
        return Done(1 if code is None else code, output.decode(errors="replace"), errors.decode(errors="replace"))


def volume_mount(volume: str, target: str, *, read_only: bool = False) -> dict[str, object]:
    """The mount of a volume, as the engine's API takes it."""
    return {"Type": "volume", "Source": volume, "Target": target, "ReadOnly": read_only}


def _named(values: Iterable[str]) -> Iterator[str]:
    """The files and folders that variables name; for a local index its parent folder, which has the packages."""
    for value in values:
        for word in re.split(r"[\s,]+", value):
            if word.startswith("file:"):
                path = os.path.normpath(unquote(urlsplit(word).path))
                parent = os.path.dirname(path)
                yield parent if parent.count("/") > 1 or (parent != "/" and os.path.isdir(path)) else path
            elif os.path.isabs(word) and os.path.exists(word):
                yield os.path.normpath(word)
