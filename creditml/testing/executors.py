"""The behaviour that every executor must have, as tests to inherit.

A backend's test module defines

    class TestMyExecutor(ExecutorContract):
        @pytest.fixture
        def executor(self): ...

and inherits all tests. Their jobs need only bash.
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
    """A node that runs a command.

    Args:
        name: The name of the node.
        command: The command. Its output is called `out`.
        needs: The name of another node, whose output `out` becomes the input `given`.
        writes: The output of the pipeline to which the output `out` is bound.
        timeout: The limit of its time, in seconds.
    """
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
    """A pipeline job of the nodes, with outputs of these names."""
    graph = Pipeline({each.name: each for each in nodes}, outputs={name: ComponentOutput() for name in outputs})
    root = Node("", graph, "pipeline", outputs={name: JobOutput() for name in outputs}, compute="serverless")
    return Job(root, experiment_name="contract")


def _patience() -> float:
    """The longest wait in seconds. CREDITML_TEST_PATIENCE sets it, for clusters in a cloud that have to start first."""
    return float(os.environ.get("CREDITML_TEST_PATIENCE", "60"))


def ended(executor: Executor, name: str, seconds: float | None = None) -> JobState:
    """Wait until a job has ended, and return its state."""
    seconds = seconds or _patience()
    deadline = time.monotonic() + seconds
    while True:
        state = executor.poll(name)
        if state.status in TERMINAL:
            return state
        assert time.monotonic() < deadline, f"{name} is still {state.status} after {seconds} s"
        time.sleep(0.05)


def running(executor: Executor, name: str, step: str, seconds: float | None = None) -> None:
    """Wait until a step is running."""
    seconds = seconds or _patience()
    deadline = time.monotonic() + seconds
    while not any(each.path == step and each.status == "Running" for each in executor.poll(name).nodes):
        assert time.monotonic() < deadline, f"{step} did not start within {seconds} s"
        time.sleep(0.05)


class ExecutorContract:
    """The tests; a subclass has to define the fixture `executor`."""

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test, with an empty workspace."""
        raise NotImplementedError

    def test_a_job_of_two_steps_completes(self, executor: Executor, tmp_path: Path) -> None:
        """Data is passed from step to step, and an output bound to the pipeline's output can be fetched."""
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
        """Submitting does not wait for the job."""
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
        """Steps that need the failed step never start; other steps go on."""
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
        """The job is then Failed, as in Azure ML."""
        name = executor.submit(pipeline(node("slow", "sleep 60", timeout=1)))

        state = ended(executor, name)

        assert state.status == "Failed"
        assert [each.status for each in state.nodes] == ["Canceled"]

    def test_cancel_ends_a_running_job_and_may_be_repeated(self, executor: Executor) -> None:
        """Canceling a second time, or after the end, does nothing."""
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
        """All problems are reported at once, and nothing runs."""
        job = pipeline(node("a", "cat ${{inputs.nothing}}"), node("b", "true", needs="missing"))

        with pytest.raises(SpecError) as caught:
            executor.submit(job)

        assert len([problem for problem in caught.value.problems if not problem.warning]) == 2

    def test_what_is_not_there_is_not_found(self, executor: Executor, tmp_path: Path) -> None:
        """Unknown jobs, steps and outputs are reported as NotFound."""
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
