"""The reserve is there whole, or not at all: half of it would be taken for all."""

from __future__ import annotations

import errno
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = 1 << 20


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk on which a file ends at a size: what is beyond it is refused when that much is written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").create()


def test_the_limit_really_cuts_a_file_off(tmp_path: Path) -> None:
    with largest_file(1000), pytest.raises(OSError, match="File too large") as caught:
        (tmp_path / "x").write_bytes(bytes(2000))

    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "x").stat().st_size == 1000


def test_half_a_reserve_is_none(workspace: Workspace) -> None:
    with largest_file(WHOLE // 2):
        workspace.reserve.make()
    assert not (workspace.root / "reserve").exists()

    workspace.reserve.make()
    assert (workspace.root / "reserve").stat().st_size == WHOLE


def test_it_takes_room_until_it_is_released(workspace: Workspace) -> None:
    workspace.reserve.make()
    before = (workspace.root / "reserve").stat()
    workspace.reserve.make()

    assert before.st_blocks * 512 >= WHOLE
    assert (workspace.root / "reserve").stat() == before
    workspace.reserve.release()
    workspace.reserve.release()
    assert not (workspace.root / "reserve").exists()
