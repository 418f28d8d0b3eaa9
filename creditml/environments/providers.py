"""Placeholder for what makes environments: another module's work, with this interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditml.errors import CreditMLError

if TYPE_CHECKING:
    from creditml.config import EnvironmentSettings
    from creditml.environments.wanted import Provider


def provider(settings: EnvironmentSettings) -> Provider:
    """Return what makes environments as the settings say."""
    message = f"Nothing makes environments with {settings.mode} yet."
    raise CreditMLError(message)
