"""The launchers' contract with the Python of environments that were built for steps: one by uv, one of conda."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from local_channel import Channel
from local_wheels import Wheels

from creditml.config import EnvironmentSettings
from creditml.environments.layer import make_layer
from creditml.environments.providers import provider
from creditml.environments.wanted import Wanted
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import StepMaker, log_of
from creditml_local import protection
from creditml_local.launcher import LocalLauncher
from creditml_local.ways import available_ways

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import InChild

    from creditml.seams.launcher import Launcher

SYSTEM = "/usr/local/bin:/usr/bin:/bin"


class InAnEnvironment(LauncherContract):
    """Inherit, and say which mode makes the environment."""

    mode = ""
    python = "python"

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        """The environment's folder."""
        here = tmp_path_factory.mktemp("environment")
        Wheels(here / "wheels").add("tool", "1.0")
        channel = Channel(here / "channel")
        channel.add_python()
        variables = {"CREDITML_CACHE": str(here / "cache"), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
                patch.delenv(name)
            for name, value in {**variables, "PIP_FIND_LINKS": str(here / "wheels")}.items():
                patch.setenv(name, value)
            wanted = Wanted("mine:1", pip=("tool==1.0",), channels=(str(channel.folder),), mode=cls.mode)
            yield provider(EnvironmentSettings()).provide(wanted, lambda _: None, lambda: False).folder

    @pytest.fixture(autouse=True)
    def _inside(self, folder: str, tmp_path: Path) -> None:
        self.environment = {**make_layer(folder, str(tmp_path / "cr" / "layer"))}
        self.environment["PATH"] += f":{SYSTEM}"

    @pytest.fixture
    def launcher(self) -> Iterator[LocalLauncher]:
        with LocalLauncher() as launcher:
            yield launcher

    @pytest.fixture
    def protects(self, tmp_path: Path, in_child: InChild) -> None:
        def protects_fully() -> bool:
            return len(available_ways(protection.plan([str(tmp_path)], [], []))) > 1

        if not in_child(protects_fully):
            pytest.skip("this machine has no way to protect files in a folder for temporary ones")

    def test_the_python_is_the_environments(self, launcher: Launcher, make_step: StepMaker, folder: str) -> None:
        step = make_step(self.script(make_step, "where.py", "import tool; print(tool.__file__, tool.__version__)"))
        assert launcher.start(step).exit().ok
        assert log_of(step).startswith(folder)
        assert log_of(step).endswith(" 1.0\n")

    @pytest.mark.usefixtures("protects")
    def test_the_shared_environment_is_read_only(self, launcher: Launcher, make_step: StepMaker, folder: str) -> None:
        program = "import os, tool; open(os.path.join(os.path.dirname(tool.__file__), 'more.py'), 'w')"
        step = make_step(self.script(make_step, "write.py", program), protected=(folder,))
        assert not launcher.start(step).exit().ok
        assert "Read-only file system" in log_of(step) or "Permission denied" in log_of(step)


class TestUv(InAnEnvironment):
    """In an environment that uv built."""

    mode = "uv"


class TestConda(InAnEnvironment):
    """In a conda environment."""

    mode = "conda"
