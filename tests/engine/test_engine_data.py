"""What steps read and write: inputs that stay as they are, outputs that are complete or absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from project import Project, eventually, pipeline, python, single, step

if TYPE_CHECKING:
    from pathlib import Path

OUT = {"out": {"type": "uri_folder"}}
FILE = {"out": {"type": "uri_file"}}
DATA = {"data": {"type": "uri_folder", "path": "./data"}}
FROM_A = {"data": "${{parent.jobs.a.outputs.out}}"}


@pytest.fixture
def data(project: Project) -> Path:
    """The file data/one.txt of the project."""
    project.write("data/sub/two.txt", "two\n")
    return project.write("data/one.txt", "one\n")


# -- inputs


@pytest.mark.parametrize(
    "command",
    [
        "find ${{inputs.data}} -type f | wc -l",
        "tar c -C ${{inputs.data}}/.. INPUT_data | tar t | grep -c txt",
        "cd ${{inputs.data}} && ls -d ../INPUT_data/*.txt sub/*.txt | wc -l",
    ],
    ids=["find", "tar", "cd"],
)
@pytest.mark.usefixtures("data")
def test_an_input_folder_is_a_folder(project: Project, command: str) -> None:
    job = project.run(single(command, inputs=DATA))

    assert job.log() == "2\n"


def test_an_input_cannot_be_changed(project: Project, data: Path) -> None:
    job = project.run(single("echo more >> ${{inputs.data}}/one.txt", inputs=DATA), code=1)

    assert job.status == "Failed"
    assert data.read_text(encoding="utf-8") == "one\n" or "one.txt" in job.show("error.message")


@pytest.mark.parametrize("protected", ["{data}", "{project}/.creditml/workspace.db"])
def test_nor_can_its_source_or_the_workspace(project: Project, data: Path, protected: str) -> None:
    place = protected.format(data=data, project=project.folder)

    job = project.run(single(f"echo more >> {place}", inputs=DATA), code=1)

    assert job.status == "Failed"


def test_an_input_that_changed_meanwhile_fails_the_step_by_name(project: Project, data: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    job = project.submit(single(f"touch {go}; while test -e {go}; do sleep 0.01; done", inputs=DATA))
    eventually(go.exists)

    data.write_text("other words\n", encoding="utf-8")
    go.unlink()

    assert job.wait().status == "Failed"
    assert "one.txt" in job.show("error.message")


def test_a_step_may_change_what_it_downloads(project: Project, data: Path) -> None:
    inputs = {"data": {**DATA["data"], "mode": "download"}}

    job = project.run(single("echo more >> ${{inputs.data}}/one.txt; cat ${{inputs.data}}/one.txt", inputs=inputs))

    assert job.log() == "one\nmore\n"
    assert data.read_text(encoding="utf-8") == "one\n"


def test_a_step_does_not_change_what_another_step_wrote(project: Project) -> None:
    jobs = {
        "a": step("echo one > ${{outputs.out}}/one.txt", outputs=OUT),
        "b": step("echo more >> ${{inputs.data}}/one.txt; true", inputs=FROM_A, outputs=OUT),
        "c": step("sleep 0.3; cat ${{inputs.data}}/one.txt", inputs=FROM_A),
    }

    job = project.run(pipeline(jobs), code=None)

    assert job.log("c") == "one\n"


# -- outputs


def test_an_output_appears_when_it_is_complete(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"touch {go}; while test -e {go}; do sleep 0.01; done"
    job = project.submit(pipeline({"a": step(f"echo half > ${{{{outputs.out}}}}/w.txt; {wait}", outputs=OUT)}))
    eventually(go.exists)

    half = list(job.folder("a").glob("outputs/out"))
    go.unlink()
    job.wait()

    assert half == []
    assert (job.folder("a") / "outputs/out/w.txt").read_text(encoding="utf-8") == "half\n"


def test_nothing_lies_beside_what_a_step_wrote(project: Project) -> None:
    jobs = {
        "a": step("echo 1 > ${{outputs.out}}/only.csv", outputs=OUT),
        "b": step("echo 1 > ${{outputs.out}}", outputs=FILE),
        "c": step(
            "ls -A ${{inputs.folder}}; ls -A $(dirname ${{inputs.file}})",
            inputs={
                "folder": "${{parent.jobs.a.outputs.out}}",
                "file": {"type": "uri_file", "path": "${{parent.jobs.b.outputs.out}}"},
            },
        ),
    }

    job = project.run(pipeline(jobs))

    assert job.log("c") == "only.csv\nout\n"


@pytest.mark.usefixtures("data")
def test_a_copy_of_an_input_is_a_copy(project: Project) -> None:
    copy = "cp -r ${{inputs.data}} ${{outputs.out}}/copy; cp -a ${{inputs.data}}/one.txt ${{outputs.out}}/"
    jobs = {"a": step(copy, inputs=DATA, outputs=OUT)}

    job = project.run(pipeline(jobs))

    out = job.folder("a") / "outputs/out"
    assert not (out / "copy").is_symlink()
    assert (out / "copy/sub/two.txt").read_text(encoding="utf-8") == "two\n"
    assert not (out / "one.txt").is_symlink()


def test_no_step_reaches_the_users_data_through_anothers_output(project: Project, data: Path) -> None:
    link = "cp -r ${{inputs.data}} ${{outputs.out}}/copy; ln -s $(realpath ${{inputs.data}}) ${{outputs.out}}/link"
    write = "echo bad > ${{inputs.data}}/copy/one.txt; echo bad > ${{inputs.data}}/link/one.txt; true"
    jobs = {"a": step(link, inputs=DATA, outputs=OUT), "b": step(write, inputs=FROM_A)}

    project.run(pipeline(jobs), code=None)

    assert data.read_text(encoding="utf-8") == "one\n"


def test_links_in_an_output_become_what_they_lead_to(project: Project) -> None:
    command = "echo deep > deep.txt; ln -s $PWD/deep.txt ${{outputs.out}}/w.txt"

    job = project.run(
        pipeline({"a": step(command, outputs=OUT), "b": step("cat ${{inputs.data}}/w.txt", inputs=FROM_A)})
    )

    assert job.log("b") == "deep\n"


def test_an_output_that_is_a_link_becomes_what_it_leads_to(project: Project) -> None:
    command = "echo deep > deep.txt; ln -s $PWD/deep.txt ${{outputs.out}}"
    reader = step(
        "cat ${{inputs.data}}", inputs={"data": {"type": "uri_file", "path": "${{parent.jobs.a.outputs.out}}"}}
    )

    job = project.run(pipeline({"a": step(command, outputs=FILE), "b": reader}))

    assert job.log("b") == "deep\n"


def test_links_within_an_output_still_lead_there(project: Project) -> None:
    command = "cd ${{outputs.out}}; mkdir v1; echo 1 > v1/w.txt; ln -s v1 latest"

    job = project.run(
        pipeline({"a": step(command, outputs=OUT), "b": step("cat ${{inputs.data}}/latest/w.txt", inputs=FROM_A)})
    )

    assert job.log("b") == "1\n"


@pytest.mark.parametrize("path", ["${{inputs.data}}", "${{inputs.data}}/one.txt"], ids=["folder", "file"])
@pytest.mark.usefixtures("data")
def test_a_link_to_an_input_becomes_a_copy_of_it(project: Project, path: str) -> None:
    jobs = {
        "a": step(f"ln -s {path} ${{{{outputs.out}}}}/it; ln -s {path} outputs/it", inputs=DATA, outputs=OUT),
        "b": step("cat ${{inputs.data}}/it ${{inputs.data}}/it/one.txt 2> /dev/null || true", inputs=FROM_A),
    }

    job = project.run(pipeline(jobs))

    assert job.log("b") == "one\n"
    kept = job.folder("a") / "artifacts/outputs/it"
    assert (kept / "one.txt" if kept.is_dir() else kept).read_text(encoding="utf-8") == "one\n"


def test_a_link_to_what_cannot_be_kept_is_left_out_and_named(project: Project) -> None:
    command = "cd ${{outputs.out}}; ln -s /dev/zero zero; mkfifo $OLDPWD/pipe; ln -s $OLDPWD/pipe; echo hi > z.txt"

    job = project.run(pipeline({"a": step(command, outputs=OUT), "b": step("ls ${{inputs.data}}", inputs=FROM_A)}))

    assert job.log("b") == "z.txt\n"
    assert sorted(line.split()[-1] for line in job.log("a").splitlines()) == ["pipe", "zero"]


def test_an_output_s_own_place_needs_no_quotes(tmp_path: Path) -> None:
    project = Project(tmp_path / "my project (new)")
    place = "azureml://datastores/mine/paths/kept/${{output_name}}"
    outputs = {
        "out": {"type": "uri_folder", "path": place},
        "file": {"type": "uri_file", "path": f"{place}.csv"},
    }
    command = (
        "echo 1 > ${{outputs.out}}/one.txt; echo 2 > ${{outputs.file}}; find ${{outputs.out}} -name one.txt | wc -l"
    )
    inputs = {name: f"${{{{parent.jobs.a.outputs.{name}}}}}" for name in outputs}
    reader = step("cat ${{inputs.out}}/one.txt ${{inputs.file}}", inputs=inputs)

    job = project.run(pipeline({"a": step(command, outputs=outputs), "b": reader}))

    assert (job.log("a"), job.log("b")) == ("1\n", "1\n2\n")
    kept = project.workspace / "datastores/mine/kept"
    assert sorted(path.name for path in kept.iterdir()) == ["file.csv", "out"]


def test_an_output_that_was_removed_fails_who_needs_it(project: Project) -> None:
    jobs = {"a": step("rm -r ${{outputs.out}}", outputs=OUT), "b": step("ls ${{inputs.data}}", inputs=FROM_A)}

    job = project.run(pipeline(jobs), code=1)

    assert job.status == "Failed"
    assert "'out'" in job.done.err


def test_the_outputs_of_a_failed_step_can_be_downloaded(project: Project) -> None:
    command = "echo half > ${{outputs.out}}/w.txt; echo log > outputs/o.txt; exit 3"

    job = project.run(pipeline({"a": step(command, outputs=OUT)}), code=1)
    project.creditml("job", "download", "-n", job.steps()["a"]["name"], "--all", "-p", "got")

    assert (project.folder / "got/named-outputs/out/w.txt").read_text(encoding="utf-8") == "half\n"
    assert (project.folder / "got/artifacts/outputs/o.txt").read_text(encoding="utf-8") == "log\n"
    assert not (job.folder("a") / "outputs/out").exists(), "it must not look complete"


def test_outputs_that_cannot_be_registered_can_be_downloaded(project: Project) -> None:
    outputs = {"out": {"type": "uri_folder", "name": "words", "version": "1"}}
    spec = pipeline({"a": step("echo $AZUREML_RUN_ID > ${{outputs.out}}/w.txt", outputs=outputs)})
    project.run(spec)

    job = project.run(spec, code=1)
    child = job.steps()["a"]["name"]
    project.creditml("job", "download", "-n", child, "--all", "-p", "got")

    assert (project.folder / "got/named-outputs/out/w.txt").read_text(encoding="utf-8") == child + "\n"


def test_registered_outputs_are_assets_that_later_jobs_take(project: Project) -> None:
    outputs = {"out": {"type": "uri_folder", "name": "words"}}
    write = pipeline({"a": step("echo $AZUREML_ROOT_RUN_ID > ${{outputs.out}}/w.txt", outputs=outputs)})
    first, second = project.run(write), project.run(write)
    cat = "cat ${{inputs.data}}/w.txt"

    one = project.run(single(cat, inputs={"data": {"type": "uri_folder", "path": "azureml:words:1"}}))
    latest = project.run(single(cat, inputs={"data": {"type": "uri_folder", "path": "azureml:words@latest"}}))

    assert [asset["version"] for asset in project.json("data", "list", "-n", "words")] == ["2", "1"]
    assert one.log() == first.name + "\n"
    assert latest.log() == second.name + "\n"


def test_the_output_of_an_earlier_job_is_an_input(project: Project) -> None:
    outputs = {"result": {"type": "uri_folder"}}
    bound = {"out": "${{parent.outputs.result}}"}
    first = project.run(pipeline({"a": step("echo hi > ${{outputs.out}}/w.txt", outputs=bound)}, outputs=outputs))
    path = f"azureml://jobs/{first.name}/outputs/result/paths/w.txt"

    job = project.run(single("cat ${{inputs.file}}", inputs={"file": {"type": "uri_file", "path": path}}))

    assert job.log() == "hi\n"


def test_a_project_can_be_moved(project: Project) -> None:
    outputs = {"out": {"type": "uri_folder", "name": "words"}}
    first = project.run(pipeline({"a": step("echo hi > ${{outputs.out}}/w.txt", outputs=outputs)}))
    child = first.steps()["a"]["name"]

    moved = Project(project.folder.rename(project.folder.with_name("moved")))
    job = moved.run(
        single("cat ${{inputs.d}}/w.txt", inputs={"d": {"type": "uri_folder", "path": "azureml:words@latest"}})
    )
    moved.creditml("job", "download", "-n", child, "--all", "-p", "got")

    assert job.log() == "hi\n"
    assert (moved.folder / "got/named-outputs/out/w.txt").read_text(encoding="utf-8") == "hi\n"


@pytest.mark.parametrize(
    "path",
    [
        "azureml://datastores/workspaceblobstore/paths/../../../../leak",
        "azureml://datastores/../paths/leak",
        "azureml://jobs/{job}/outputs/artifacts/paths/../../../../../leak",
    ],
)
def test_no_path_leads_out_of_a_datastore_or_job(project: Project, path: str) -> None:
    first = project.run(single("true"))
    project.write("leak/x.txt", "secret")
    path = path.format(job=first.name)
    project.write("job.yml", single("ls ${{inputs.d}}", inputs={"d": {"type": "uri_folder", "path": path}}))
    project.write(
        "out.yml",
        pipeline({"a": step("echo x > ${{outputs.out}}/y", outputs={"out": {"type": "uri_folder", "path": path}})}),
    )

    assert path in project.creditml("run", "job.yml", code=1).err
    project.creditml("run", "out.yml", code=1)

    assert [file.name for file in (project.folder / "leak").iterdir()] == ["x.txt"]


# -- artifacts and code


def test_outputs_and_logs_become_artifacts(project: Project) -> None:
    command = "echo 1 > outputs/one.txt; mkdir -p logs/deep; echo 2 > logs/deep/two.txt; echo 3 > neither.txt"

    job = project.run(single(command))

    artifacts = job.folder() / "artifacts"
    found = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    assert found == {"outputs/one.txt", "logs/deep/two.txt", "user_logs/std_log.txt"}


def test_links_among_the_artifacts_become_what_they_lead_to(project: Project) -> None:
    job = project.run(single("echo deep > deep.txt; ln -s $PWD/deep.txt outputs/abs; ln -s ../deep.txt outputs/rel"))

    kept = job.folder() / "artifacts/outputs"
    assert [(kept / name).read_text(encoding="utf-8") for name in ("abs", "rel")] == ["deep\n", "deep\n"]


def test_odd_files_among_the_artifacts_do_not_break_download(project: Project) -> None:
    command = "cd outputs; ln -s . loop; ln -s nowhere gone; mkfifo pipe; echo hi > z.txt"
    job = project.run(single(command))

    project.creditml("job", "download", "-n", job.name, "-p", "got")

    assert (project.folder / "got/artifacts/outputs/z.txt").read_text(encoding="utf-8") == "hi\n"
    assert len(list(project.folder.glob("got/artifacts/outputs/loop/loop/*"))) == 0


def test_a_mebibyte_of_log_arrives_whole(project: Project) -> None:
    job = project.run(python('for n in range(20000): print("line", n, "x" * 40)', compute="azureml:cluster"))

    assert job.log().count("\n") == 20000
