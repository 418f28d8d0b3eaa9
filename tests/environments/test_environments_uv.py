"""Environments that uv builds, from packages in a folder: what is asked for, what comes instead, and what can't be."""

from __future__ import annotations

import base64
import functools
import http.server
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from listening import Listener, printed

from creditml.config import EnvironmentSettings
from creditml.environments.providers import provider
from creditml.environments.wanted import Provided, Wanted
from creditml.errors import Canceled, CreditMLError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_wheels import Wheels

PATIENCE = 60.0
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
UNKNOWN = "3.99"
"""No machine has it."""


def provide(wanted: Wanted, listener: Listener, **settings: bool) -> Provided:
    by = provider(EnvironmentSettings(mode="uv", **settings))
    return by.provide(wanted, listener.say, listener.canceled)


def version(provided: Provided, module: str) -> str:
    return printed(f"{provided.folder}/bin/python", "-c", f"import {module}; print({module}.__version__)")


def test_the_host_needs_nothing(listener: Listener, cache_folder: Path) -> None:
    wanted = Wanted("mine:1", python=UNKNOWN, variables={"A": "1"})
    by = provider(EnvironmentSettings())
    assert by.provide(wanted, listener.say, listener.canceled) == Provided(variables={"A": "1"})
    assert not cache_folder.exists()


def test_conda_and_pip_packages_are_there(wheels: Wheels, listener: Listener) -> None:
    for number in ("1.20.9", "1.21.6", "1.22"):
        wheels.add("msgpack", number)
    wheels.add("other", "1.0")
    wanted = Wanted(
        "mine:1", conda=("msgpack-python=1.21", "mkl", "libgcc-ng"), pip=("other  # why",), variables={"A": "1"}
    )
    provided = provide(wanted, listener)

    assert version(provided, "msgpack") == "1.21.6"
    assert version(provided, "other") == "1.0"
    assert provided.variables == {"A": "1"}
    assert "Left out, because they contain nothing for Python: mkl, libgcc-ng." in listener.lines
    assert any(line.startswith("Resolved 2 packages") for line in listener.lines)
    assert "pip" in printed(f"{provided.folder}/bin/pip", "--version")


def test_the_same_again_is_there_already(wheels: Wheels, listener: Listener) -> None:
    wheels.add("other", "1.0")
    wanted = Wanted("mine:1", python=UNKNOWN, pip=("other",))
    first = provide(wanted, listener)
    again = Listener()

    assert provide(wanted._replace(title="theirs:7", image="python:3"), again) == first
    assert again.lines == [line for line in listener.lines if "isn't on this machine" in line]
    assert provide(wanted._replace(pip=("other", "pip")), listener).folder != first.folder


def test_a_python_that_is_not_here_is_replaced_by_the_nearest(wheels: Wheels, listener: Listener) -> None:
    wheels.add("other", "1.0")
    provided = provide(Wanted("mine:1", python=UNKNOWN, pip=("other",)), listener)
    assert provided.folder
    assert listener.lines[0].startswith(f"Python {UNKNOWN} isn't on this machine; Python 3.")
    with pytest.raises(CreditMLError, match=f"--strict.*\n.*Python {UNKNOWN} isn't on this machine"):
        provide(Wanted("mine:1", python=UNKNOWN, pip=("other",)), listener, strict=True)


@pytest.mark.parametrize("python", [HERE, f"{HERE}.*", f">={HERE}", f"={HERE}", ""])
def test_a_python_that_is_here_is_taken(wheels: Wheels, listener: Listener, python: str) -> None:
    wheels.add("other", "1.0")
    provided = provide(Wanted("mine:1", python=python, pip=("other",)), listener)
    assert not any("machine" in line for line in listener.lines)
    assert printed(f"{provided.folder}/bin/python", "--version").startswith(f"Python {HERE}.")


def test_versions_that_cannot_be_met_are_named(wheels: Wheels, listener: Listener) -> None:
    wheels.add("numpy", "1.19", python=">=4")
    wheels.add("numpy", "2.0")
    with pytest.raises(CreditMLError) as caught:
        provide(Wanted("mine:1", python=HERE, conda=("numpy=1.19",)), listener)
    message = str(caught.value)
    assert f"The environment mine:1 can't be built with Python {HERE}." in message
    assert "numpy:\n" in message
    assert "requires Python >=4" in message
    assert "--env-relax" in message
    assert len(message.splitlines()) < 10


