"""A genuine MLClient on a workspace of a test's own."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.ai.ml import MLClient


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspace's folder, named by the environment as a user would."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("CREDITML_", "AZURE", "ARM_", "MLFLOW_"))]:
            patch.delenv(name)
        patch.setenv("CREDITML_HOME", str(folder))
        patch.setenv("AZUREML_RUN_POLLING_INTERVAL_MIN", "1")
        patch.chdir(tmp_path_factory.mktemp("project"))
        yield folder


@pytest.fixture(scope="module")
def ml(home: Path) -> MLClient:  # noqa: ARG001  the workspace is in the environment
    """`creditml.connect()`."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    import creditml  # noqa: PLC0415  the SDK takes seconds

    return creditml.connect(show_progress=False)
