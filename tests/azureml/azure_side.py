"""The two sides of a test: the folder of the service that takes the place of Azure, and a user's project."""

from __future__ import annotations

import shlex
from functools import cached_property
from typing import TYPE_CHECKING

from project import Project

from creditml.service.certificates import certificates

if TYPE_CHECKING:
    from collections.abc import Sequence


class Served(Project):
    """The folder of the service; `given` are the environment variables with which the SDK finds it."""

    @cached_property
    def given(self) -> dict[str, str]:
        """The variables, with only the certificate of the service: loading all takes each SDK session 25 ms."""
        self.variables["REQUESTS_CA_BUNDLE"] = str(certificates(self.workspace).authority)
        lines = self.creditml("exec", "--print-env").out.splitlines()
        pairs = (shlex.split(line)[1].partition("=") for line in lines if line.startswith("export "))
        return {name: value for name, _, value in pairs if name != "CREDITML_HOME"}


class Inside(Project):
    """A project whose commands run in this process, so that the SDK is imported only once."""

    def needs_a_process(self, _words: Sequence[str]) -> bool:
        return False
