"""A workspace in Azure, through the genuine SDK: its jobs, its assets and its data."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from creditml_azureml.cloud_assets import CloudAssets
from creditml_azureml.cloud_data import CloudData
from creditml_azureml.cloud_jobs import CloudJobs
from creditml_azureml.connection import Connection
from creditml_azureml.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cloud(Connection):
    """A workspace in Azure."""

    @classmethod
    def find(cls, given: Mapping[str, Any]) -> Cloud:
        """The workspace that is meant in the current folder; see `find_target`.

        Raises:
            BackendError: none is named.
        """
        return cls(find_target(given))

    @cached_property
    def jobs(self) -> CloudJobs:
        """The jobs of the workspace."""
        return CloudJobs(self)

    @cached_property
    def assets(self) -> CloudAssets:
        """The assets of the workspace, and those of registries."""
        return CloudAssets(self)

    @cached_property
    def data(self) -> CloudData:
        """The data in the datastores of the workspace."""
        return CloudData(self)
