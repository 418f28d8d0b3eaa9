"""Work that may take long, such as copying much: in a thread of its own, so that the runner's loop goes on."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Task:
    """Work that has begun. It can't be ended: if its result is no longer wanted, it goes on until it is done."""

    def __init__(self, work: Callable[[], Any]) -> None:
        """Begin."""
        self._work = work
        self._readable, self._done = os.pipe()
        self._result: Any = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def fileno(self) -> int:
        """Readable when the work is done."""
        return self._readable

    def result(self) -> Any:
        """What came of it: what it returned, or raised. To be called once, when it is done."""
        os.close(self._readable)
        os.close(self._done)
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._work()
        except Exception as error:  # noqa: BLE001  `result` raises it where somebody hears of it
            self._error = error
        os.write(self._done, b".")
