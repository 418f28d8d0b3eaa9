"""Jobs and components of the cloud, as our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml.model import Component
    from creditml_azureml.cloud import Cloud


class Components:
    """Registered components of the cloud; see `creditml.engine.resolving.Elsewhere`."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked yet."""
        self._cloud = cloud

    def component(self, reference: str) -> Component | None:  # noqa: ARG002  not built yet
        """A registered component."""
        return None
