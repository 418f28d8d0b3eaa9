"""A user's project for tests: a folder with files in it, and the command line run there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from creditml.cli import main
from creditml.service.variables import UNSET
from creditml.tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from typing_extensions import Self

    Json: TypeAlias = Any

PATIENCE = 300.0
"""Seconds after which a test fails that waits for an event: several times what any event takes on a busy machine."""
ENVIRONMENT: Json = {"image": "python:3.11"}
STARTING = (
    ("run",),
    ("job", "create"),
    ("step", "run"),
    ("environment", "build"),
    ("exec",),
    ("up",),
    ("down",),
    ("status",),
    ("ui",),
    ("pull",),
)
"""Commands that start steps, servers or installations, or have to do with these processes."""


class Done(NamedTuple):
    """A command line that has ended."""

    code: int
    out: str
    err: str


class Project:
    """A project's folder with its own workspace."""

    def __init__(self, folder: Path, **variables: str) -> None:
        """Use `folder`; `variables` are set for every command, in addition to this process's environment."""
        self.folder, self.variables = folder, variables
        self.prefix: tuple[str, ...] = ()  # a program that starts every command, such as `setpriv …`
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> Path:
        """The workspace's folder."""
        return self.folder / ".creditml"

    def write(self, path: str, content: str | bytes | Mapping[str, Any]) -> Path:
        """Write a file; a mapping becomes YAML (in the form of JSON)."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            text = (
                textwrap.dedent(content)
                if isinstance(content, str)
                else json.dumps(content, indent=1, ensure_ascii=False)
            )
            file.write_text(text, encoding="utf-8")
        return file

    def environment(self) -> dict[str, str]:
        """The environment variables of a command's process, without this process's settings for creditml."""
        cloud = "ARM_CLOUD_METADATA_URL" in os.environ  # the test has set a workspace in Azure, and what it asks for
        foreign = ("CREDITML_", "MLFLOW_", *(() if cloud else ("AZUREML_CURRENT_CLOUD",)))
        token = {"MLFLOW_TRACKING_TOKEN"} if cloud else set()
        kept = {name: value for name, value in os.environ.items() if name in token or not name.startswith(foreign)}
        return {**kept, "XDG_CACHE_HOME": str(self.folder / ".cache"), **self.variables}

    def start(self, *words: str, **options: Json) -> subprocess.Popen[str]:
        """Begin a command."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        command = [*self.prefix, sys.executable, "-m", "creditml.cli", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(), text=True, **options)

    def creditml(self, *words: str, code: int | None = 0, **options: Json) -> Done:
        """Run a command, and check that it neither shows a traceback nor reports a defect of creditml.

        It runs in this process unless it needs a process of its own (`needs_a_process`).

        Args:
            words: the command.
            code: the exit code that it must have; None for any.
            options: of `subprocess.Popen`, for a process of its own.
        """
        done = self.outside(words, **options) if options or self.needs_a_process(words) else self.inside(words)
        assert "Traceback" not in done.err, done.err
        assert "defect" not in done.err, done.err
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def needs_a_process(self, words: Sequence[str]) -> bool:
        """Whether a command starts steps or servers, or would change what other threads of this process use."""
        if self.prefix or threading.current_thread() is not threading.main_thread():
            return True
        return not {"-h", "--help"} & {*words} and any(words[: len(start)] == start for start in STARTING)

    def outside(self, words: Sequence[str], **options: Json) -> Done:
        """Run a command as a process."""
        with self.start(*words, **options) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                message = f"creditml {' '.join(words)} hangs"
                raise AssertionError(message) from None
        return Done(process.returncode, out or "", err or "")

    def inside(self, words: Sequence[str]) -> Done:
        """Run a command in this process, with the folder and variables that its own process would have."""
        out, err = io.StringIO(), io.StringIO()
        wanted = self.environment()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in {*os.environ, *UNSET} - wanted.keys():
                patch.setenv(name, "")  # otherwise the SDK's own changes (AZUREML_CURRENT_CLOUD) would remain
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            try:
                ended = main(words)
            except SystemExit as error:
                ended = int(error.code or 0)
        return Done(ended, out.getvalue(), err.getvalue())

    def json(self, *words: str, code: int = 0) -> Json:
        """The JSON that a command prints, as values."""
        return json.loads(self.creditml(*words, code=code).out)

    def run(self, spec: Mapping[str, Any], *flags: str, name: str = "", code: int | None = 0) -> Job:
        """Run a job to its end."""
        self.write("job.yml", spec)
        name = name or f"job{len(list(self.workspace.glob('jobs/*')))}"
        done = self.creditml("run", "job.yml", "--name", name, *flags, code=code)
        return Job(self, name, done)

    def submit(self, spec: Mapping[str, Any], *flags: str) -> Job:
        """Submit a job; its runner is a process of its own."""
        self.write("job.yml", spec)
        done = self.creditml("job", "create", "-f", "job.yml", "--query", "name", "-o", "tsv", *flags)
        return Job(self, done.out.strip(), done)


