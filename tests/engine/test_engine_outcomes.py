"""How a step ended, in the words and with the files that it leaves; and what becomes of those that need it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
from inside import run, steps

from creditml.model import Command, ComponentInput, ComponentOutput, JobOutput, Literal, Node, Pipeline
from creditml.seams.launcher import Exit
from creditml.testing.executors import node, pipeline
from creditml.workspace import Workspace
from creditml_local import LocalLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from creditml.model import Job
    from creditml.seams.executor import Watched
    from creditml.seams.launcher import Running, Step
    from creditml.workspace.records import JobRecord

FOLDER = ComponentInput("uri_folder")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.close()


class Ended:
    """A command that has ended otherwise than it did."""

    def __init__(self, running: Running, end: Exit) -> None:
        self._running, self._end = running, end

    def exit(self) -> Exit:
        self._running.exit()
        return self._end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._running, name)


def ending(end: Exit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command end so."""
    start = LocalLauncher.start

    def started(launcher: LocalLauncher, step: Step) -> Any:
        return Ended(start(launcher, step), end)

    monkeypatch.setattr(LocalLauncher, "start", started)


def reader(name: str, inputs: dict[str, tuple[ComponentInput, str]], command: str = "true") -> Node:
    """A step that takes the outputs `out` of others."""
    component = Command(command, "azureml:any@latest", inputs={key: spec for key, (spec, _) in inputs.items()})
    given = {key: Literal(f"${{{{parent.jobs.{need}.outputs.out}}}}") for key, (_, need) in inputs.items()}
    return Node(name, component, inputs=given, compute="serverless")


def error(workspace: Workspace, job: JobRecord, path: str = "a") -> str:
    return str((steps(workspace, job)[path].error or {})["message"])


def statuses(workspace: Workspace, job: JobRecord) -> dict[str, str]:
    return {path: step.status for path, step in steps(workspace, job).items()}


# -- how it ended


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exit(3), "exited with status code 3"),
        (Exit(None, signal=9), "was killed by signal 9"),
        (Exit(None, signal=9, out_of_memory=True), "was killed since the memory was exhausted"),
        (Exit(137, out_of_memory=True), "was killed since the memory was exhausted"),
        (Exit(None, vanished=True), "has vanished, so that it isn't known how it ended"),
        (Exit(0, vanished=True), "has vanished, so that it isn't known how it ended"),
    ],
)
def test_whatever_is_known_of_an_end_is_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, end: Exit, words: str
) -> None:
    ending(end, monkeypatch)

    job = run(pipeline(node("a", "true")), workspace)

    assert f"User process 'true' {words}." in error(workspace, job)
    step = steps(workspace, job)["a"]
    assert (job.status, step.status, step.exit_code) == ("Failed", "Failed", end.code)


def test_the_last_lines_of_the_log_are_the_error(workspace: Workspace) -> None:
    job = run(pipeline(node("a", "for n in $(seq 1 300); do echo line $n; done; exit 1")), workspace)

    said = error(workspace, job)
    assert said.endswith("\n".join(["Error: line 289", *(f"line {number}" for number in range(290, 301))]))


