"""The two streams of the command line, which let nothing through that a terminal would act upon.

What is printed comes from YAML, logs, records and servers, so it may hold escape sequences. Messages may hold secrets.
Text that is meant to move a cursor or to have colours is written to `Guarded.stream` by whoever has made it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Guarded:
    """A text stream; whatever else is asked of it, the stream itself answers."""

    def __init__(self, stream: Any, *, hide: bool) -> None:
        """`hide` is whether secrets are hidden, too: not in output that is asked for, such as a token."""
        self.stream, self._hide = stream, hide

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text with its control characters made visible."""
        if self._hide or not text.replace("\n", "").isprintable():
            from creditml.secrets import disarmed, redacted  # 1 ms, and most output needs neither

            self.stream.write(disarmed(redacted(text) if self._hide else text))
        else:
            self.stream.write(text)
        return len(text)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard standard output and standard error."""
    out, err = sys.stdout, sys.stderr
    sys.stdout = out and Guarded(out, hide=False)
    sys.stderr = err and Guarded(err, hide=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def unguarded() -> Any:
    """Standard output, for text that is harmless already."""
    return sys.stdout.stream if isinstance(sys.stdout, Guarded) else sys.stdout
