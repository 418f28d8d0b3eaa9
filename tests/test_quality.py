"""Lint, format, types and import layers, as part of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.takes(40)

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
CHECKS = {
    "lint": [BIN / "ruff", "check", "--quiet", "."],
    "format": [BIN / "ruff", "format", "--quiet", "--check", "."],
    "types": [sys.executable, "-m", "mypy"],
    "layers": [BIN / "lint-imports"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_quality(check: str) -> None:
    done = subprocess.run(CHECKS[check], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
