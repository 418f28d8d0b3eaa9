"""What the contract of launchers is tried with: a launcher, and steps to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.testing.steps import StepMaker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from creditml.seams.launcher import Launcher


class LauncherFixtures:
    """Inherit, and supply the fixture `launcher`."""

    python = "python3"
    """How a step calls a Python interpreter; its standard library is enough."""

    environment: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    """What a step needs to find `python` and the usual commands."""

    additions = frozenset({"PWD", "SHLVL", "_", "CREDITML_GUARD"})
    """The variables that bash and the launcher may add to a step's environment."""

    image = ""
    """The image that steps run in, for launchers that run containers."""

    @pytest.fixture
    def launcher(self) -> Iterator[Launcher]:
        """Supply an open launcher, and close it afterwards."""
        raise NotImplementedError

    @pytest.fixture
    def protects(self) -> None:
        """Skip the test if this machine can't keep a step from writing into its inputs."""

    @pytest.fixture
    def make_step(self, tmp_path: Path) -> StepMaker:
        """Return a maker of steps."""
        return StepMaker(tmp_path / "cr", self.environment, self.image)

    def script(self, make_step: StepMaker, name: str, program: str) -> str:
        """Put a Python program where steps can run it, and return the command that does."""
        (make_step.cwd / name).write_text(program, encoding="utf-8")
        return f"{self.python} {name}"
