"""Chooses the methods of write protection that this machine supports, the best first.

1. `readonly`: read-only mounts in a mount namespace of the step. It is exact, but needs root's privileges, or a system
   that lets ordinary users create user namespaces.
2. `landlock`: rules of the kernel. Every user can make them, but they have limits.

If the machine supports neither, a step is started without protection.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml_local.protection import Protection, Way


def available_ways(sample: Protection) -> list[Way]:
    """Return the methods of protection that this machine supports, the best first.

    This may move the calling process, which must have only one thread, into a user namespace.

    Args:
        sample: Paths with which the methods are tried.
    """
    found: list[Way] = []
    if sys.platform == "linux":
        from creditml_local import landlock, readonly

        for way in (readonly.ReadOnlyMounts, landlock.Landlock):
            with suppress(OSError):
                found.append(way(sample))
    return found
