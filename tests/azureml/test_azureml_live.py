"""The executor's contract against a real workspace in Azure: off unless it is asked for.

    CREDITML_LIVE=1 AZURE_SUBSCRIPTION_ID=… AZURE_RESOURCE_GROUP=… AZURE_ML_WORKSPACE=… pytest -m live

Needs a sign-in (`az login`). Its jobs run on serverless compute, which costs money, and take minutes each. An
environment named `any` is registered in that workspace, unless it has one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from creditml.testing.executors import ExecutorContract
from creditml.workspace import Workspace
from creditml_azureml import AzureMLExecutor

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
NEEDED = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
MISSING = [name for name in NEEDED if not os.environ.get(name)]

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.environ.get("CREDITML_LIVE") != "1", reason="only if CREDITML_LIVE=1"),
    pytest.mark.skipif(bool(MISSING), reason=f"set {', '.join(MISSING)}"),
]


class TestLiveExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureMLExecutor:
        monkeypatch.setenv("CREDITML_TEST_PATIENCE", "1800")
        workspace = Workspace(tmp_path / "home")
        workspace.create()
        workspace.assets.create("environment", "any", "1", {"name": "any", "image": IMAGE})
        return AzureMLExecutor(workspace)
