"""The image for the tests with containers."""

from __future__ import annotations

import os

IMAGE = os.environ.get("CREDITML_TEST_IMAGE", "python-test:base")
"""The image: any image with bash, coreutils and python3."""
