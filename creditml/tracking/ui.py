"""`creditml ui`: MLflow's pages for a workspace."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

from creditml.errors import CreditMLError
from creditml.tracking.access import LINK_KEY, browser_key
from creditml.tracking.client import Tracking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def open_ui(root: Path, port: int, *, announce: Callable[[str], None]) -> None:
    """Serve MLflow's pages on 127.0.0.1 until Ctrl-C, with the same server that running jobs use.

    Args:
        root: The workspace folder.
        port: The port.
        announce: Called with the address as soon as the server answers there. It has a key that lets a browser in.

    Raises:
        CreditMLError: The port is taken, or the server can't start.
    """
    try:
        tracking = Tracking(root, port=port)
    except OSError as error:
        message = f"MLflow's pages can't be served on port {port}: {error.strerror}. Choose another port with --port."
        raise CreditMLError(message) from error
    with tracking, selectors.DefaultSelector() as selector:
        selector.register(tracking, selectors.EVENT_READ)
        try:
            _serve(tracking, selector, lambda: announce(f"{tracking.uri}/?{LINK_KEY}={browser_key(root)}"))
        except KeyboardInterrupt:
            return


def _serve(tracking: Tracking, selector: selectors.BaseSelector, announce: Callable[[], None]) -> None:
    tracking.start()
    announced = False
    while tracking.failure is None:
        if tracking.ready and not announced:
            announce()
            announced = True
        selector.select()
        tracking.attend()
    raise CreditMLError(tracking.failure)