def test_packages_that_do_not_go_together_are_named(wheels: Wheels, listener: Listener) -> None:
    wheels.add("numpy", "1.19")
    wheels.add("frames", "2.0", requires=["numpy>=1.20"])
    with pytest.raises(CreditMLError, match=r"frames depend on numpy>=1.20(.|\n)*--env-relax"):
        provide(Wanted("mine:1", pip=("frames==2.0", "numpy==1.19")), listener)


def test_a_package_that_is_nowhere_is_named_and_loosening_would_not_help(wheels: Wheels, listener: Listener) -> None:
    wheels.add("other", "1.0")
    with pytest.raises(CreditMLError, match="has a package named numqy") as caught:
        provide(Wanted("mine:1", pip=("numqy==1", "other==1.0")), listener)
    assert "--env-relax" not in str(caught.value)


def test_only_versions_that_cannot_be_met_are_loosened(wheels: Wheels, listener: Listener) -> None:
    for number in ("1.19", "2.0", "2.4.6"):
        wheels.add("numpy", number, python=">=4" if number == "1.19" else "")
    for number in ("1.0", "1.1"):
        wheels.add("other", number)
    wanted = Wanted("mine:1", conda=("numpy=1.19",), pip=("other==1.0",))
    provided = provide(wanted, listener, relax=True)

    assert version(provided, "numpy") == "2.4.6"
    assert version(provided, "other") == "1.0"
    assert listener.lines[-1] == "numpy ==1.19.* → 2.4.6"
    again = Listener()
    provide(wanted, again, relax=True)
    assert again.lines == ["numpy ==1.19.* → 2.4.6"]


def test_bounds_are_loosened_when_nothing_else_helps(wheels: Wheels, listener: Listener) -> None:
    wheels.add("numpy", "1.19")
    wheels.add("frames", "2.0", requires=["numpy<1.20"])
    provided = provide(Wanted("mine:1", pip=("frames==3.0", "numpy>=1.25")), listener, relax=True)
    assert version(provided, "numpy") == "1.19"
    assert sorted(line for line in listener.lines if "→" in line) == ["frames ==3.0 → 2.0", "numpy >=1.25 → 1.19"]


def test_source_distributions_are_built(wheels: Wheels, listener: Listener) -> None:
    wheels.add_source("grown", "1.5")
    assert version(provide(Wanted("mine:1", pip=("grown==1.5",)), listener), "grown") == "1.5"


def test_sources_that_cannot_be_built_are_named_or_avoided(wheels: Wheels, listener: Listener) -> None:
    wheels.add_source("grown", "1.5", before="raise RuntimeError('needs a compiler of 1970')")
    wheels.add("grown", "1.6")
    wanted = Wanted("mine:1", pip=("grown==1.5",))
    with pytest.raises(CreditMLError) as caught:
        provide(wanted, listener)
    assert "grown 1.5 has no wheel for this Python, and its sources can't be built here." in str(caught.value)
    assert "RuntimeError: needs a compiler of 1970" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    provide(wanted, listener, relax=True)
    assert listener.lines[-1] == "grown ==1.5 → 1.6"


def test_a_version_with_a_wheel_is_taken_where_sources_cannot_be_built(wheels: Wheels, listener: Listener) -> None:
    wheels.add_source("grown", "1.6", before="raise RuntimeError")
    wheels.add("grown", "1.5")
    assert version(provide(Wanted("mine:1", pip=("grown>1",)), listener), "grown") == "1.5"


def test_who_wants_what_cannot_be_built_is_loosened_and_nobody_else(wheels: Wheels, listener: Listener) -> None:
    wheels.add_source("grown", "1.5", before="raise RuntimeError")
    wheels.add("grown", "1.6")
    wheels.add("frames", "1.0", requires=["grown==1.5"])
    wheels.add("frames", "2.0", requires=["grown"])
    for number in ("1.0", "1.1"):
        wheels.add("other", number)
    provide(Wanted("mine:1", pip=("frames==1.0", "other==1.0")), listener, relax=True)
    assert [line for line in listener.lines if "→" in line] == ["frames ==1.0 → 2.0"]


