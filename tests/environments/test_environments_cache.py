"""The cache of environments: each is built once, wholly or not at all."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml.environments.cache import Built, Cache
from creditml.errors import Canceled, CreditMLError

if TYPE_CHECKING:
    from collections.abc import Callable

    from listening import Listener

PATIENCE = 60.0
NAME = "uv-abc"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


def build(folder: str, _: int) -> Built:
    os.mkdir(folder)
    Path(folder, "python").write_text("it")
    return Built("mine:1", "3.11.7", ("numpy is older",))


def never(_: str, __: int) -> Built:
    pytest.fail("it is there")


def test_what_was_built_is_there_for_everybody(listener: Listener) -> None:
    folder, built = Cache().obtain(NAME, build, listener.say, listener.canceled)

    assert Path(folder, "python").read_text() == "it"
    assert Cache().obtain(NAME, never, listener.say, listener.canceled) == (folder, built)
    assert built == Built("mine:1", "3.11.7", ("numpy is older",))


def test_one_counts_only_when_all_of_it_is_on_disk(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """First all that was built, then the note, whole, then its name: what would be lost with the power never counts."""
    events: list[tuple[str, object]] = []
    sync, fsync, rename = os.sync, os.fsync, os.rename

    def flush_all() -> None:
        sync()
        events.append(("sync", sorted(os.listdir(place))))

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        found = os.fstat(descriptor)
        events.append(("flush", (found.st_ino, found.st_size)))

    def name(source: str, target: str) -> None:
        rename(source, target)
        events.append(("name", str(target)))

    place = Cache().folder / NAME
    monkeypatch.setattr(os, "sync", flush_all)
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", name)
    monkeypatch.setattr(os, "replace", name)

    Cache().obtain(NAME, build, listener.say, listener.canceled)

    (note,) = {file.name for file in place.iterdir()} - {"python"}
    assert events == [
        ("sync", ["python"]),
        ("flush", ((place / note).stat().st_ino, (place / note).stat().st_size)),
        ("name", str(place / note)),
        ("flush", (place.stat().st_ino, place.stat().st_size)),
    ]


def test_environments_lie_in_the_user_s_cache(listener: Listener, cache_folder: Path) -> None:
    folder, _ = Cache().obtain(NAME, build, listener.say, listener.canceled)

    assert folder == str(cache_folder / "environments" / NAME)


def test_a_cache_that_cannot_be_written_says_what_to_do(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CREDITML_CACHE", str(tmp_path / "file"))
    with pytest.raises(CreditMLError, match="CREDITML_CACHE"):
        Cache().obtain(NAME, build, listener.say, listener.canceled)


def test_threads_that_ask_at_once_build_once(listener: Listener) -> None:
    builds: list[str] = []

    def slow(folder: str, lock: int) -> Built:
        builds.append(folder)
        until(lambda: "Waiting" in listener.text)
        return build(folder, lock)

    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(Cache().obtain(NAME, slow, listener.say, listener.canceled)[0]))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert builds == [*set(found)]
    assert len(found) == 3
    assert "Waiting for another job that is building the same environment." in listener.lines


BUILDER = f"""
import os, subprocess, sys, time
from pathlib import Path
from creditml.environments.cache import Built, Cache
def build(folder, lock):
    os.mkdir(folder)
    Path(folder, "half").touch()
    {{during}}
    Path(folder, "whole").touch()
    return Built("theirs", "3.11.7")
