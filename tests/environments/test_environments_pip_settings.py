"""Pip's configuration in uv's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.environments.pip_settings import uv_options, uv_variables

if TYPE_CHECKING:
    from pathlib import Path

OFF = {"PIP_CONFIG_FILE": "/dev/null"}


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, {}),
        ({"PIP_INDEX_URL": "https://a/simple"}, {"UV_DEFAULT_INDEX": "https://a/simple"}),
        ({"PIP_INDEX_URL": "https://a/simple", "UV_DEFAULT_INDEX": "https://b"}, {}),
        ({"PIP_INDEX_URL": "https://a/simple", "UV_INDEX_URL": "https://b"}, {}),
        (
            {"PIP_EXTRA_INDEX_URL": "https://a/simple\n https://b/simple"},
            {"UV_INDEX": "https://a/simple https://b/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        (
            {"PIP_EXTRA_INDEX_URL": "https://a/simple", "UV_INDEX_STRATEGY": "first-index"},
            {"UV_INDEX": "https://a/simple", "UV_INDEX_STRATEGY": "first-index"},
        ),
        ({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"PIP_CERT": "/a.pem", "PIP_TRUSTED_HOST": "a"}, {"SSL_CERT_FILE": "/a.pem", "UV_INSECURE_HOST": "a"}),
        ({"PIP_PRE": "0", "PIP_DEFAULT_TIMEOUT": "9", "PIP_TIMEOUT": "15.5"}, {"UV_HTTP_TIMEOUT": "15"}),
    ],
)
def test_variables_of_pip_are_uvs(variables: dict[str, str], wanted: dict[str, str]) -> None:
    assert uv_variables({**OFF, **variables}) == wanted


def test_files_of_pip_are_read_as_pip_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    variables = {"XDG_CONFIG_DIRS": str(tmp_path / "all"), "XDG_CONFIG_HOME": str(tmp_path / "mine")}
    for name, content in {
        "all": "[global]\nindex-url = https://all/simple\ncert = /all.pem\nno-index = true\n",
        "mine": "[global]\nindex_url = https://mine/simple\nno-index = false\n[install]\nfind-links = /a\n    /b\n",
    }.items():
        (tmp_path / name / "pip").mkdir(parents=True)
        (tmp_path / name / "pip" / "pip.conf").write_text(content)
    found = uv_variables({**variables, "PIP_CERT": "/own.pem"})
    assert found["UV_DEFAULT_INDEX"] == "https://mine/simple"
    assert found["SSL_CERT_FILE"] == "/own.pem"
    assert found["UV_FIND_LINKS"] == "/a,/b"
    assert uv_options(variables) == []
    assert uv_options({**variables, "PIP_NO_INDEX": "1"}) == ["--no-index"]


def test_a_file_that_is_none_is_pips_to_complain_of(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url = https://a\n")
    assert isinstance(uv_variables({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}), dict)
