"""The settings for running a job on this machine, which don't affect its results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.config import EnvironmentSettings
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.config import Config


class Options(NamedTuple):
    """The settings for running a job on this machine.

    Attributes:
        max_parallel: The largest number of its steps that run at once; None for the default.
        pass_env: Names of environment variables that steps get from the user's shell.
        max_jobs: The largest number of submitted jobs that run at once; None for the default.
        environments: How its steps get their environments.
        backend: The settings of the backend, from its section of `creditml.yml`.
    """

    max_parallel: int | None = None
    pass_env: tuple[str, ...] = ()
    max_jobs: int | None = None
    environments: EnvironmentSettings = EnvironmentSettings()
    backend: Mapping[str, Any] = NOTHING

    @classmethod
    def of(cls, config: Config, backend: str) -> Options:
        """The options from a project's settings and their section for a backend."""
        section = config.sections.get(backend, NOTHING)
        return cls(config.max_parallel, config.pass_env, config.max_jobs, config.environments, section)

    def dump(self) -> str:
        """The options as JSON text, to be passed to the process that runs the job."""
        return json.dumps({**self._asdict(), "environments": self.environments._asdict()}, default=dict)

    @classmethod
    def load(cls, text: str) -> Options:
        """The options from a text that `dump` has made."""
        values = json.loads(text)
        values["environments"] = EnvironmentSettings(**values["environments"])
        values["pass_env"] = tuple(values["pass_env"])
        return cls(**values)