Cache().obtain({NAME!r}, build, print, lambda: False)
print("done", flush=True)
sys.stdin.read()
"""


class Builder:
    """Another process that builds, and then uses what it built until it is told to end."""

    def __init__(self, during: str = "time.sleep(600)") -> None:
        program = BUILDER.format(during=during)
        command = [sys.executable, "-c", program]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait(self, word: bytes) -> None:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0]
        assert word in self.process.stdout.readline()

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def test_what_a_killed_process_left_behind_counts_for_nothing(listener: Listener, cache_folder: Path) -> None:
    folder = cache_folder / "environments" / NAME
    builder = Builder()
    until((folder / "half").exists)
    builder.end()

    assert Cache().entries() == []
    Cache().obtain(NAME, build, listener.say, listener.canceled)
    assert sorted(each.name for each in folder.iterdir()) == ["creditml.json", "python"]
    assert listener.lines == []


def test_programs_that_outlive_a_killed_builder_are_waited_for(
    listener: Listener, cache_folder: Path, tmp_path: Path
) -> None:
    folder, go = cache_folder / "environments" / NAME, tmp_path / "go"
    begun = tmp_path / "begun"
    wait = f"touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done; touch {folder}/late"
    builder = Builder(f"subprocess.run(['sh', '-c', '''{wait}'''], pass_fds=[lock])")
    until(begun.exists)
    builder.end()

    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.append(Cache().obtain(NAME, build, listener.say, listener.canceled)[0])
    )
    thread.start()
    until(lambda: "Waiting" in listener.text)
    go.touch()
    thread.join(PATIENCE)
    assert found
    assert sorted(each.name for each in folder.iterdir()) == ["creditml.json", "python"]


def test_who_waits_for_another_process_heeds_a_cancel(listener: Listener, cache_folder: Path) -> None:
    builder = Builder()
    until((cache_folder / "environments" / NAME / "half").exists)

    def canceled() -> bool:
        return "Waiting" in listener.text

    with pytest.raises(Canceled):
        Cache().obtain(NAME, never, listener.say, canceled)
    builder.end()


def test_a_build_that_fails_leaves_nothing(listener: Listener, cache_folder: Path) -> None:
    def fail(folder: str, lock: int) -> Built:
        build(folder, lock)
        raise CreditMLError("There is no such package.")

    with pytest.raises(CreditMLError, match="There is no such package"):
        Cache().obtain(NAME, fail, listener.say, listener.canceled)
    assert [each.name for each in (cache_folder / "environments").iterdir()] == [f"{NAME}.lock"]


def test_entries_tell_what_is_there(listener: Listener) -> None:
    before = time.time() * 1000
    folder, _ = Cache().obtain(NAME, build, listener.say, listener.canceled)
    (entry,) = Cache().entries()

    assert entry[:5] == ("abc", "uv", folder, "mine:1", "3.11.7")
    assert before - 1000 < entry.made_at <= entry.used_at + 1000
    assert entry.size >= 2
    os.utime(f"{folder}.lock", (1, 1))
    assert Cache().entries()[0].used_at == 1000
    Cache().obtain(NAME, never, listener.say, listener.canceled)
    assert Cache().entries()[0].used_at > before - 1000


def test_what_is_in_use_is_not_pruned(listener: Listener) -> None:
    with Cache() as cache:
        folder, _ = cache.obtain(NAME, build, listener.say, listener.canceled)
        assert Cache().prune() == []
        assert Path(folder).exists()
    (entry,) = Cache().prune(dry_run=True)
    assert Path(folder).exists()
    assert Cache().prune() == [entry]
    assert not Path(folder).exists()


def test_what_another_process_uses_is_not_pruned(cache_folder: Path) -> None:
    builder = Builder("pass")
    builder.wait(b"done")
    assert Cache().prune() == []
    builder.end()
    assert [entry.title for entry in Cache().prune()] == ["theirs"]
    assert not (cache_folder / "environments" / NAME).exists()


def test_what_was_used_lately_is_not_pruned(listener: Listener) -> None:
    with Cache() as cache:
        folder, _ = cache.obtain(NAME, build, listener.say, listener.canceled)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(f"{folder}.lock", (two_days_ago, two_days_ago))
    assert Cache().prune(older_than=3) == []
    assert [entry.key for entry in Cache().prune(older_than=1)] == ["abc"]


def test_what_was_half_built_is_pruned_too(cache_folder: Path) -> None:
    half = cache_folder / "environments" / NAME
    half.mkdir(parents=True)
    assert Cache().prune() == []
    assert not half.exists()
