"""The ways of write protection that this machine offers, the best first.

1. `readonly`: mounts of the step's own. Exact, but it needs privileges: those of root, or of a user where the system
   allows user namespaces.
2. `landlock`: rules of the kernel. For every user, with limits.

Where neither is to be had, a step is started without protection.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml_local.protection import Protection, Way


def available_ways(sample: Protection) -> list[Way]:
    """Try which ways of protection this machine offers, the best first.

    May move the calling process (which must have a single thread) into a user namespace, if `sample` can be protected
    there.
    """
    found: list[Way] = []
    if sys.platform == "linux":
        from creditml_local import landlock, readonly

        for way in (readonly.ReadOnlyMounts, landlock.Landlock):
            with suppress(OSError):
                found.append(way(sample))
    return found
