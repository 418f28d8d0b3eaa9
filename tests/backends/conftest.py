"""Fixtures for the tests of backends."""

from __future__ import annotations

import json
import os
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from containers import IMAGE

from creditml.errors import BackendUnavailable
from creditml.testing.launchers import LauncherContract
from creditml.testing.steps import StepMaker
from creditml_docker.engines import find_engine
from creditml_local.launcher import LocalLauncher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from creditml_docker.engines import Engine

    InChild: TypeAlias = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Return the engine that the tests with containers use."""
    try:
        engine = find_engine()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    if not engine.api.images(name=IMAGE):
        pytest.skip(f"{engine.place} has no image {IMAGE}; CREDITML_TEST_IMAGE names another one")
    return engine


@pytest.fixture
def launcher() -> Iterator[LocalLauncher]:
    with LocalLauncher() as launcher:
        yield launcher


@pytest.fixture
def make_step(tmp_path: Path) -> StepMaker:
    return StepMaker(tmp_path / "cr", LauncherContract.environment)


@pytest.fixture
def in_child() -> InChild:
    """Return a function that calls another one in a forked process, and returns what that returned (as JSON has it).

    If the process is killed, the answer is the negative number of the signal.
    """

    def call(work: Callable[[], Any]) -> Any:  # the value that JSON gives back
        answer, end = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.close(answer)
                os.write(end, json.dumps(work()).encode())
            except BaseException:  # noqa: BLE001  the forked process must never return into the test runner
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(end)
        with open(answer, encoding="utf-8") as file:
            text = file.read()
        _, status = os.waitpid(process, 0)
        return json.loads(text) if text else os.waitstatus_to_exitcode(status)

    return call
