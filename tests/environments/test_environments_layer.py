"""A step's layer: what it installs is its own, and the shared environment stays as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from listening import Listener, printed
from local_channel import Channel
from local_wheels import Wheels

from creditml.config import EnvironmentSettings
from creditml.environments.layer import make_layer
from creditml.environments.providers import provider
from creditml.environments.wanted import Wanted
from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHERE = "import tool, sys; print(tool.__file__, tool.__version__, sys.prefix)"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environments of each kind with the real pip and one package; and the folder of wheels."""
    folder = tmp_path_factory.mktemp("layers")
    wheels = Wheels(folder / "wheels")
    (folder / "wheels" / "pip-20.0-py3-none-any.whl").unlink()
    wheels.add_pip()
    for version in ("1.0", "2.0"):
        wheels.add("tool", version, script="my-tool")
    channel = Channel(folder / "channel")
    channel.add_python()
    variables = {"CREDITML_CACHE": str(folder / "cache"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels.folder)}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
            patch.delenv(name)
        for name, value in {**variables, "PIP_CONFIG_FILE": os.devnull}.items():
            patch.setenv(name, value)
        wanted = Wanted("mine:1", pip=("tool==1.0",), channels=(str(channel.folder),))
        listener = Listener()
        yield {
            kind: provider(EnvironmentSettings())
            .provide(wanted._replace(mode=kind), listener.say, listener.canceled)
            .folder
            for kind in ("uv", "conda")
        } | {"wheels": str(wheels.folder)}


@pytest.fixture(params=["uv", "conda"])
def shared(request: pytest.FixtureRequest, places: dict[str, str]) -> str:
    return places[request.param]


@pytest.fixture
def in_layer(tmp_path: Path, places: dict[str, str]) -> Callable[..., str]:
    """Runs a command as a step would; each folder is a layer of its own."""

    def run(shared: str, command: str, at: str = "a layer") -> str:
        variables = made.get(at) or make_layer(shared, str(tmp_path / at))
        made[at] = variables
        more = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": places["wheels"], "PIP_CONFIG_FILE": os.devnull}
        path = f"{variables['PATH']}:/usr/bin:/bin"
        return printed("bash", "-c", command, **{**variables, **more, "PATH": path})

    made: dict[str, dict[str, str]] = {}
    return run


def state(folder: str) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in Path(folder).rglob("*")}


def test_a_layer_shows_what_is_shared(shared: str, in_layer: Callable[..., str], tmp_path: Path) -> None:
    where, version, prefix = in_layer(shared, f'python -c "{WHERE}"').split(maxsplit=2)
    assert where.startswith(f"{shared}/lib/")
    assert version == "1.0"
    assert prefix == f"{tmp_path}/a layer"
    assert in_layer(shared, "which python") == f"{tmp_path}/a layer/bin/python"
    assert in_layer(shared, "python3 --version") == f"Python {'.'.join(map(str, sys.version_info[:3]))}"


def test_what_a_step_installs_is_its_own(shared: str, in_layer: Callable[..., str], tmp_path: Path) -> None:
    before = state(shared)
    printed_by_pip = in_layer(shared, "pip install tool==2.0")

    assert "outside environment" in printed_by_pip
    assert in_layer(shared, f'python -c "{WHERE}"').startswith(f"{tmp_path}/a layer/lib/")
    assert in_layer(shared, "my-tool").endswith(" 2.0")
    assert in_layer(shared, "my-tool", at="another").endswith(" 1.0")
    assert in_layer(shared, "python -m pip list | grep ^tool", at="another").split() == ["tool", "1.0"]
    assert state(shared) == before


def test_shared_scripts_see_what_is_installed_in_the_layer(shared: str, in_layer: Callable[..., str]) -> None:
    assert in_layer(shared, "my-tool").endswith("tool.py 1.0")
    write = 'cd "$VIRTUAL_ENV"/lib/python*/site-packages && echo "def main(): print(1007)" > tool.py'
    assert in_layer(shared, f"{write}; my-tool") == "1007"


def test_scripts_work_where_a_path_is_too_long_for_their_first_line(
    places: dict[str, str], in_layer: Callable[..., str]
) -> None:
    deep = "/".join(["a rather long name of a folder"] * 6)
    assert in_layer(places["uv"], "my-tool", at=deep).endswith("tool.py 1.0")
    assert in_layer(places["uv"], 'cd "$VIRTUAL_ENV/bin" && ./my-tool', at=deep).endswith("tool.py 1.0")


def test_links_of_the_shared_environment_are_followed(
    places: dict[str, str], in_layer: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "edited.py").write_text("__version__ = 'mine'")
    (packages,) = Path(places["uv"]).glob("lib/python*/site-packages")
    link = packages / "edited.pth"
    link.write_text(f"{tmp_path / 'source'}\n")
    assert in_layer(places["uv"], 'python -c "import edited; print(edited.__version__)"') == "mine"
    link.unlink()


def test_the_hosts_python_can_have_a_layer_too(in_layer: Callable[..., str], tmp_path: Path) -> None:
    prints = "import pytest, creditml; print(pytest.__file__)"
    assert in_layer(sys.prefix, f'python -c "{prints}"') == pytest.__file__
    in_layer(sys.prefix, "pip install tool==2.0")
    assert in_layer(sys.prefix, "my-tool").startswith(f"{tmp_path}/a layer/")
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        printed(sys.executable, "-c", "import tool")


def test_a_folder_without_python_is_none(tmp_path: Path) -> None:
    with pytest.raises(CreditMLError, match="There is no Python environment"):
        make_layer(str(tmp_path), str(tmp_path / "layer"))
