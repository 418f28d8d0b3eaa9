"""Additional includes lie in a step's folder as the SDK puts them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from project import Project


def listing(project: Project, *includes: str, code: str | None = None) -> list[str]:
    """The files that a step with these additional includes sees."""
    component = {
        "type": "command",
        "command": "find . -type f | sort; test ! -e lib.zip || python3 -m zipfile -l lib.zip | cut -d' ' -f1",
        "environment": {"image": "python:3.11"},
        "additional_includes": list(includes),
    }
    project.write("list.yml", {**component, "code": code} if code else component)
    project.write("job.yml", {"type": "pipeline", "jobs": {"a": {"type": "command", "component": "./list.yml"}}})
    project.creditml("run", "job.yml")
    logs = (project.folder / ".creditml").glob("jobs/*/**/std_log.txt")
    log = max(logs, key=lambda path: path.stat().st_mtime)
    return log.read_text(encoding="utf-8").split()


def test_a_folder_keeps_its_name_with_and_without_code(project: Project) -> None:
    for name in ("lib/x.py", "lib/deep/y.py", "src/main.py", "note.txt"):
        project.write(name, "1")

    assert listing(project, "lib", "note.txt") == ["./lib/deep/y.py", "./lib/x.py", "./note.txt"]
    assert listing(project, "lib", code="src") == ["./lib/deep/y.py", "./lib/x.py", "./main.py"]


def test_a_folder_is_zipped_if_its_name_is_given_with_zip(project: Project) -> None:
    project.write("lib/x.py", "1")

    files = listing(project, "lib.zip")

    assert files[0] == "./lib.zip"
    assert {"lib/", "lib/x.py"} <= set(files)


def test_the_last_of_two_files_of_one_name_is_taken_with_a_warning(project: Project) -> None:
    for folder in ("one", "two"):
        project.write(f"{folder}/same/note.txt", folder)
        project.write(f"{folder}/same/{folder}.txt", folder)

    assert listing(project, "one/same", "two/same") == ["./same/note.txt", "./same/one.txt", "./same/two.txt"]
    told = project.creditml("check", "job.yml").err
    assert "list.yml:" in told
    assert "replaces the file 'same/note.txt'" in told


def test_code_that_is_not_here_is_told_where_it_stands(project: Project) -> None:
    job = {"command": "true", "environment": {"image": "i"}, "code": "azureml:nowhere:1"}
    project.write("job.yml", job)

    told = project.creditml("check", "job.yml", code=1).err

    assert told.startswith("job.yml:")
    assert "There is no code asset azureml:nowhere:1" in told
