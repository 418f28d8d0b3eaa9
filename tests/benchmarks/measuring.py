"""How the benchmarks measure: processes run to their end, in turn with their floor, and the lines of the table."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
EXAMPLE = ROOT / "examples" / "credit_defaults" / "pipeline.yml"


class Row(NamedTuple):
    """One measured line."""

    what: str
    measured: str
    floor: str
    result: str
    bar: str
    met: bool


class Run(NamedTuple):
    """What a process cost: seconds."""

    wall: float
    cpu: float


def environment(**more: str) -> dict[str, str]:
    """The shell's environment, with the interpreter's folder first and compiled modules allowed."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "CREDITML_HOME")}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}", **more}


def timed(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Run:
    """Run a command to its end."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def paired(ours: Callable[[], Run], floor: Callable[[], Run], rounds: int) -> tuple[list[Run], list[Run]]:
    """The two in turn, after one of each that is not counted."""
    ours(), floor()
    pairs = [(ours(), floor()) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
