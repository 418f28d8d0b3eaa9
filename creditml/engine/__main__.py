"""A detached runner."""

import sys

from creditml.engine.executor import run_detached

sys.exit(run_detached(sys.argv[1:]))
