"""Real conda environments, from a channel that the test makes: no conda, and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from listening import Listener, printed
from local_channel import Channel

from creditml.config import EnvironmentSettings
from creditml.environments.conda import channel_urls, conda_specs
from creditml.environments.providers import provider
from creditml.environments.wanted import Provided, Wanted
from creditml.errors import Canceled, CreditMLError

if TYPE_CHECKING:
    from pathlib import Path

    from local_wheels import Wheels


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    channel = Channel(tmp_path / "my channel")
    channel.add_python()
    for version in ("1.0", "1.1", "2.0"):
        channel.add_module("nums", version)
    channel.add_module("frames", "3.0", ["python", "nums >=2"])
    return channel


def provide(wanted: Wanted, listener: Listener, **settings: bool) -> Provided:
    by = provider(EnvironmentSettings(mode="conda", **settings))
    return by.provide(wanted, listener.say, listener.canceled)


def wanted(channel: Channel, *conda: str, pip: tuple[str, ...] = ()) -> Wanted:
    return Wanted("mine:1", conda=conda, pip=pip, channels=(str(channel.folder),))


def version(provided: Provided, module: str) -> str:
    return printed(f"{provided.folder}/bin/python", "-c", f"import {module}; print({module}.__version__)")


def test_what_is_asked_for_is_solved_and_installed(channel: Channel, listener: Listener) -> None:
    provided = provide(wanted(channel, "nums=1")._replace(variables={"A": "1"}), listener)

    assert version(provided, "nums") == "1.1"
    assert printed(f"{provided.folder}/bin/python", "-c", "import sys; print(sys.prefix)") == provided.folder
    assert provided.folder in printed(f"{provided.folder}/bin/pip", "--version")
    assert provided.variables["CONDA_PREFIX"] == provided.folder
    assert provided.variables["A"] == "1"
    assert "Installing 3 conda packages" in listener.lines
    again = Listener()
    assert provide(wanted(channel, "nums=1")._replace(title="theirs:2", variables={"A": "1"}), again) == provided
    assert again.lines == []


def test_dependencies_come_along(channel: Channel, listener: Listener) -> None:
    provided = provide(wanted(channel, "frames>=2"), listener)
    assert (version(provided, "frames"), version(provided, "nums")) == ("3.0", "2.0")


def test_pip_packages_are_installed_on_top(channel: Channel, wheels: Wheels, listener: Listener) -> None:
    wheels.add("other", "1.0", requires=["nums>=1"])
    provided = provide(wanted(channel, "nums=1", pip=("other",)), listener)
    assert (version(provided, "other"), version(provided, "nums")) == ("1.0", "1.1")


def test_what_packages_set_on_activation_is_set(channel: Channel, listener: Listener) -> None:
    script = b'export DATA="$CONDA_PREFIX/share a"\nexport LINES_OF="a\nb"\necho hello\n'
    variables = b'{"SET": "yes"}'
    files = {"etc/conda/activate.d/data.sh": script, "etc/conda/env_vars.d/data.json": variables}
    channel.add("data", "1.0", files)
    provided = provide(wanted(channel, "data"), listener)
    assert provided.variables["DATA"] == f"{provided.folder}/share a"
    assert provided.variables["LINES_OF"] == "a\nb"
    assert provided.variables["SET"] == "yes"
    assert "PATH" not in provided.variables


def test_packages_that_do_not_go_together_are_named(channel: Channel, listener: Listener) -> None:
    with pytest.raises(CreditMLError, match=r"mine:1 can't be built(.|\n)*frames(.|\n)*nums >=2(.|\n)*--env-relax"):
        provide(wanted(channel, "frames", "nums<2"), listener)


def test_a_package_that_is_nowhere_is_named(channel: Channel, listener: Listener) -> None:
    with pytest.raises(CreditMLError, match="No candidates were found for numqy"):
        provide(wanted(channel, "numqy"), listener)


def test_a_spec_that_is_none_is_named(channel: Channel, listener: Listener) -> None:
    with pytest.raises(CreditMLError, match="Correct the conda file"):
        provide(wanted(channel, "nums=1|"), listener)


def test_versions_that_cannot_be_met_are_loosened(channel: Channel, listener: Listener) -> None:
    provided = provide(wanted(channel, "frames=2.7", "nums>=1"), listener, relax=True)
    assert version(provided, "frames") == "3.0"
    assert listener.lines[-1] == "frames=2.7 → 3.0"


@pytest.mark.parametrize("place", ["https://127.0.0.1:9/conda-forge", "/no/such/folder"])
def test_a_channel_that_is_not_there_is_named_with_what_to_do(listener: Listener, place: str) -> None:
    with pytest.raises(CreditMLError) as caught:
        provide(Wanted("mine:1", conda=("nums",), channels=(place,)), listener)
    assert place in str(caught.value)
    assert "creditml.yml" in str(caught.value)
    assert "channels: {conda-forge: https://" in str(caught.value)


def test_a_cancel_is_heeded(channel: Channel, listener: Listener) -> None:
    listener.is_canceled = True
    with pytest.raises(Canceled):
        provide(wanted(channel, "nums"), listener)


def test_channels_are_names_urls_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert channel_urls(["conda-forge", "~/mine", "nodefaults", "https://a/b", "conda-forge"]) == [
        "conda-forge",
        f"file://{tmp_path}/mine",
        "https://a/b",
    ]
    assert channel_urls(["defaults"])[0] == "https://repo.anaconda.com/pkgs/main"


@pytest.mark.parametrize(
    ("python", "spec"), [("3.8", "python=3.8"), (">=3.8", "python>=3.8"), ("=3.8", "python=3.8"), ("", "python")]
)
def test_there_is_always_a_python(python: str, spec: str) -> None:
    specs = conda_specs(Wanted("mine:1", python=python, conda=("conda-forge::Nums>=1", "a[version='1']", "b 1.*")))
    assert specs[:2] == [("python", spec), ("pip", "pip")]
    assert [name for name, _ in specs[2:]] == ["nums", "a", "b"]
