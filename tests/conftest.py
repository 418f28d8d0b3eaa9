"""Settings for all tests: the number of worker processes, the order of files, and the seed of generated tests."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Few examples, and different ones in every run. `--hypothesis-seed=N`, printed at the end of a run, repeats them.
# `--hypothesis-profile=thorough` tries many more examples.
settings.register_profile("creditml", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("creditml"), max_examples=2000, database=None)
settings.load_profile("creditml")

LARGE = {"azureml", "components", "service", "test_oracle", "test_tolerance", "test_cli_processes"}
"""Folders and files whose tests import Azure's SDK, MLflow or scikit-learn into the process of the tests."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker per processor; none for a single file, since all its tests would run in one worker."""
    if len(config.args) == 1 and os.path.isfile(config.args[0].partition("::")[0]):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.hookimpl(tryfirst=True)  # hypothesis reads the seed
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, and make sure that the processes that tests start can be interrupted.

    If the tests were started with nohup or `&`, SIGINT may be ignored, and child processes would inherit that.
    """
    if config.option.hypothesis_seed is None:
        given = getattr(config, "workerinput", {}).get("hypothesis_seed")
        config.option.hypothesis_seed = given or str(random.randrange(1 << 32))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_configure_node(node: Any) -> None:
    """Hand the seed on to each worker, so that all use the same one."""
    node.workerinput["hypothesis_seed"] = node.config.option.hypothesis_seed


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed before the tests."""
    return told_seed(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed after the tests too, since `-q` hides the header."""
    if terminalreporter.verbosity < 0 or terminalreporter.stats.get("failed"):
        terminalreporter.write_line(told_seed(config))


def told_seed(config: pytest.Config) -> str:
    return f"generated tests: --hypothesis-seed={config.option.hypothesis_seed} makes the same examples again"


@pytest.fixture(scope="module", autouse=True)
def _variables_of_a_file() -> Iterator[None]:
    """What a file's tests leave in the environment (as Azure's SDK does) isn't there for others."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first, so that no worker starts one of them when the others have nothing left to do.

    But files that import the largest packages come after all others: a fork of the worker then takes 80 times as long.
    """
    seconds: dict[Any, float] = {}
    for item in items:
        mark = item.get_closest_marker("takes")
        seconds[item.path] = mark.args[0] if mark else 0
    items.sort(key=lambda item: (bool(LARGE & {item.path.stem, item.path.parent.name}), -seconds[item.path]))
