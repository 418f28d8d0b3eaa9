"""`python -m creditml.cli`."""

import sys

from creditml.cli import main

sys.exit(main())
