"""Whatever a step's script does with MLflow, its run ends as the engine says. Real scripts, real MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from creditml import tracking

if TYPE_CHECKING:
    from spaces import Space

    from creditml.tracking import Tracking

SCRIPTS = {
    "adopts": """
        import mlflow
        with mlflow.start_run() as run:
            mlflow.log_metric("loss", 0.5)
            mlflow.log_metric("loss", 0.25, step=1)
            mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "down": float("-inf")})
            mlflow.log_text("hello", "notes/hello.txt")
        """,
    "no start_run": """
        import mlflow
        mlflow.log_metric("loss", 1)
        """,
    "crashes": """
        import mlflow
        mlflow.start_run()
        raise RuntimeError
        """,
    "is killed": """
        import mlflow, os, signal
        mlflow.start_run()
        mlflow.start_run(nested=True, run_name="inner")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    "sys.exit": """
        import mlflow, sys
        mlflow.start_run()
        sys.exit(3)
        """,
    "os._exit": """
        import mlflow, os
        mlflow.start_run()
        os._exit(3)
        """,
    "renames": """
        import mlflow
        mlflow.start_run(run_name="mine", tags={"mlflow.parentRunId": "nobody", "mlflow.rootRunId": "nobody"})
        """,
    "orphan": """
        import mlflow, os
        mlflow.start_run()
        mlflow.end_run()
        with mlflow.start_run(run_name="done"):
            pass
        client = mlflow.MlflowClient()
        experiment = os.environ["MLFLOW_EXPERIMENT_ID"]
        going = mlflow.start_run(run_name="going").info.run_id
        below = client.create_run(experiment, tags={"mlflow.parentRunId": going}, run_name="below").info.run_id
        client.set_terminated(below, "FAILED")
        client.create_run(experiment, tags={"mlflow.parentRunId": below}, run_name="far below")
        os._exit(7)
        """,
}
FORKING = """
    import json, mlflow, os, sys
    for line in sys.stdin:
        source, environment, log = json.loads(line)
        process = os.fork()
        if not process:
            os.environ.clear()
            os.environ.update(environment)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY), 2)
            exec(source, {"__name__": "__main__"})
            break
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    """
"""Runs scripts in processes of their own, to which it has already imported what takes longest."""
EXIT_CODES = {"crashes": 1, "is killed": -9, "sys.exit": 3, "os._exit": 3, "orphan": 7}


@pytest.fixture(scope="module")
def runs(house: tuple[Space, Tracking]) -> dict[str, str]:
    """Each script was run in a run of its own, and the runs were ended: what failed as FAILED."""
    space, client = house
    ids = {name: space.begin(f"step {name}", parent="job-of-scripts", root="job-of-scripts") for name in SCRIPTS}
    space.begin("the job", run_id="job-of-scripts")

    lines = [
        json.dumps([textwrap.dedent(script), space.environment(ids[name], client), f"{space.root}/{ids[name]}.log"])
        for name, script in SCRIPTS.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKING)],
        input="\n".join(lines),
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"},
        cwd=space.root,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    codes = dict(zip(ids, map(int, done.stdout.split()), strict=True))
    for name, run_id in ids.items():
        assert codes[name] == EXIT_CODES.get(name, 0), Path(space.root, f"{run_id}.log").read_text()
        space.end(run_id, "FAILED" if codes[name] else "FINISHED", 5000)
    assert client.sync(60)
    return ids


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_engine_owns_status_name_and_family(house: tuple[Space, Tracking], runs: dict[str, str], name: str) -> None:
    space, _ = house
    run_id = runs[name]
    expected = "FAILED" if name in EXIT_CODES else "FINISHED"
    found = space.mlflow("SELECT status, end_time, name FROM runs WHERE run_uuid = ?", run_id)
    assert found == [(expected, 5000, f"step {name}")]
    tags = space.tags(run_id)
    assert tags["mlflow.runName"] == f"step {name}"
    assert tags["mlflow.parentRunId"] == tags["mlflow.rootRunId"] == "job-of-scripts"


def test_metrics_are_read_without_mlflow(house: tuple[Space, Tracking], runs: dict[str, str]) -> None:
    space, _ = house
    metrics = tracking.metrics(space.root, runs["adopts"])
    assert str(metrics) == "{'down': -inf, 'inf': inf, 'loss': 0.25, 'nan': nan}"
    assert tracking.metrics(space.root, runs["no start_run"]) == {"loss": 1}


def test_artifacts_lie_in_the_job(house: tuple[Space, Tracking], runs: dict[str, str]) -> None:
    space, _ = house
    assert (space.artifacts(runs["adopts"]) / "notes" / "hello.txt").read_text() == "hello"


def test_a_nested_run_left_running_ends_with_its_step(house: tuple[Space, Tracking], runs: dict[str, str]) -> None:
    space, _ = house
    (inner,) = tracking.descendants(space.root, runs["is killed"])
    found = space.mlflow("SELECT name, status, end_time FROM runs WHERE run_uuid = ?", inner)
    assert found == [("inner", "FAILED", 5000)]
    assert space.tags(inner)["mlflow.rootRunId"] == "job-of-scripts"


def test_runs_that_a_script_makes_itself_are_children_of_its_step(
    house: tuple[Space, Tracking], runs: dict[str, str]
) -> None:
    space, _ = house
    below = tracking.descendants(space.root, runs["orphan"])
    found = {
        name: (status, parent)
        for run_id in below
        for name, status in space.mlflow("SELECT name, status FROM runs WHERE run_uuid = ?", run_id)
        for parent in space.mlflow("SELECT value FROM tags WHERE key = 'mlflow.parentRunId' AND run_uuid = ?", run_id)
    }
    step = runs["orphan"]
    going, middle = (space.mlflow("SELECT run_uuid FROM runs WHERE name = ?", name)[0] for name in ("going", "below"))
    assert found == {
        "done": ("FINISHED", step),  # ended by the script, so it keeps that
        "going": ("FAILED", step),
        "below": ("FAILED", going),
        "far below": ("FAILED", middle),  # the chain to the step leads through an ended run
    }


def test_descendants_of_the_job(house: tuple[Space, Tracking], runs: dict[str, str]) -> None:
    space, _ = house
    below = tracking.descendants(space.root, "job-of-scripts")
    assert set(runs.values()) < set(below)
    assert len(below) == len(runs) + 1 + 4
    assert tracking.descendants(space.root, "nobody") == []
