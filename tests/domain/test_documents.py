"""Documents of users and clients are read within bounds, or refused with a reason."""

from __future__ import annotations

import os
import socket
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from creditml.documents import LARGEST, MOST_VALUES, parse_json, read_bytes, read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_text_is_as_python_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffone\r\ntwo\rthree\nä".encode())
    assert read_text(tmp_path / "a") == "one\ntwo\nthree\nä"
    assert read_bytes("/proc/self/cmdline")  # a regular file that tells no size


def _socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


def _endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("/dev/tty"), "a device"),
        (_socket, "a socket"),
        (lambda path: path.mkdir(), "a folder"),
        (_endless, f"more than {LARGEST >> 20} MB"),
    ],
    ids=["pipe", "endless device", "terminal", "socket", "folder", "endless file"],
)
def test_what_is_no_file_is_not_read(
    tmp_path: Path, make: Callable[[Path], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "x")
    tracemalloc.start()
    with pytest.raises(OSError, match=said):
        read_bytes(tmp_path / "x")
    assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "deeper"),
        ("[" * 100_000 + "]" * 100_000, "deeper"),
        ('{"a":' * 102 + "1" + "}" * 102, "deeper"),
        ("[" + "0," * MOST_VALUES + "0]", "values"),
        ("{", "Expecting"),
    ],
    ids=["open", "closed", "just too deep", "many values", "not JSON"],
)
def test_json_has_bounds(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(text)


def test_json_within_bounds_is_read() -> None:
    assert parse_json(b'{"a": [1, "x", null, {"b": 2.5}]}') == {"a": [1, "x", None, {"b": 2.5}]}
    assert parse_json("[" * 100 + "]" * 100)
