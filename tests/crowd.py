"""Lets many clients, each a process with the genuine SDK, use one service at the same time, and checks the results.

python tests/crowd.py CLIENTS JOBS    in a new folder; prints seconds as JSON, or fails
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from project import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENT = Path(__file__).with_name("crowd_client.py")
PATIENCE = 1800.0  # seconds; enough for a small and busy machine


class Took(NamedTuple):
    """Seconds from the first submission to the last, and to the end of the last job."""

    submitting: float
    running: float


def run(project: Project, clients: int, jobs: int) -> Took:
    """Let clients submit jobs to the project's service, and check the results."""
    project.creditml("up")
    try:
        start, submitted, said = _submit(project, clients, jobs)
        listed = _ended(project, clients * jobs)
        ended = time.monotonic()
    finally:
        project.creditml("down")
    check_jobs(project, said, listed)
    check_versions(said)
    return Took(submitted - start, ended - start)


def check_jobs(project: Project, said: Sequence[dict[str, Any]], listed: Sequence[dict[str, Any]]) -> None:
    """Each job whose name a client got was recorded once, has run once, and has the expected output."""
    assert sorted(job["name"] for job in listed) == sorted(given["job"] for given in said)
    assert {job["status"] for job in listed} == {"Completed"}
    for given in said:
        logs = list((project.workspace / "jobs" / given["job"]).glob("steps/*/artifacts/user_logs/std_log.txt"))
        assert [log.read_text() for log in logs] == [f"{given['word']} {given['word']}\n"]


def check_versions(said: Sequence[dict[str, Any]]) -> None:
    """For each asset name, the clients got the versions 1 to N, each exactly once."""
    for what in said[0]["versions"]:
        told = sorted(int(given["versions"][what]) for given in said)
        assert told == list(range(1, len(said) + 1)), f"{what}: {told}"


class _Client:
    """A client's process."""

    def __init__(self, folder: Path, jobs: int, environment: dict[str, str]) -> None:
        folder.mkdir()
        self._errors = folder / "errors.txt"
        command = [sys.executable, str(CLIENT), folder.name, str(jobs)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=errors, text=True, **pipes)

    def begin(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def ready(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", self._errors.read_text()

    def said(self) -> list[dict[str, Any]]:
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, self._errors.read_text()
        return [json.loads(line) for line in out.splitlines()]


def _submit(project: Project, clients: int, jobs: int) -> tuple[float, float, list[dict[str, Any]]]:
    """Start all clients together; returns when they began, when all had submitted, and what they printed."""
    environment = _environment(project)
    started = [_Client(project.folder / f"c{number}", jobs, environment) for number in range(clients)]
    try:
        for client in started:
            client.ready()
        start = time.monotonic()
        for client in started:
            client.begin()
        said = [line for client in started for line in client.said()]
    finally:
        for client in started:
            client.process.kill()
            client.process.wait()
    assert len(said) == clients * jobs
    return start, time.monotonic(), said


def _environment(project: Project) -> dict[str, str]:
    """The environment variables that `creditml exec --print-env` prints."""
    environment = project.environment()
    for line in project.creditml("exec", "--print-env").out.splitlines():
        word, *rest = shlex.split(line)
        for name in rest:
            key, _, value = name.partition("=")
            if word == "export":
                environment[key] = value
            else:
                environment.pop(key, None)
    return environment


def _ended(project: Project, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE
    while True:
        listed: list[dict[str, Any]] = project.json("job", "list", "--all-results")
        if all(job["status"] in ("Completed", "Failed", "Canceled") for job in listed):
            assert len(listed) == count, f"{len(listed)} of {count} jobs"
            return listed
        assert time.monotonic() < deadline, "jobs that don't end"
        time.sleep(1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="creditml-crowd-") as top:
        print(json.dumps(run(Project(Path(os.path.realpath(top))), int(sys.argv[1]), int(sys.argv[2]))._asdict()))
