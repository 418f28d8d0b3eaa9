"""The two sides of a test: the folder of the service that stands for Azure, and a user's project before it."""

from __future__ import annotations

import io
import os
import shlex
from contextlib import redirect_stderr, redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING

import pytest
from project import Done, Project

from creditml.cli import main
from creditml.service.certificates import certificates
from creditml.service.variables import UNSET

if TYPE_CHECKING:
    from project import Json


class Served(Project):
    """The folder of the service; `given` are the variables that lead the SDK to it."""

    @cached_property
    def given(self) -> dict[str, str]:
        """Of certificates the service's own alone: all others would take each of the SDK's many sessions 25 ms."""
        self.variables["REQUESTS_CA_BUNDLE"] = str(certificates(self.workspace).authority)
        lines = self.creditml("exec", "--print-env").out.splitlines()
        pairs = (shlex.split(line)[1].partition("=") for line in lines if line.startswith("export "))
        return {name: value for name, _, value in pairs if name != "CREDITML_HOME"}


class Inside(Project):
    """A project whose commands run in this process, where the SDK is imported once."""

    def creditml(self, *words: str, code: int | None = 0, **_options: Json) -> Done:
        """Run a command; see `Project.creditml`."""
        out, err = io.StringIO(), io.StringIO()
        wanted = self.environment()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in {*os.environ, *UNSET} - wanted.keys():
                patch.setenv(name, "")  # or what the SDK makes of it (AZUREML_CURRENT_CLOUD) would stay afterwards
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            try:
                ended = main(words)
            except SystemExit as error:
                ended = int(error.code or 0)
        done = Done(ended, out.getvalue(), err.getvalue())
        assert "Traceback" not in done.err, done.err
        assert "defect" not in done.err, done.err
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done
