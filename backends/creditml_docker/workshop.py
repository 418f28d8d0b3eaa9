"""A container in which packages are put into an environment, for an image to be made of what comes of it.

Not the engine's builder: programs run in it with this machine's package indexes, its credentials and its folders, and
none of that must get into an image, be it into its history. It also keeps what was downloaded for the next build.
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
"""The engine's volume for what was downloaded and compiled, shared by all builds."""
_LIVES = "86400"  # seconds
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
"""The same for pip, which does uv's work where uv doesn't run, and for conda's programs."""


class Found(NamedTuple):
    """What an image has to make environments with."""

    pythons: tuple[Interpreter, ...]
    condas: tuple[str, ...]


class Workshop:
    """A container of an image, with this machine's package indexes. Use as a context manager."""

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
        """Nothing is made yet.

        Args:
            engine: The engine.
            image: The image, which is there.
            variables: What uv is to go by, see `uv_variables`; files and folders that they name are shown to it.
            canceled: Whether nobody waits any more.
            paths: More files and folders of this machine that are needed.
            made: The volume that what is made is put into, and where it is.
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
        """Make and start the container.

        Raises:
            CreditMLError: It can't be.
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
            message = f"The image {self._image} has no shell, so no packages can be put into it"
            raise CreditMLError(message) from error
        for path in self._paths:
            if os.path.isfile(path):
                self.put(path)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the container."""
        self.close()

    def close(self) -> None:
        """Remove the container, and end whatever runs in it."""
        with suppress(*TROUBLES):  # somebody else has
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
        """Look for Pythons and for conda."""
        words = [line.split(" ") for line in self.run(["sh", "-c", _PROBE]).output.splitlines()]
        pythons = dict.fromkeys(Interpreter(each[1], each[2]) for each in words if each[0] == "python")
        return Found(tuple(pythons), tuple(each[1] for each in words if each[0] == "conda"))

    def run(
        self, command: Sequence[str], hear_line: Callable[[str], None] = lambda _: None, *, folder: str = "/"
    ) -> Done:
        """Run a program in the container, as its root.

        Args:
            command: The program and its arguments.
            hear_line: Takes each line that it writes to its errors.
            folder: Where it runs.

        Raises:
            Canceled: Nobody waits any more.
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
    """A volume in a container, in the words of the engine's API."""
    return {"Type": "volume", "Source": volume, "Target": target, "ReadOnly": read_only}


def _named(values: Iterable[str]) -> Iterator[str]:
    """The files and folders that settings name. An index's files lie beside it, so its parent is what is needed."""
    for value in values:
        for word in re.split(r"[\s,]+", value):
            if word.startswith("file:"):
                path = os.path.normpath(unquote(urlsplit(word).path))
                parent = os.path.dirname(path)
                yield parent if parent.count("/") > 1 or (parent != "/" and os.path.isdir(path)) else path
            elif os.path.isabs(word) and os.path.exists(word):
                yield os.path.normpath(word)