def test_what_pip_is_configured_to_is_heeded(
    wheels: Wheels, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.add("other", "1.0")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text(f"[global]\nno-index = true\n[install]\nfind-links =\n    {wheels.folder}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert version(provide(Wanted("mine:1", pip=("other",)), listener), "other") == "1.0"


class Guarded(http.server.SimpleHTTPRequestHandler):
    """An index that wants to know who asks."""

    def do_GET(self) -> None:
        token = base64.b64encode(b"me:secret").decode()
        if self.headers["Authorization"] != f"Basic {token}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            return
        _, _, name, *rest = self.path.split("/")
        if rest == [""]:
            wheels = Path(self.directory).glob(f"{name}-*.whl")
            page = "".join(f'<a href="{wheel.name}">{wheel.name}</a>' for wheel in wheels).encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)
            return
        self.path = f"/{rest[-1]}"
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(wheels: Wheels, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Credentials, and where they are needed."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    handler = functools.partial(Guarded, directory=str(wheels.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"me:secret@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_index_of_ones_own_is_asked_with_credentials(
    wheels: Wheels, index: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.add("other", "1.0")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{index}/simple/")
    assert version(provide(Wanted("mine:1", pip=("other",)), listener), "other") == "1.0"


def test_an_index_that_refuses_is_named_without_credentials(
    index: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{index.replace('secret', 'hushhush')}/simple/")
    with pytest.raises(CreditMLError, match=index.partition("@")[2] + r"/simple/? refuses access .401") as caught:
        provide(Wanted("mine:1", pip=("other",)), listener)
    assert "hushhush" not in str(caught.value) + listener.text


def test_an_index_that_is_not_there_is_named(
    unconfigured: None,  # noqa: ARG001
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hushhush@127.0.0.1:9/simple")
    with pytest.raises(CreditMLError, match=r"127.0.0.1:9/simple/pip/ can't be reached") as caught:
        provide(Wanted("mine:1", pip=("other",)), listener)
    assert "hushhush" not in str(caught.value)


def test_a_cancel_ends_the_build(wheels: Wheels, listener: Listener, tmp_path: Path) -> None:
    started = tmp_path / "started"
    holds = f"import fcntl; lock = open({str(started)!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX); time.sleep(600)"
    wheels.add_source("grown", "1.5", before=holds)
    thread = threading.Thread(target=lambda: (wait_for(started), setattr(listener, "is_canceled", True)))
    thread.start()
    with pytest.raises(Canceled):
        provide(Wanted("mine:1", pip=("grown",)), listener)
    thread.join()
    printed("flock", "--timeout", str(PATIENCE), str(started), "true")


BUILDER = """
from creditml.config import EnvironmentSettings
from creditml.environments.providers import provider
from creditml.environments.wanted import Wanted
wanted = Wanted("theirs", pip=("grown",))
provider(EnvironmentSettings(mode="uv")).provide(wanted, print, lambda: False)
"""


def test_a_build_is_harmless_that_goes_on_after_its_process_was_killed(
    wheels: Wheels, listener: Listener, tmp_path: Path, cache_folder: Path
) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    waits = f"open({str(started)!r}, 'a').close()\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)"
    wheels.add_source("grown", "1.5", before=waits)
    with subprocess.Popen([sys.executable, "-c", BUILDER], stdout=subprocess.DEVNULL) as builder:
        wait_for(started)
        builder.kill()
    found: list[Provided] = []
    thread = threading.Thread(target=lambda: found.append(provide(Wanted("mine:1", pip=("grown",)), listener)))
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while "Waiting" not in listener.text and time.monotonic() < deadline:
        time.sleep(0.01)
    go.touch()
    thread.join(PATIENCE)
    assert listener.lines[0] == "Waiting for another job that is building the same environment."
    assert version(found[0], "grown") == "1.5"
    assert Path(found[0].folder).parent == cache_folder / "environments"


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
