"""What all tests share."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# The same examples in every run, and moderately many: a failure tells of the change that it came with.
# `--hypothesis-profile=thorough` looks further, and elsewhere each time.
settings.register_profile(
    "creditml", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", parent=settings.get_profile("creditml"), max_examples=2000, derandomize=False, database=None
)
settings.load_profile("creditml")


def pytest_configure() -> None:
    """Let the processes that tests start be interrupted, though whoever started the tests (nohup, `&`) ignores that."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
