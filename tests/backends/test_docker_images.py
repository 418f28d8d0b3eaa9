"""Images for environments, against a real engine: found, pulled, derived and built."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
from containers import IMAGE

from creditml.config import EnvironmentSettings
from creditml.environments.wanted import Provided, Wanted
from creditml.errors import Canceled, CreditMLError
from creditml.model import Build
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import PATIENCE, StepMaker, log_of
from creditml_docker.building import REPOSITORY
from creditml_docker.images import DockerProvider, made_images
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from creditml_docker.engines import Engine

pytestmark = pytest.mark.takes(20)

TITLE = "test of creditml"
SECRET = "hunter2"


class Provision:
    """Provides environments, and keeps what was said."""

    def __init__(self, settings: EnvironmentSettings, **backend: str) -> None:
        self.said: list[str] = []
        self._provider = DockerProvider(settings, backend)

    def __call__(self, wanted: Wanted, canceled: Callable[[], bool] = lambda: False) -> Provided:
        return self._provider.provide(wanted, self.said.append, canceled)


@pytest.fixture
def provide() -> Provision:
    return Provision(EnvironmentSettings())


@pytest.fixture(autouse=True)
def _no_images_left(engine: Engine) -> Iterator[None]:
    yield
    for image in made_images(engine):
        if image["Labels"]["creditml.environment"] == TITLE:
            engine.api.remove_image(image["Id"], force=True)


def wheel(folder: Path, name: str, version: str, requires_python: str = ">=3") -> None:
    """Make a package of one module that knows its version."""
    stem = f"{name}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n"
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{stem}.dist-info/METADATA": metadata,
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{each},,\n" for each in (*files, record))
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that asks for a password."""

    folder: Path

    def do_GET(self) -> None:
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
        name = self.path.strip("/").rsplit("/", 1)[-1]
        if given != f"user:{SECRET}".encode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=index")
            answer = b""
        elif (self.folder / name).is_file():
            self.send_response(200)
            answer = (self.folder / name).read_bytes()
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            names = (file.name for file in self.folder.glob(f"{name}-*.whl"))
            answer = "".join(f'<a href="/{each}">{each}</a>' for each in names).encode()
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_GET  # noqa: N815  the server's name for it

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have pip set to an index that asks for a password, and to a folder; returns the folder."""
    served, folder = tmp_path / "served", tmp_path / "packages"
    served.mkdir()
    folder.mkdir()
    for name in ("pip", "setuptools", "wheel"):
        wheel(served, name, "99.0")
    wheel(served, "ledger", "1.0")
    wheel(folder, "ledger", "2.0")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Index,), {"folder": served})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://user:{SECRET}@127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
        yield folder
        server.shutdown()


class TestImages:
    """Images that are named."""

    def test_one_that_is_here_is_used_without_a_word(self, provide: Provision) -> None:
        wanted = Wanted(TITLE, image=IMAGE, variables={"A": "1"})
        assert provide(wanted) == Provided(image=IMAGE, variables={"A": "1"})
        assert provide.said == []
        assert Provision(EnvironmentSettings(), pull="never")(wanted).image == IMAGE

    def test_a_missing_one_is_not_pulled_if_none_is_to_be(self) -> None:
        with pytest.raises(CreditMLError, match=r"no image no/such:1.*pull: never") as caught:
            Provision(EnvironmentSettings(), pull="never")(Wanted(TITLE, image="no/such:1"))
        assert "images: {no/such:1: NAME}" in str(caught.value)

    def test_one_that_cant_be_pulled_is_an_error_that_says_why_and_what_to_do(self, provide: Provision) -> None:
        with pytest.raises(CreditMLError, match=r"127\.0\.0\.1:9/no/such:1 can't be pulled: .*refused") as caught:
            provide(Wanted(TITLE, image="127.0.0.1:9/no/such:1"))
        assert "images: {127.0.0.1:9/no/such:1: NAME}" in str(caught.value)

    def test_an_environment_without_an_image_is_an_error_that_says_what_to_do(self, provide: Provision) -> None:
        with pytest.raises(CreditMLError, match="neither an image nor a build context"):
            provide(Wanted(TITLE, pip=("ledger",)))

    def test_pulled_if_missing_and_always_if_asked(self, engine: Engine, provide: Provision, registry: str) -> None:
        repository = f"{registry}/python"
        engine.api.tag(IMAGE, repository, "1")
        for line in engine.api.push(repository, "1", stream=True, decode=True):
            assert "error" not in line
        engine.api.remove_image(f"{repository}:1")
        try:
            wanted = Wanted(TITLE, image=f"{repository}:1")
            assert provide(wanted).image == f"{repository}:1"
            assert provide.said == [f"Pulling {repository}:1."]
            assert provide(wanted).image == f"{repository}:1"
            assert len(provide.said) == 1
            always = Provision(EnvironmentSettings(), pull="always")
            always(wanted)
            assert always.said == [f"Pulling {repository}:1."]
            with pytest.raises(CreditMLError, match=r"python:2 can't be pulled: manifest .*unknown"):
                provide(Wanted(TITLE, image=f"{repository}:2"))
        finally:
            engine.api.remove_image(f"{repository}:1")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry isn't installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(tmp_path)}}, "http": {"addr": address}}
    (tmp_path / "config.yml").write_text(json.dumps(config))
    command = [program, "serve", str(tmp_path / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        host, _, port = address.partition(":")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection((host, int(port))).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address
        process.terminate()


@pytest.mark.usefixtures("packages")
class TestPackages:
    """Images derived for packages."""

    def test_a_step_finds_them(self, provide: Provision, tmp_path: Path) -> None:
        image = provide(Wanted(TITLE, image=IMAGE, pip=("ledger==1.0",))).image
        assert image.startswith(f"{REPOSITORY}:")
        step = StepMaker(tmp_path / "cr", {}, image)("python -c 'import ledger; print(ledger.version)'")
        with DockerLauncher() as launcher:
            launcher.start(step).exit()
        assert log_of(step).startswith("1.0\n")

    def test_each_content_is_built_once(self, engine: Engine, provide: Provision) -> None:
        wanted = Wanted(TITLE, image=IMAGE, pip=("ledger==1.0",))
        images: list[str] = []
        threads = [threading.Thread(target=lambda: images.append(provide(wanted).image)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert images[0] == images[1]
        assert len([line for line in provide.said if line.startswith("Building")]) == 1
        provide.said.clear()
        assert provide(wanted).image == images[0]
        assert provide.said == []
        assert provide(wanted._replace(pip=("ledger==2.0",))).image != images[0]
        assert len([each for each in made_images(engine) if each["Labels"]["creditml.environment"] == TITLE]) == 2

    def test_nothing_of_this_machine_gets_into_them(
        self, engine: Engine, provide: Provision, packages: Path, tmp_path: Path
    ) -> None:
        image = provide(Wanted(TITLE, image=IMAGE, pip=("ledger==1.0",))).image
        before, after = engine.api.inspect_image(IMAGE), engine.api.inspect_image(image)
        assert before["RootFS"]["Layers"] == after["RootFS"]["Layers"][:-1]
        assert SECRET not in json.dumps([after, engine.api.history(image)])
        saved = tmp_path / "saved.tar"
        with saved.open("wb") as file:
            file.writelines(engine.api.get_image(image))
        content = saved.read_bytes()
        assert b"ledger.py" in content
        assert SECRET.encode() not in content
        assert str(packages).encode() not in content
        assert not after["Config"]["Entrypoint"]

    def test_another_python_is_told_each_time_and_refused_by_strict(self, provide: Provision) -> None:
        wanted = Wanted(TITLE, image=IMAGE, python="2.7", pip=("ledger",))
        for _ in range(2):
            provide.said.clear()
            provide(wanted)
            assert f"Python 2.7 isn't in the image {IMAGE}" in provide.said[-1]
        with pytest.raises(CreditMLError, match="--strict"):
            Provision(EnvironmentSettings(strict=True))(wanted)

    def test_a_version_that_there_is_not_is_an_error_that_names_it(self, provide: Provision) -> None:
        wanted = Wanted(TITLE, image=IMAGE, pip=("ledger==3.0",))
        with pytest.raises(CreditMLError, match=r"Python 3\.\d+") as caught:
            provide(wanted)
        assert "ledger" in str(caught.value)
        relaxed = Provision(EnvironmentSettings(relax=True))
        relaxed(wanted)
        assert relaxed.said[-1] == "ledger ==3.0 → 2.0"

    def test_a_build_can_be_canceled(self, engine: Engine, provide: Provision) -> None:
        with pytest.raises(Canceled):
            provide(Wanted(TITLE, image=IMAGE, pip=("ledger",)), lambda: True)
        assert not engine.api.containers(all=True, filters={"name": "creditml-workshop"})


class TestContexts:
    """Images of build contexts."""

    @pytest.fixture
    def context(self, tmp_path: Path) -> Path:
        folder = tmp_path / "context"
        (folder / "docker").mkdir(parents=True)
        (folder / "docker" / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY . /context\nRUN ls /context > /listed\n")
        (folder / ".dockerignore").write_text("*.tmp\n# a comment\n")
        (folder / "kept.txt").write_text("kept")
        (folder / "left.tmp").write_text("left")
        return folder

    @staticmethod
    def wanted(context: Path) -> Wanted:
        return Wanted(TITLE, build=Build(str(context), "docker/Dockerfile"))

    def test_one_per_content(self, provide: Provision, context: Path, tmp_path: Path) -> None:
        image = provide(self.wanted(context)).image
        assert provide.said[0] == f"Building the image of {TITLE}."
        provide.said.clear()
        (context / "left.tmp").write_text("changed")
        assert provide(self.wanted(context)).image == image
        assert provide.said == []
        (context / "kept.txt").write_text("changed")
        assert provide(self.wanted(context)).image != image
        step = StepMaker(tmp_path / "cr", LauncherContract.environment, image)("cat /listed /context/kept.txt")
        with DockerLauncher() as launcher:
            assert launcher.start(step).exit().ok
        assert "left.tmp" not in log_of(step)
        assert log_of(step).endswith("kept")

    def test_a_build_that_fails_says_what_it_said(self, provide: Provision, context: Path) -> None:
        (context / "docker/Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo about to fail && exit 3\n")
        with pytest.raises(CreditMLError, match=r"(?s)exit.*3.*about to fail"):
            provide(self.wanted(context))

    def test_a_missing_dockerfile_is_named(self, provide: Provision, context: Path) -> None:
        (context / "docker/Dockerfile").unlink()
        with pytest.raises(CreditMLError, match="no docker/Dockerfile in its build context"):
            provide(self.wanted(context))

    def test_a_build_can_be_canceled(self, engine: Engine, provide: Provision, context: Path) -> None:
        (context / "docker/Dockerfile").write_text(f"FROM {IMAGE}\nRUN sleep 600\n")
        with pytest.raises(Canceled):
            provide(self.wanted(context), lambda: any("sleep" in line for line in provide.said))
        deadline = time.monotonic() + PATIENCE
        while self._sleepers(engine) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not self._sleepers(engine)

    @staticmethod
    def _sleepers(engine: Engine) -> list[str]:
        return [each["Id"] for each in engine.api.containers() if "sleep 600" in each["Command"]]
