"""Chooses how an environment is provided: by its own mode, else by the mode of the settings, else by the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.environments.wanted import Provided

if TYPE_CHECKING:
    from collections.abc import Callable

    from creditml.config import EnvironmentSettings
    from creditml.environments.wanted import Provider, Wanted

HOST = "host"


def provider(settings: EnvironmentSettings) -> Provider:
    """Return a provider for all environments of a job.

    The environments that it provides can't be pruned before the provider is deleted or this process ends.
    """
    return _ByMode(settings)


class _ByMode:
    """Hands each environment on to the provider of its mode; providers that aren't needed are not imported."""

    def __init__(self, settings: EnvironmentSettings) -> None:
        self._settings = settings
        self._made: dict[str, Provider] = {}

    def provide(self, wanted: Wanted, say: Callable[[str], None], canceled: Callable[[], bool]) -> Provided:
        """Provide an environment, see `Provider`."""
        mode = wanted.mode or self._settings.mode or HOST
        if mode == HOST or not wanted.packages:  # which packages an image has, only Docker knows
            return Provided(variables=wanted.variables)
        if mode not in self._made:
            self._made[mode] = _of_mode(mode, self._settings)
        return self._made[mode].provide(wanted, say, canceled)


def _of_mode(mode: str, settings: EnvironmentSettings) -> Provider:
    from creditml.environments.cache import Cache

    if mode == "uv":
        from creditml.environments.uv import UvProvider

        return UvProvider(settings, Cache())
    from creditml.environments.conda import CondaProvider

    return CondaProvider(settings, Cache())
