"""Steps in containers against the same command in a plain container of the same image."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from measuring import Row, Run, median, paired

from creditml.seams.launcher import Mount, Step
from creditml_docker.engines import find_engine
from creditml_docker.launcher import DockerLauncher

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = os.environ.get("CREDITML_TEST_IMAGE", "python-test:base")


def containers(work: Path, rounds: int = 21) -> list[Row]:
    """Start to end of a step with an input, against create, start, wait and remove of a container without one."""
    api = find_engine().api
    command = "python3 -c pass"
    for folder in ("root/exe/wd", "raw"):
        (work / folder).mkdir(parents=True)
    step = Step(
        "benchmark",
        command,
        str(work / "root"),
        str(work / "log.txt"),
        {},
        mounts=(Mount(str(work / "raw"), "exe/wd/raw"),),
        image=IMAGE,
    )

    def plain() -> Run:
        start = time.perf_counter()
        host = {"NetworkMode": "host"}
        config = {"Image": IMAGE, "Cmd": ["bash", "-c", command], "HostConfig": host}
        container = api.create_container_from_config(config)["Id"]
        api.start(container)
        api.wait(container)
        api.remove_container(container)
        return Run(time.perf_counter() - start, 0)

    with DockerLauncher() as launcher:

        def ours() -> Run:
            start = time.perf_counter()
            running = launcher.start(step)
            if not running.exit().ok:
                sys.exit(f"the step failed: {(work / 'log.txt').read_text()}")
            ended = time.perf_counter()
            running.join()  # or its removal would slow down the floor
            return Run(ended - start, 0)

        mine, floor = paired(ours, plain, rounds)
    ratio = median([a.wall / b.wall for a, b in zip(mine, floor, strict=True)])
    a, b = median([r.wall for r in mine]), median([r.wall for r in floor])
    return [Row("a container", f"{a * 1e3:.0f} ms", f"plain {b * 1e3:.0f} ms", f"{ratio:.2f}x", "1.3x", ratio <= 1.3)]