class Job:
    """A submitted job as the command line shows it."""

    def __init__(self, project: Project, name: str, done: Done) -> None:
        """`done` is the command that made it."""
        self.project, self.name, self.done = project, name, done

    def show(self, query: str = "@") -> Json:
        """The output of `job show`, as values."""
        return self.project.json("job", "show", "-n", self.name, "--query", query)

    @property
    def status(self) -> str:
        """The job's status."""
        return str(self.show("status"))

    def steps(self) -> dict[str, dict[str, Any]]:
        """The job's children, by the names of their nodes."""
        listed = self.project.json("job", "list", "-p", self.name)
        return {step["node"]: step for step in listed}

    def statuses(self) -> dict[str, str]:
        """The statuses of the job's children, by the names of their nodes."""
        return {node: step["status"] for node, step in self.steps().items()}

    def step(self, node: str) -> Json:
        """The output of `job show` for a child, as values."""
        return self.project.json("job", "show", "-n", self.steps()[node]["name"])

    def folder(self, node: str = "") -> Path:
        """The folder of the job or of a step."""
        top = self.project.workspace / "jobs" / self.name
        return top / "steps" / node if node else top

    def log(self, node: str = "") -> str:
        """The log of a step."""
        return (self.folder(node) / "artifacts/user_logs/std_log.txt").read_text(encoding="utf-8")

    def wait(self) -> Self:
        """Wait until the job has ended."""
        eventually(lambda: self.status in ("Completed", "Failed", "Canceled"))
        return self


def step(command: str, **keys: Json) -> dict[str, Any]:
    """A command node, or a command job."""
    return {"type": "command", "command": command, "environment": ENVIRONMENT, **keys}


def python(code: str, **keys: Json) -> dict[str, Any]:
    """A command that runs Python code, which must not contain single quotes."""
    code = textwrap.dedent(code)
    assert "'" not in code
    return step(f"python -c '{code}'", **keys)


def single(command: str, **keys: Json) -> dict[str, Any]:
    """A command job that is not part of a pipeline."""
    return step(command, compute="azureml:cluster", **keys)


def pipeline(jobs: Mapping[str, Any], **keys: Json) -> dict[str, Any]:
    """A pipeline job."""
    settings = {"default_compute": "serverless", **keys.pop("settings", {})}
    return {"type": "pipeline", "settings": settings, "jobs": dict(jobs), **keys}


@contextmanager
def with_mlflow(workspace: Path) -> Iterator[None]:
    """Keep one MLflow server running for several jobs of a workspace; otherwise each job would start one."""
    with Tracking(workspace) as client:
        client.start()
        yield


def eventually(what: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def processes(marker: str) -> dict[int, int]:
    """The processes (except this one) whose command line contains a marker, with their parents."""
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = (line.split(maxsplit=2) for line in listing.splitlines() if marker in line)
    found = {int(number): int(parent) for number, parent, words in lines if not words.startswith("ps ")}
    found.pop(os.getpid(), None)
    return found