def test_of_long_lines_the_end_is_said(workspace: Workspace) -> None:
    job = run(pipeline(node("a", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo last; exit 1")), workspace)

    said = error(workspace, job)
    assert said.endswith("x\nlast")
    assert len(said) < 10_000


# -- what it leaves


def test_what_a_failed_step_wrote_is_recorded_where_it_lies(workspace: Workspace) -> None:
    outputs = {
        name: JobOutput(kind) for name, kind in (("out", "uri_folder"), ("file", "uri_file"), ("no", "uri_file"))
    }
    component = Command(
        "echo half > ${{outputs.out}}/half.txt; echo one > ${{outputs.file}}; exit 1",
        "azureml:any@latest",
        outputs={name: ComponentOutput(output.type or "") for name, output in outputs.items()},
    )
    job = run(pipeline(Node("a", component, outputs=outputs, compute="serverless")), workspace)

    step = steps(workspace, job)["a"]
    assert set(step.results["outputs"]) == {"out", "file"}
    found = {name: workspace.data.locate(f"azureml://jobs/{step.name}/outputs/{name}") for name in ("out", "file")}
    assert (found["out"] / "half.txt").read_text(encoding="utf-8") == "half\n"
    assert found["file"].read_text(encoding="utf-8") == "one\n"
    assert not (workspace.jobs.folder(step) / "outputs").exists()  # they never were in place


def test_what_a_step_closed_is_open_to_its_owner_afterwards(workspace: Workspace) -> None:
    """As an upload knows no modes. Of others nothing is said, and a file that may be somebody else's stays as it is."""
    command = (
        "cd ${{outputs.out}}; mkdir sub; touch sub/closed sub/open other; ln other linked; "
        "chmod 000 other sub/closed; chmod 640 sub/open; chmod 500 sub"
    )
    job = run(pipeline(node("a", command)), workspace)

    place = workspace.jobs.folder(steps(workspace, job)["a"]) / "outputs/out"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*")}
    assert modes == {"sub": 0o700, "closed": 0o600, "open": 0o640, "other": 0, "linked": 0}


def test_links_within_an_output_lead_to_the_same_wherever_it_lies(workspace: Workspace) -> None:
    """A relative one goes with it; an absolute one would lead to where it was written, and is replaced by a copy."""
    command = (
        "cd ${{outputs.out}}; mkdir sub; echo a > sub/a; ln -s sub/a relative; ln -s $PWD/sub/a absolute; "
        "ln -s $PWD/sub folder; ln -s ../sub/a sub/up"
    )
    job = run(pipeline(node("a", command)), workspace)

    place = workspace.jobs.folder(steps(workspace, job)["a"]) / "outputs/out"
    links = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_symlink()}
    assert links == {"relative", "sub/up"}
    files = ("relative", "absolute", "folder/a", "sub/up")
    assert [(place / name).read_text(encoding="utf-8") for name in files] == ["a\n"] * len(files)


def test_a_job_whose_only_trouble_is_a_limit_says_which(workspace: Workspace) -> None:
    job = run(pipeline(node("slow", "sleep 60")._replace(limits={"timeout": 0.05}), node("well", "true")), workspace)

    assert statuses(workspace, job) == {"slow": "Canceled", "well": "Completed"}
    assert (job.status, (job.error or {})["code"]) == ("Failed", "UserError")
    assert "longer than its limits.timeout of 0.05 s" in (job.error or {})["message"]


# -- what needs it


def test_a_step_that_could_do_without_an_input_runs_without(workspace: Workspace) -> None:
    optional = FOLDER._replace(optional=True)
    job = run(
        pipeline(
            node("bad", "exit 1"),
            node("good", "echo words > ${{outputs.out}}/w.txt"),
            reader(
                "either",
                {"one": (optional, "bad"), "two": (optional, "good")},
                "echo $[[one: ${{inputs.one}}]] $[[two: $(cat ${{inputs.two}}/w.txt)]]",
            ),
        ),
        workspace,
    )

    assert statuses(workspace, job) == {"bad": "Failed", "good": "Completed", "either": "Completed"}
    log = workspace.jobs.folder(steps(workspace, job)["either"]) / "artifacts/user_logs/std_log.txt"
    assert log.read_text(encoding="utf-8") == "two: words\n"


@pytest.mark.parametrize("order", [("required", "optional"), ("optional", "required")])
def test_a_step_that_needs_an_output_twice_can_t_do_without_it_once(
    workspace: Workspace, order: tuple[str, str]
) -> None:
    inputs = {name: (FOLDER._replace(optional=name == "optional"), "bad") for name in order}
    job = run(pipeline(node("bad", "exit 1"), reader("after", inputs)), workspace)

    assert statuses(workspace, job) == {"bad": "Failed"}


def half_done(beside: Node) -> Job:
    """A pipeline with a step that does well, and then one beside it; after that there would be one more in it."""
    inner = Pipeline({"well": node("well", "true"), "never": node("never", "true", needs="well")})
    job = pipeline(Node("inner", inner, "pipeline"), beside)
    return job._replace(settings=job.settings._replace(continue_on_step_failure=False))


def test_a_pipeline_whose_rest_will_never_run_has_failed(workspace: Workspace) -> None:
    job = run(half_done(node("bad", "exit 1")), workspace, max_parallel=1)

    assert statuses(workspace, job) == {"inner": "Failed", "inner.well": "Completed", "bad": "Failed"}


def test_one_whose_rest_was_canceled_is_canceled(workspace: Workspace) -> None:
    def look(runner: Watched) -> None:
        if runner.states["long"].status == "Running":
            workspace.jobs.request_cancel(runner.record.name)

    job = run(half_done(node("long", "sleep 60")), workspace, look, max_parallel=1)

    assert statuses(workspace, job) == {"inner": "Canceled", "inner.well": "Completed", "long": "Canceled"}
    assert job.status == "Canceled"
