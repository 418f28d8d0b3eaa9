"""What the tests with containers share."""

from __future__ import annotations

import os

IMAGE = os.environ.get("CREDITML_TEST_IMAGE", "python-test:base")
"""Their image: any with bash, coreutils and python3."""
