"""Fixtures for the tests of tracking: environment variables, a server for all tests, and a workspace for each."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from spaces import Space

import creditml
from creditml import tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

AWKWARD = "prüfung mit leer %41#?&"
"""A folder name with characters that have a meaning in URIs."""


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's cache, let the server import this creditml, and set variables that must not reach the server."""
    # the path of pytest's temporary folder may be too long for a control socket
    with TemporaryDirectory(dir="/tmp") as short, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", short)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PYTHONPATH", str(Path(creditml.__file__).parents[1]))
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patch.setenv("MLFLOW_RUN_ID", "0123")
        patch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
        yield


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Space, tracking.Tracking]]:
    """A workspace whose server runs for the whole session."""
    space = Space(tmp_path_factory.mktemp("house") / AWKWARD / ".creditml")
    with tracking.Tracking(space.root, allowed_hosts=["host.docker.internal"]) as client:
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
