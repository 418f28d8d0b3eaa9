"""Fixtures for the tests of tracking: environment variables, a server for all tests, and a workspace for each."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from spaces import Space

import creditml
from creditml.tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AWKWARD = "prüfung mit leer %41#?&"
"""A folder name with characters that have a meaning in URIs."""


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Hide the user's cache, let the server import this creditml, and set variables that must not reach the server."""
    # the path of pytest's temporary folder may be too long for a control socket
    with TemporaryDirectory(dir="/tmp") as short:
        yield {
            "TMPDIR": short,
            "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
            "PYTHONPATH": str(Path(creditml.__file__).parents[1]),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "MLFLOW_RUN_ID": "0123",
            "MLFLOW_ENABLE_WORKSPACES": "true",
        }


@contextmanager
def surroundings(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module", autouse=True)
def _surroundings(variables: dict[str, str]) -> Iterator[None]:
    """For the tests of these files alone: others follow in this process."""
    with surroundings(variables):
        yield


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Iterator[tuple[Space, Tracking]]:
    """A workspace whose server runs for the whole session."""
    space = Space(tmp_path_factory.mktemp("house") / AWKWARD / ".creditml")
    with Tracking(space.root, allowed_hosts=["host.docker.internal"]) as client:
        with surroundings(variables):
            client.start()
            space.until(lambda: client.ready, client)
        yield space, client


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    """A new workspace; checks at the end that no server is left."""
    space = Space(tmp_path / ".creditml")
    yield space
    space.db.close()
    space.until(lambda: space.server() is None)
