"""Next versions that clients were told, and take for theirs.

Azure's clients register what has no version in two requests: they ask for a name's next version, and then put that one.
Of two that do so at once both are told the same version. Whoever comes second would be refused, or, with the same
content, be given the first one's version; here it gets the version after that, since it meant to make a new one.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

_LIFE = 60.0  # seconds between the two requests; an upload may lie between them


class Promise(NamedTuple):
    """A version that a client was told would be the next one of a name.

    `client` is its token; `registry` is empty for the workspace.
    """

    client: str
    registry: str
    kind: str
    name: str
    version: str


class Promises:
    """Those that a service has made and that haven't been kept. May be used from any number of threads."""

    def __init__(self) -> None:
        """None was made yet."""
        self._made: dict[Promise, float] = {}
        self._lock = threading.Lock()

    def make(self, promise: Promise) -> None:
        """A client was told a version."""
        now = time.monotonic()
        with self._lock:
            self._made = {old: until for old, until in self._made.items() if until > now}
            self._made[promise] = now + _LIFE

    def holds(self, promise: Promise) -> bool:
        """Whether a client may count on a version's being new."""
        with self._lock:
            return self._made.get(promise, 0.0) > time.monotonic()

    def settle(self, promise: Promise) -> None:
        """A client has made or changed something of that name: from now on it says which version it means."""
        with self._lock:
            self._made = {old: until for old, until in self._made.items() if old[:4] != promise[:4]}
