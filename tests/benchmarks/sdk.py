"""The genuine SDK on the local workspace: what `connect` and a submission cost, and many clients at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from measuring import EXAMPLE, ROOT, Row, environment, median

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 5
CROWD = ROOT / "tests" / "crowd.py"

# Prints seconds: of the import, of what is measured, and its CPU time (of this process; the job's runner is another).
CONNECT = """
import time
start = time.perf_counter()
import azure.ai.ml
imported = time.perf_counter() - start
start, cpu = time.perf_counter(), time.process_time()
import creditml
ml = creditml.connect()
print(imported, time.perf_counter() - start, time.process_time() - cpu)
"""
SUBMIT = """
import os, sys, time
start = time.perf_counter()
import azure.ai.ml
imported = time.perf_counter() - start
import creditml
ml = creditml.connect(show_progress=False)
job = azure.ai.ml.load_job(sys.argv[1])
start, cpu = time.perf_counter(), time.process_time()
job = ml.jobs.create_or_update(job)
print(imported, time.perf_counter() - start, time.process_time() - cpu, flush=True)
ml.jobs.begin_cancel(job.name).result()
"""


def fresh(work: Path, script: str, *words: str) -> list[tuple[float, ...]]:
    """What a script prints, each time in a new process and workspace, the first time not counted."""
    found = []
    for _ in range(ROUNDS + 1):
        shutil.rmtree(work / "home", ignore_errors=True)
        env = environment(CREDITML_HOME=str(work / "home"))
        command = [sys.executable, "-W", "ignore", "-c", script, *words]
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the script failed:\n{done.stderr[-2000:]}")
        found.append(tuple(float(word) for word in done.stdout.split()[:3]))
    return found[1:]


def connect(work: Path) -> list[Row]:
    """`connect()` after `import azure.ai.ml`."""
    rounds = fresh(work, CONNECT)
    floor, wall = median([r[0] for r in rounds]), median([r[1] for r in rounds])
    return [_row("connect()", wall, floor, 0.1)]


def submit(work: Path) -> list[Row]:
    """The example's two steps, loaded before: checked, uploaded, recorded, a runner started."""
    rounds = fresh(work, SUBMIT, str(EXAMPLE))
    floor, cpu = median([r[0] for r in rounds]), median([r[2] for r in rounds])
    return [_row("submit of two steps by the SDK (CPU)", cpu, floor, 0.3)]


def _row(what: str, seconds: float, floor: float, bar: float) -> Row:
    return Row(
        what,
        f"{seconds * 1e3:.0f} ms",
        f"import azure.ai.ml {floor * 1e3:.0f} ms",
        f"{seconds / floor:.2f}x",
        f"{bar * 1e3:.0f} ms",
        seconds <= bar,
    )


def crowd(work: Path, clients: int = 8, jobs: int = 25) -> list[Row]:
    """Clients that submit to one service at once; fails unless every job is Completed, once, and versions count up.

    The floor are the same jobs of one client after another.
    """
    alone, together = (_crowd(work, 1, jobs), _crowd(work, clients, jobs))
    floor, running = alone["running"] * clients, together["running"]
    return [
        Row(
            f"{clients} clients with {jobs} jobs each",
            f"{clients * jobs} Completed, {running:.0f} s",
            f"one after another {floor:.0f} s",
            f"{running / floor:.2f}x",
            "all Completed",
            met=True,
        )
    ]


def _crowd(work: Path, clients: int, jobs: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(CROWD), str(clients), str(jobs)],
        cwd=work,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the crowd of {clients} failed:\n{done.stderr[-2000:]}")
    took: dict[str, float] = json.loads(done.stdout)
    return took
