"""The local backend keeps the executor's contract, and is found by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.entry_points import available, load
from creditml.errors import BackendUnavailable
from creditml.testing.executors import ExecutorContract
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from pathlib import Path


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> LocalExecutor:
        return LocalExecutor(Workspace(tmp_path / "home"))


def test_the_local_backend_is_found() -> None:
    assert load("local") is LocalExecutor


def test_a_third_party_adds_a_backend_by_an_entry_point(tmp_path: Path) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[console_scripts]\nx = y:z\n\n[creditml.executors]\nother = pkg.mod:Thing\n"
    )

    assert available([str(tmp_path)]) == {"other": "pkg.mod:Thing"}


def test_a_backend_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(BackendUnavailable, match=r"no backend 'lokal'.*local.*Did you mean 'local'"):
        load("lokal")
