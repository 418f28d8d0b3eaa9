"""What commands print, and in which form."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml
from project import Project, pipeline, single, step

if TYPE_CHECKING:
    from pathlib import Path

    from project import Job


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """A pipeline of two steps, and a command job, in one project."""
    project = Project(tmp_path_factory.mktemp("output") / "project")
    first = project.run(
        pipeline({"a": step("echo a"), "b": step("echo b")}, display_name="Grüße 🚀", tags={"team": "x y"})
    )
    return [first, project.run(single("echo hi"))]


@pytest.fixture(scope="module")
def project(jobs: list[Job]) -> Project:
    """The project of these jobs."""
    return jobs[0].project


def test_json_is_what_is_printed_if_nothing_is_said(project: Project, jobs: list[Job]) -> None:
    shown = project.creditml("job", "show", "-n", jobs[0].name).out

    job = json.loads(shown)
    assert shown.startswith("{\n  ")
    assert "Grüße 🚀" in shown
    assert (job["name"], job["status"], job["type"]) == (jobs[0].name, "Completed", "pipeline")
    assert job["display_name"] == "Grüße 🚀"
    assert job["tags"] == {"team": "x y"}
    assert set(job["jobs"]) == {"a", "b"}


@pytest.mark.parametrize("form", ["json", "jsonc", "yaml", "yamlc"])
def test_forms_for_programs_hold_the_same(project: Project, jobs: list[Job], form: str) -> None:
    shown = project.creditml("job", "show", "-n", jobs[0].name, "-o", form).out

    assert "\x1b" not in shown
    assert yaml.safe_load(shown) == project.json("job", "show", "-n", jobs[0].name)


def test_a_table_has_a_row_for_each(project: Project, jobs: list[Job]) -> None:
    head, rule, *rows = project.creditml("job", "list", "-o", "table").out.splitlines()

    assert head.split()[:3] == ["Name", "DisplayName", "Type"]
    assert set(rule) == {"-", " "}
    assert [row.split()[0] for row in rows] == [jobs[1].name, jobs[0].name]


def test_a_table_of_steps_names_the_nodes(project: Project, jobs: list[Job]) -> None:
    head, _, *rows = project.creditml("job", "list", "-p", jobs[0].name, "-o", "table").out.splitlines()

    assert head.split()[0] == "Node"
    assert sorted(row.split()[0] for row in rows) == ["a", "b"]


def test_nothing_is_printed_on_demand(project: Project, jobs: list[Job]) -> None:
    assert project.creditml("job", "show", "-n", jobs[0].name, "-o", "none").out == ""


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ("name", "{name}\n"),
        ("[name, status]", "{name}\nCompleted\n"),
        ("[[name, status]]", "{name}\tCompleted\n"),
        ("tags.team", "x y\n"),
        ("jobs.a.type", "command\n"),
        ("{{s: status, n: name}}", "Completed\t{name}\n"),
        ("services.Studio.type", "Studio\n"),
        ("length(jobs)", "2\n"),
        ("status == 'Completed'", "true\n"),
        ("[[name, keys(jobs), tags]]", "{name}\t2\t\n"),
    ],
)
def test_tsv_is_for_shells(project: Project, jobs: list[Job], query: str, printed: str) -> None:
    query, printed = query.replace("{{", "{").replace("}}", "}"), printed.format(name=jobs[0].name)

    assert project.creditml("job", "show", "-n", jobs[0].name, "--query", query, "-o", "tsv").out == printed


def test_a_query_that_finds_nothing_prints_nothing(project: Project, jobs: list[Job]) -> None:
    assert project.creditml("job", "show", "-n", jobs[0].name, "--query", "nope", "-o", "tsv").out.strip() == ""


def test_queries_filter_lists(project: Project, jobs: list[Job]) -> None:
    names = project.json("job", "list", "--query", "[?type=='pipeline'].name")

    assert names == [jobs[0].name]


def test_a_query_s_columns_are_the_table_s(project: Project, jobs: list[Job]) -> None:
    shown = project.creditml("job", "list", "--query", "[].{Job: name, State: status}", "-o", "table").out

    assert shown.splitlines()[0].split() == ["Job", "State"]
    assert shown.splitlines()[2].split() == [jobs[1].name, "Completed"]


def test_the_form_may_be_in_capitals(project: Project) -> None:
    assert project.creditml("job", "list", "-o", "JSON").out == project.creditml("job", "list").out


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", "nonsense"])
def test_any_locale_will_do(project: Project, jobs: list[Job], locale: str) -> None:
    settings = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    elsewhere = Project(project.folder, **settings)

    done = elsewhere.creditml("job", "show", "-n", jobs[0].name, errors="replace")

    assert jobs[0].name in done.out


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("job", "list"),
        ("job", "list", "-o", "table"),
        ("job", "list", "--help"),
        ("data", "list"),
        ("run", "job.yml"),
    ],
    ids=" ".join,
)
def test_a_reader_that_has_gone_is_no_reason_for_words(project: Project, words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = project.creditml(*words, code=None, stdout=write)
    finally:
        os.close(write)

    assert done.err == ""


@pytest.mark.parametrize("words", [("job", "list"), ("job", "list", "-o", "jsonc"), ("run", "job.yml")], ids=" ".join)
def test_a_closed_stdout_is_no_reason_for_words(project: Project, words: tuple[str, ...]) -> None:
    done = project.creditml(*words, code=None, stdout=None, preexec_fn=lambda: os.close(1))

    assert done.err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_what_cannot_be_printed_is_no_success(project: Project) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = project.creditml("--help", code=1, stdout=full)

    assert "no space left" in done.err


@pytest.mark.parametrize(
    "words", [("job", "list"), ("run", "job.yml"), ("data", "create", "-f", "data.yml")], ids=" ".join
)
def test_a_damaged_workspace_is_told_with_what_to_do(tmp_path: Path, words: tuple[str, ...]) -> None:
    project = Project(tmp_path)
    project.write("data.yml", {"name": "d", "type": "uri_file", "path": "./data.yml"})
    project.run(single("echo hi"))
    database = project.workspace / "workspace.db"
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    done = project.creditml(*words, code=1)

    assert "CREDITML_HOME" in done.err
