"""Fixtures for the tests of environments: a cache, a package index in a folder, and a listener for messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from listening import Listener
from local_wheels import Wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own cache of environments."""
    monkeypatch.setenv("CREDITML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def unconfigured(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the user's configuration of pip and uv, and give uv a cache that only tests use."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unconfigured: None) -> Iterator[Wheels]:  # noqa: ARG001
    """The package index, which has all packages that a test can install."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return Wheels(tmp_path / "wheels")
