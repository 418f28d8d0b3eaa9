"""The fixtures of the launchers' contract: a launcher, and steps to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.seams import launcher
from creditml.testing.steps import PATIENCE, StepMaker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from creditml.seams.launcher import Launcher


class LauncherFixtures:
    """Fixtures and settings of the tests; a subclass has to define the fixture `launcher`."""

    python = "python3"
    """The command that starts Python in a step. Only the standard library is needed."""

    environment: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    """The environment variables with which a step finds `python` and the usual commands."""

    additions = frozenset({"PWD", "SHLVL", "_", "CREDITML_GUARD"})
    """The variables that bash and the launcher may add to a step's environment."""

    image = ""
    """The image that steps run in, for launchers that run containers."""

    @pytest.fixture
    def launcher(self) -> Iterator[Launcher]:
        """Yield an open launcher, and close it afterwards."""
        raise NotImplementedError

    @pytest.fixture
    def protects(self) -> None:
        """Skip the test if this machine can't protect a step's inputs; by default no test is skipped."""

    @pytest.fixture
    def make_step(self, tmp_path: Path) -> StepMaker:
        """Return a `StepMaker` for a new root."""
        return StepMaker(tmp_path / "cr", self.environment, self.image)

    @pytest.fixture
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let what a command leaves running be ended soon."""
        monkeypatch.setattr(launcher, "LEFT_ALONE", 0.2)
        monkeypatch.setattr(launcher, "LEFT_ASKED", 0.2)

    @pytest.fixture
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let what a command leaves running go on for longer than a test waits."""
        monkeypatch.setattr(launcher, "LEFT_ALONE", 10 * PATIENCE)

    def script(self, make_step: StepMaker, name: str, program: str) -> str:
        """Write a Python program into the steps' working folder, and return the command that runs it."""
        (make_step.cwd / name).write_text(program, encoding="utf-8")
        return f"{self.python} {name}"
