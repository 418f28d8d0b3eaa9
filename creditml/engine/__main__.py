"""A detached runner."""

import sys

from creditml.engine.detached import main

sys.exit(main(sys.argv[1:]))
