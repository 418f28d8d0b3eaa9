"""Numbers of next versions that clients were told, so that two clients at once don't register the same version.

Azure's clients register an asset without a version in two requests: they ask for the number of a name's next version,
and then put that version. Two clients that do so at once are told the same number. The second one would be refused or,
with the same content, be given the first one's version. Here it gets the next free number, since it meant to make a new
version.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

_LIFE = 60.0  # seconds between the two requests; there may be an upload between them


class PromisedVersion(NamedTuple):
    """The number of a name's next version, as one client was told it.

    `client` is the client's token; `registry` is empty for the workspace.
    """

    client: str
    registry: str
    kind: str
    name: str
    version: str


class PromisedVersions:
    """The numbers that a service has promised and that were not used yet. May be used by any number of threads."""

    def __init__(self) -> None:
        self._expiry: dict[PromisedVersion, float] = {}
        self._lock = threading.Lock()

    def promise(self, version: PromisedVersion) -> None:
        """Remember that a client was told a number."""
        now = time.monotonic()
        with self._lock:
            self._expiry = {old: until for old, until in self._expiry.items() if until > now}
            self._expiry[version] = now + _LIFE

    def is_promised(self, version: PromisedVersion) -> bool:
        """Whether a client may expect that it creates this version."""
        with self._lock:
            return self._expiry.get(version, 0.0) > time.monotonic()

    def forget(self, version: PromisedVersion) -> None:
        """Forget all numbers of this name that the client was told: from now on it means the version that it puts."""
        with self._lock:
            self._expiry = {old: until for old, until in self._expiry.items() if old[:4] != version[:4]}
