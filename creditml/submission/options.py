"""How a job is run here, and not what it computes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from creditml.config import EnvironmentSettings
from creditml.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from creditml.config import Config


class Options(NamedTuple):
    """How a job is run here, and not what it computes.

    Attributes:
        max_parallel: How many of its steps run at once.
        pass_env: Variables of the shell to hand on to steps.
        max_jobs: How many submitted jobs run at once.
        environments: How its steps get their environments.
        backend: The backend's own settings, as its section of `creditml.yml` has them.
    """

    max_parallel: int | None = None
    pass_env: tuple[str, ...] = ()
    max_jobs: int | None = None
    environments: EnvironmentSettings = EnvironmentSettings()
    backend: Mapping[str, Any] = NOTHING

    @classmethod
    def of(cls, config: Config, backend: str) -> Options:
        """What a project's settings say for a backend."""
        section = config.sections.get(backend, NOTHING)
        return cls(config.max_parallel, config.pass_env, config.max_jobs, config.environments, section)

    def dump(self) -> str:
        """As a text, for the process of a runner."""
        return json.dumps({**self._asdict(), "environments": self.environments._asdict()}, default=dict)

    @classmethod
    def load(cls, text: str) -> Options:
        """What `dump` made a text of."""
        values = json.loads(text)
        values["environments"] = EnvironmentSettings(**values["environments"])
        values["pass_env"] = tuple(values["pass_env"])
        return cls(**values)
