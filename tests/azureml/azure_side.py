"""The two sides of a test: the folder of the service that stands for Azure, and a user's project before it."""

from __future__ import annotations

import shlex
from functools import cached_property
from typing import TYPE_CHECKING

from project import Project

from creditml.service.certificates import certificates

if TYPE_CHECKING:
    from collections.abc import Sequence


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

    def needs_a_process(self, _words: Sequence[str]) -> bool:
        return False
