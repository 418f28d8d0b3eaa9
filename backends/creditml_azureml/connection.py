"""The connection to a workspace in Azure: its genuine client, and those of registries.

This module and those of `Cloud` (`cloud_jobs`, `cloud_assets`, `cloud_data`) are the only ones that reach into what the
SDK keeps private: times, errors and logs of a job and of its children are not to be had otherwise. The tests run them
with the SDK that is installed, so that they fail if a release has changed it.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from creditml_azureml.errors import quietly

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from creditml_azureml.target import Target


class Connection:
    """A workspace in Azure, and the genuine client for it; nothing is asked before the client is used."""

    def __init__(self, target: Target, client: MLClient | None = None) -> None:
        """Use a client that is given, or make one with DefaultAzureCredential when it is needed."""
        self.target, self._given = target, client
        self._registries: dict[str, MLClient] = {}

    @cached_property
    def client(self) -> MLClient:
        """The genuine client of the workspace."""
        if self._given is not None:
            return self._given
        hush()
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        with quietly():
            return MLClient(DefaultAzureCredential(), *self.target, enable_telemetry=False, show_progress=False)

    def registry(self, name: str) -> MLClient:
        """The genuine client of a registry, with the credential of the workspace's; that one for an empty name."""
        if not name:
            return self.client
        if name not in self._registries:
            from azure.ai.ml import MLClient

            credential = self.client._credential  # noqa: SLF001  see above
            made = MLClient(credential, registry_name=name, enable_telemetry=False, show_progress=False)
            self._registries[name] = made
        return self._registries[name]


def hush() -> None:
    """Keep the SDK from logging: messages are creditml's own, without secrets."""
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # it logs while it is imported
    import azure.ai.ml  # noqa: F401  it takes seconds, and gives loggers levels of their own

    own = [name for name in logging.root.manager.loggerDict if name.startswith("azure.")]
    for logger in map(logging.getLogger, ("msrest", "msal", *own)):
        if 0 < logger.level < logging.CRITICAL or "." not in logger.name:  # others take the level of the one above them
            logger.setLevel(logging.CRITICAL)
