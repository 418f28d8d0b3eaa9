"""What every executor must do, as tests to inherit.

A backend's test module says

    class TestMyExecutor(ExecutorContract):
        @pytest.fixture
        def executor(self): ...

and gets all of it. The jobs need bash and nothing else.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from creditml.errors import NotFound, SpecError
from creditml.model import Command, ComponentInput, ComponentOutput, Job, JobOutput, Literal, Node, Pipeline
from creditml.references import reference
from creditml.statuses import TERMINAL

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.seams.executor import Executor, JobState

_ENVIRONMENT = reference("any", label="latest")


def node(name: str, command: str, *, needs: str | None = None, writes: str = "", timeout: int | None = None) -> Node:
    """A step: `needs` is another one, whose output `out` is its input `given`; `writes` is a pipeline's output."""
    inputs = {"given": Literal(f"${{{{parent.jobs.{needs}.outputs.out}}}}")} if needs else {}
    component = Command(
        command,
        _ENVIRONMENT,
        inputs={"given": ComponentInput("uri_folder")} if needs else {},
        outputs={"out": ComponentOutput("uri_folder")},
    )
    outputs = {"out": JobOutput(binding=f"${{{{parent.outputs.{writes}}}}}")} if writes else {}
    limits = {"timeout": timeout} if timeout else None
    return Node(name, component, inputs=inputs, outputs=outputs, compute="serverless", limits=limits)


def pipeline(*nodes: Node, outputs: tuple[str, ...] = ()) -> Job:
    """A pipeline job of nodes."""
    graph = Pipeline({each.name: each for each in nodes}, outputs={name: ComponentOutput() for name in outputs})
    root = Node("", graph, "pipeline", outputs={name: JobOutput() for name in outputs}, compute="serverless")
    return Job(root, experiment_name="contract")


def _patience() -> float:
    """Seconds that anything may take: CREDITML_TEST_PATIENCE, for machines in a cloud that have to start first."""
    return float(os.environ.get("CREDITML_TEST_PATIENCE", "60"))


def ended(executor: Executor, name: str, seconds: float | None = None) -> JobState:
    """The job's state once it is a final one."""
    seconds = seconds or _patience()
    deadline = time.monotonic() + seconds
    while True:
        state = executor.poll(name)
        if state.status in TERMINAL:
            return state
        assert time.monotonic() < deadline, f"{name} is still {state.status} after {seconds} s"
        time.sleep(0.05)


def running(executor: Executor, name: str, step: str, seconds: float | None = None) -> None:
    """Wait until a step runs."""
    seconds = seconds or _patience()
    deadline = time.monotonic() + seconds
    while not any(each.path == step and each.status == "Running" for each in executor.poll(name).nodes):
        assert time.monotonic() < deadline, f"{step} did not start within {seconds} s"
        time.sleep(0.05)


class ExecutorContract:
    """Supply the fixture `executor`."""

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test, with nothing in it."""
        raise NotImplementedError

    def test_a_job_of_two_steps_completes(self, executor: Executor, tmp_path: Path) -> None:
        """Data goes from step to step, and the promoted output can be fetched."""
        first = node("first", "echo one > ${{outputs.out}}/words.txt")
        second = node(
            "second",
            "cat ${{inputs.given}}/words.txt - <<< two > ${{outputs.out}}/all.txt",
            needs="first",
            writes="all",
        )

        name = executor.submit(pipeline(first, second, outputs=("all",)))
        state = ended(executor, name)

        assert state.status == "Completed", state
        assert [(each.path, each.status) for each in state.nodes] == [("first", "Completed"), ("second", "Completed")]
        folder = executor.fetch(name, None, "all", tmp_path / "fetched")
        assert (folder / "all.txt").read_text() == "one\ntwo\n"
        step = executor.fetch(name, "first", "out", tmp_path / "step")
        assert (step / "words.txt").read_text() == "one\n"

    def test_submit_returns_at_once(self, executor: Executor) -> None:
        """It does not wait for the job."""
        name = executor.submit(pipeline(node("slow", "sleep 60")))

        assert executor.poll(name).status not in TERMINAL
        executor.cancel(name)
        ended(executor, name)

    def test_logs_hold_both_streams_and_end_with_the_step(self, executor: Executor) -> None:
        """Lines come in the order in which they were written."""
        name = executor.submit(pipeline(node("talk", "echo out; echo err >&2; echo last")))
        ended(executor, name)

        assert [line for line in executor.logs(name, "talk") if line in ("out", "err", "last")] == [
            "out",
            "err",
            "last",
        ]

    def test_a_failing_step_fails_the_job_and_what_needs_it(self, executor: Executor) -> None:
        """Steps that need it never start; others go on."""
        bad = node("bad", "echo broken >&2; exit 3")
        job = pipeline(bad, node("after", "true", needs="bad"), node("beside", "true"))

        name = executor.submit(job)
        state = ended(executor, name)

        assert state.status == "Failed"
        found = {each.path: each.status for each in state.nodes}
        assert found == {"bad": "Failed", "beside": "Completed"}
        error = next(each.error for each in state.nodes if each.path == "bad")
        assert "3" in error
        assert "broken" in error

    def test_a_step_beyond_its_timeout_is_canceled(self, executor: Executor) -> None:
        """As Azure ML does it."""
        name = executor.submit(pipeline(node("slow", "sleep 60", timeout=1)))

        state = ended(executor, name)

        assert state.status == "Failed"
        assert [each.status for each in state.nodes] == ["Canceled"]

    def test_cancel_ends_a_running_job_and_may_be_repeated(self, executor: Executor) -> None:
        """Too late or twice does nothing."""
        name = executor.submit(pipeline(node("slow", "sleep 60")))
        running(executor, name, "slow")

        executor.cancel(name)
        executor.cancel(name)
        state = ended(executor, name)
        executor.cancel(name)

        assert state.status == "Canceled"
        assert [each.status for each in state.nodes] == ["Canceled"]
        assert executor.poll(name).status == "Canceled"

    def test_a_job_with_errors_is_refused_whole(self, executor: Executor) -> None:
        """All problems at once, and nothing runs."""
        job = pipeline(node("a", "cat ${{inputs.nothing}}"), node("b", "true", needs="missing"))

        with pytest.raises(SpecError) as caught:
            executor.submit(job)

        assert len([problem for problem in caught.value.problems if not problem.warning]) == 2

    def test_what_is_not_there_is_not_found(self, executor: Executor, tmp_path: Path) -> None:
        """Jobs, steps and outputs."""
        with pytest.raises(NotFound):
            executor.poll("no_such_job")
        with pytest.raises(NotFound):
            executor.cancel("no_such_job")
        name = executor.submit(pipeline(node("a", "true")))
        ended(executor, name)
        with pytest.raises(NotFound):
            executor.fetch(name, "a", "nothing", tmp_path / "x")
        with pytest.raises(NotFound):
            executor.fetch(name, "nobody", "out", tmp_path / "y")
