"""Locks on files: who gets one, who waits, and what becomes of one whose holder is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from creditml import locks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_one_process_takes_a_lock(file: Path) -> None:
    assert not locks.is_held(file)

    descriptor = locks.take(file)

    assert descriptor is not None
    assert locks.take(file) is None
    assert locks.is_held(file)
    os.close(descriptor)
    assert not locks.is_held(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_lock_is_not_made_where_it_only_may_be_taken(file: Path) -> None:
    assert locks.take(file, create=False) is None
    assert not file.exists()

    file.touch()
    descriptor = locks.take(file, create=False)

    assert descriptor is not None
    os.close(descriptor)


def test_who_looks_is_taken_for_no_holder(file: Path) -> None:
    file.touch()
    looking = locks.open_file(file)
    assert locks.lock(looking, shared=True)

    assert not locks.is_held(file)
    assert locks.take(file) is None  # all the same

    os.close(looking)


def test_shares(file: Path) -> None:
    one, other = locks.open_file(file), locks.open_file(file)

    assert locks.lock(one, shared=True)
    assert locks.lock(other, shared=True)
    assert not locks.lock(one)
    locks.unlock(other)
    assert locks.lock(one)
    assert not locks.lock(other, shared=True)

    os.close(one)
    os.close(other)


def test_who_waits_gets_the_lock_when_its_holder_ends(file: Path) -> None:
    holder = locks.take(file)
    assert holder is not None
    got: list[int] = []
    waits = threading.Thread(target=lambda: got.append(locks.wait_for(file)))
    waits.start()

    assert not got
    os.close(holder)
    waits.join()

    assert locks.is_held(file)
    os.close(got[0])


def test_a_process_that_inherits_the_descriptor_holds_the_lock(file: Path) -> None:
    descriptor = locks.take(file)
    assert descriptor is not None
    heir = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor], stdout=subprocess.DEVNULL
    )
    os.close(descriptor)

    assert locks.is_held(file)
    heir.communicate(b"\n")

    assert not locks.is_held(file)
