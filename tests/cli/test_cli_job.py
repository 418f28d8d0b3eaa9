"""`creditml job …`: the life of a job as the command line shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, pipeline, single, step

if TYPE_CHECKING:
    from pathlib import Path

    from project import Job

NAME = re.compile(r"[a-z]+_[a-z]+_[b-df-hj-np-tv-z0-9]{10}")
OUT = {"out": {"type": "uri_folder"}}


def waiting(tmp_path: Path) -> tuple[Path, str]:
    """A file, and a command that lasts as long as the file is there."""
    go = tmp_path / "go"
    return go, f"touch {go}; while test -e {go}; do sleep 0.01; done"


# -- create


def test_create_makes_up_a_name_as_azure_does(project: Project) -> None:
    job = project.submit(single("echo hi"))

    assert NAME.fullmatch(job.name)
    job.wait()


def test_create_takes_names_from_flags(project: Project) -> None:
    project.write("job.yml", single("echo hi", name="theirs", experiment_name="theirs"))

    made = project.json(
        "job",
        "create",
        "-f",
        "job.yml",
        "--name",
        "mine",
        "--experiment-name",
        "ours",
        "--set",
        "tags.a=1",
        "display_name=Two words",
    )

    assert (made["name"], made["experiment_name"], made["display_name"]) == ("mine", "ours", "Two words")
    assert made["tags"] == {"a": "1"}


def test_create_streams_on_demand(project: Project) -> None:
    project.write("job.yml", single("echo one; sleep 0.3; echo two"))

    done = project.creditml("job", "create", "-f", "job.yml", "--name", "mine", "--stream")

    assert done.out.splitlines()[6:9] == ["one", "two", ""]
    assert project.json("job", "show", "-n", "mine")["status"] == "Completed"


def test_create_and_stream_of_a_failing_job_ends_with_1(project: Project) -> None:
    project.write("job.yml", single("echo some words; exit 3"))

    done = project.creditml("job", "create", "-f", "job.yml", "--stream", code=1)

    assert "Execution Summary" in done.out
    assert done.err.startswith('Exception : \n {\n    "error": {\n')
    assert "status code 3" in done.err


def test_warnings_of_the_check_go_to_stderr(project: Project) -> None:
    project.write("job.yml", {"type": "command", "command": "echo hi"})

    done = project.creditml("job", "create", "-f", "job.yml", "--query", "name", "-o", "tsv")

    assert "warning:" in done.err
    assert NAME.fullmatch(done.out.strip())


# -- stream


def test_the_stream_of_a_command_job_word_for_word(project: Project) -> None:
    job = project.run(single("echo one; echo; echo ' two '; printf three"))
    view = job.show("services.Studio.endpoint")

    assert project.creditml("job", "stream", "-n", job.name).out == (
        f"RunId: {job.name}\nWeb View: {view}\n\n"
        "Streaming user_logs/std_log.txt\n===============================\n\n"
        "one\n\n two \nthree\n\n"
        f"Execution Summary\n=================\nRunId: {job.name}\nWeb View: {view}\n\n"
    )


def test_the_stream_of_a_pipeline_is_its_execution_log(project: Project) -> None:
    job = project.run(pipeline({"good": step("echo hi"), "bad": step("exit 3")}), "--max-parallel", "1", code=1)
    steps = {node: child["name"] for node, child in job.steps().items()}

    shown = project.creditml("job", "stream", "-n", job.name, code=1).out

    head, _, rest = shown.partition("\n\n")
    assert head.splitlines()[0] == f"RunId: {job.name}"
    title, rule, blank, *lines = rest.splitlines()
    assert (title, rule, blank) == ("Streaming logs/azureml/executionlogs.txt", "=" * 40, "")
    stamps, texts = zip(*(line.split("] ", 1) for line in lines[: lines.index("")]), strict=True)
    assert all(re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", stamp) for stamp in stamps)
    assert f"Submitting 1 runs, first five are: {steps['good'][:8]}:{steps['good']}" in texts
    assert f"Completing processing run id {steps['good']}." in texts
    assert any(text.startswith(f"Job failed, job RunId is {steps['bad']}. Error: ") for text in texts)
    assert texts[-1] == "Execution of experiment failed, update experiment status and cancel running nodes."
    assert "hi" not in texts


def test_a_stream_shows_what_comes_and_ends_with_the_job(project: Project, tmp_path: Path) -> None:
    go, wait = waiting(tmp_path)
    job = project.submit(single(f"echo first; {wait}; echo last"))

    with project.start("job", "stream", "-n", job.name) as stream:
        assert stream.stdout
        seen = [stream.stdout.readline() for _ in range(7)]
        eventually(go.exists)  # what was said before may be read first
        go.unlink()
        seen += stream.stdout.readlines()

    assert seen[6] == "first\n"
    assert "last\n" in seen[7:]
    assert stream.returncode == 0


def test_the_stream_of_a_child_is_refused(project: Project) -> None:
    job = project.run(pipeline({"a": step("echo hi")}))
    child = job.steps()["a"]["name"]

    done = project.creditml("job", "stream", "-n", child, code=1)

    assert job.name in done.err
    assert done.out == ""


def test_the_stream_of_a_canceled_job_says_so(project: Project, tmp_path: Path) -> None:
    go, wait = waiting(tmp_path)
    job = project.submit(pipeline({"a": step(wait)}))
    eventually(go.exists)

    project.creditml("job", "cancel", "-n", job.name)
    shown = project.creditml("job", "stream", "-n", job.name, code=None)

    assert "Experiment cancel requested, checking remained jobs..." in shown.out
    assert "Exception" not in shown.err


# -- show, list, archive


def test_statuses_and_times_are_azure_s(project: Project) -> None:
    job = project.run(pipeline({"a": step("echo hi")}))

    shown = job.show()

    assert shown["status"] == "Completed"
    for key in ("start_time", "end_time"):
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.\d{3}", shown[key])
    assert shown["creation_context"]["created_at"] <= shown["start_time"] <= shown["end_time"]


def test_children_have_guids_and_know_their_parent(project: Project) -> None:
    job = project.run(pipeline({"a": step("echo hi", display_name="The step", tags={"x": "1"})}))

    child = job.step("a")

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", child["name"])
    assert (child["parent_job_name"], child["display_name"], child["tags"]) == (job.name, "The step", {"x": "1"})


def test_the_children_of_a_nested_pipeline_are_its_own(project: Project) -> None:
    project.write("deep.yml", {"type": "pipeline", "jobs": {"s": step("echo deep")}})
    project.write("inner.yml", {"type": "pipeline", "jobs": {"d": {"type": "pipeline", "component": "./deep.yml"}}})
    node = {"type": "pipeline", "component": "./inner.yml"}

    job = project.run(pipeline({"one": node, "two": node}))

    found = {}
    todo = list(job.steps().values())
    while todo:
        child = todo.pop()
        found[child["node"]] = (child["type"], child["status"])
        todo += project.json("job", "list", "-p", child["name"])
    assert found == {
        node: (kind, "Completed")
        for top in ("one", "two")
        for node, kind in ((top, "pipeline"), (f"{top}.d", "pipeline"), (f"{top}.d.s", "command"))
    }


@pytest.fixture
def three(project: Project) -> list[Job]:
    """Three jobs, the first of which is archived."""
    jobs = [project.run(single("echo hi"), name=f"j{number}") for number in range(3)]
    project.creditml("job", "archive", "-n", "j0")
    return jobs


@pytest.mark.usefixtures("three")
def test_list_shows_the_newest_first(project: Project) -> None:
    def listed(*flags: str) -> list[str]:
        return [job["name"] for job in project.json("job", "list", *flags)]

    assert listed() == ["j2", "j1"]
    assert listed("--include-archived") == ["j2", "j1", "j0"]
    assert listed("--archived-only") == ["j0"]
    assert listed("-r", "1") == ["j2"]
    assert listed("--max-results", "2", "--include-archived") == ["j2", "j1"]
    assert listed("-r", "1", "--all-results") == ["j2", "j1"]
    assert listed("--query", "[].{name: creation_context.created_at}")[0] > "2", "as `job show` has it"


def test_restore_brings_an_archived_job_back(project: Project, three: list[Job]) -> None:
    project.creditml("job", "restore", "-n", three[0].name)

    assert len(project.json("job", "list")) == 3


def test_archived_only_and_include_archived_exclude_each_other(project: Project) -> None:
    project.creditml("job", "list", "--archived-only", "--include-archived", code=2)


def test_only_an_ended_job_can_be_archived(project: Project, tmp_path: Path) -> None:
    go, wait = waiting(tmp_path)
    job = project.submit(single(wait))
    eventually(go.exists)

    refused = project.creditml("job", "archive", "-n", job.name, code=1)
    go.unlink()
    job.wait()

    assert "Running" in refused.err
    project.creditml("job", "archive", "-n", job.name)


def test_the_near_miss_of_a_job_s_name_is_told(project: Project) -> None:
    project.run(single("echo hi"), name="credit_model")

    assert "'credit_model'" in project.creditml("job", "show", "-n", "credit_modle", code=1).err


# -- download


@pytest.fixture
def written(project: Project) -> Job:
    """A pipeline with a folder and a file as outputs, artifacts and a log."""
    jobs = {
        "a": step(
            "echo log; echo 1 > ${{outputs.folder}}/one.txt; echo 2 > ${{outputs.file}}\n"
            "echo 3 > outputs/three.txt; echo 4 > ${{outputs.own}}/four.txt",
            outputs={
                "folder": "${{parent.outputs.folder}}",
                "file": "${{parent.outputs.file}}",
                "own": {"type": "uri_folder"},
            },
        )
    }
    return project.run(pipeline(jobs, outputs={"folder": {"type": "uri_folder"}, "file": {"type": "uri_file"}}))


def files(folder: Path) -> set[str]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


ARTIFACTS = {"artifacts/logs/azureml/executionlogs.txt"}
NAMED = {"named-outputs/folder/one.txt", "named-outputs/file/file"}


def test_download_brings_logs_and_artifacts(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.name, "-p", "got")

    assert files(project.folder / "got") == ARTIFACTS


def test_download_all_brings_the_named_outputs_too(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.name, "--all", "-p", "got")

    assert files(project.folder / "got") == ARTIFACTS | NAMED


def test_download_of_one_output_brings_that_alone(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.name, "--output-name", "folder", "-p", "got")

    assert files(project.folder / "got") == {"named-outputs/folder/one.txt"}


def test_download_of_a_step(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.steps()["a"]["name"], "--all", "-p", "got")

    own = {"artifacts/user_logs/std_log.txt", "artifacts/outputs/three.txt", "named-outputs/own/four.txt"}
    assert files(project.folder / "got") == own | NAMED


def test_download_again_replaces_what_was_there(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.name, "--all", "-p", "got")
    project.write("got/named-outputs/folder/one.txt", "changed")

    project.creditml("job", "download", "-n", written.name, "--all", "-p", "got")

    assert (project.folder / "got/named-outputs/folder/one.txt").read_text(encoding="utf-8") == "1\n"


def test_what_is_downloaded_is_the_user_s_own(project: Project, written: Job) -> None:
    project.creditml("job", "download", "-n", written.name, "--all", "-p", "got")

    project.write("got/named-outputs/folder/one.txt", "changed")

    project.creditml("job", "download", "-n", written.name, "--all", "-p", "again")
    assert (project.folder / "again/named-outputs/folder/one.txt").read_text(encoding="utf-8") == "1\n"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_download_to_a_file_is_refused(project: Project, written: Job, place: str) -> None:
    file = project.write("file", "mine")

    done = project.creditml("job", "download", "-n", written.name, "-p", place, code=1)

    assert "file" in done.err
    assert file.read_text(encoding="utf-8") == "mine"


def test_download_of_an_output_that_is_not_there_names_the_near_miss(project: Project, written: Job) -> None:
    done = project.creditml("job", "download", "-n", written.name, "--output-name", "foldr", "-p", "got", code=1)

    assert "'folder'" in done.err
    assert not (project.folder / "got").exists()


def test_download_while_it_runs_is_refused_in_azure_s_words(project: Project, tmp_path: Path) -> None:
    go, wait = waiting(tmp_path)
    job = project.submit(single(wait))
    eventually(go.exists)

    done = project.creditml("job", "download", "-n", job.name, code=1)
    go.unlink()

    assert "This job is in state Running. Download is allowed only in states [" in done.err
    assert f"creditml job stream -n {job.name}" in done.err
    job.wait()


# -- validate


def test_validate_runs_nothing(project: Project) -> None:
    project.write("job.yml", pipeline({"a": step("echo hi")}))

    assert project.creditml("job", "validate", "-f", "job.yml").out == "job.yml: valid\n"
    assert not project.workspace.exists()


def test_validate_tells_programs_what_it_tells_people(project: Project) -> None:
    project.write("job.yml", pipeline({"a": step("echo ${{inputs.x}}")}))

    done = project.creditml("job", "validate", "-f", "job.yml", code=1)
    told = project.json("job", "validate", "-f", "job.yml", "-o", "json", code=1)

    assert told["result"] == "Failed"
    (problem,) = told["problems"]
    assert problem["severity"] == "error"
    assert f"{problem['location']}: {problem['message']}" == done.err.splitlines()[0]


def test_a_registered_component_that_is_not_there_is_a_problem_of_the_file(project: Project) -> None:
    project.write("job.yml", pipeline({"a": {"type": "command", "component": "azureml:nope:1"}}))

    done = project.creditml("job", "validate", "-f", "job.yml", code=1)

    assert done.err.startswith("job.yml:")
    assert "'nope'" in done.err
