"""The azureml backend keeps the executor's contract, against the service over TLS as a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.testing.executors import ExecutorContract
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from pathlib import Path


class TestAzureMLExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, signed_in: Path) -> AzureMLExecutor:
        return AzureMLExecutor(Workspace(signed_in / "home"))
