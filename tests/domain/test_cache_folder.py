"""The one folder for what can be made or fetched again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from creditml.cache import cache_folder


@pytest.mark.parametrize(
    ("system", "variables", "folder"),
    [
        ("linux", {}, "/home/me/.cache/creditml"),
        ("darwin", {}, "/home/me/Library/Caches/creditml"),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/creditml"),
        ("darwin", {"XDG_CACHE_HOME": "/caches"}, "/caches/creditml"),
        ("linux", {"XDG_CACHE_HOME": "caches"}, "/home/me/.cache/creditml"),  # not absolute: ignored, as XDG says
        ("darwin", {"XDG_CACHE_HOME": "caches"}, "/home/me/Library/Caches/creditml"),
        ("linux", {"XDG_CACHE_HOME": ""}, "/home/me/.cache/creditml"),
        ("linux", {"XDG_CACHE_HOME": "/caches", "CREDITML_CACHE": "/own"}, "/own"),
        ("linux", {"CREDITML_CACHE": "own"}, str(Path("own").absolute())),
    ],
)
def test_the_cache_is_where_the_system_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, system: str, variables: dict[str, str], folder: str
) -> None:
    for name in ("CREDITML_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)

    assert cache_folder() == Path(folder)
