"""Azure ML pipelines on your own machine: the same specs, the same graph, no account."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creditml.service.connection import connect

__version__ = "0.1.0"
__all__ = ["connect"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import creditml` stays fast."""
    if name == "connect":
        from creditml.service.connection import connect

        return connect
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
