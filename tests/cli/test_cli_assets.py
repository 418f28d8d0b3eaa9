"""`creditml data|environment|component|model …`: Azure's names, versions and immutability."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from project import ENVIRONMENT, pipeline, single

if TYPE_CHECKING:
    from project import Json, Project

KINDS = ("data", "environment", "component", "model")
TWO_KINDS = ("data", "component")  # the others are kept the same way


def make(project: Project, kind: str, content: str = "1", **fields: Json) -> Json:
    """Create a version of the asset 'thing' whose content is its own."""
    project.write("thing.txt", content)
    spec = {
        "data": {"type": "uri_file", "path": "./thing.txt"},
        "model": {"type": "custom_model", "path": "./thing.txt"},
        "environment": {"image": f"python:{content}"},
        "component": {"type": "command", "command": f"echo {content}", "environment": ENVIRONMENT},
    }[kind]
    project.write("thing.yml", {"name": "thing", **spec, **fields})
    return project.json(kind, "create", "-f", "thing.yml")


def versions(project: Project, kind: str, *flags: str) -> list[str]:
    """The versions that a list shows, the newest first."""
    return [asset["version"] for asset in project.json(kind, "list", "-n", "thing", *flags)]


@pytest.mark.parametrize("kind", KINDS)
class TestVersions:
    def test_the_first_is_1_and_the_next_ones_count_on(self, project: Project, kind: str) -> None:
        made = [make(project, kind, content)["version"] for content in ("a", "b", "c")]

        assert made == ["1", "2", "3"]
        assert versions(project, kind) == ["3", "2", "1"]

    def test_the_next_one_follows_the_highest_and_latest_is_the_newest(self, project: Project, kind: str) -> None:
        make(project, kind, "a", version="10")
        make(project, kind, "b", version="initial")
        make(project, kind, "c", version="3")

        latest = project.json(kind, "show", "-n", "thing", "-l", "latest")["version"]
        by_default = project.json(kind, "show", "-n", "thing")["version"]
        following = make(project, kind, "d")["version"]

        assert (latest, by_default, following) == ("3", "3", "11")
        assert versions(project, kind) == ["11", "3", "initial", "10"]

    def test_a_version_cannot_become_something_else(self, project: Project, kind: str) -> None:
        make(project, kind, "a", version="1")

        with pytest.raises(AssertionError, match="versions are immutable") as refusal:
            make(project, kind, "b", version="1")

        assert "thing:1" in str(refusal.value)
        assert "Use another version" in str(refusal.value)
        there, here = re.findall(r"(\S+) (?:there|here)[,)]", str(refusal.value))
        assert there != here, "what differs is what is shown"
        assert versions(project, kind) == ["1"]

    def test_but_it_can_be_described_anew(self, project: Project, kind: str) -> None:
        make(project, kind, "a", version="1", description="old")

        again = make(project, kind, "a", version="1", description="new", tags={"x": "y"})

        assert (again["description"], again["tags"]) == ("new", {"x": "y"})
        assert project.json(kind, "show", "-n", "thing", "-v", "1")["description"] == "new"
        assert versions(project, kind) == ["1"]


@pytest.mark.parametrize("kind", TWO_KINDS)
class TestMoreOfVersions:
    def test_a_version_is_a_text(self, project: Project, kind: str) -> None:
        assert make(project, kind, version=1)["version"] == "1"
        assert make(project, kind, "b", version="1.10")["version"] == "1.10"

    def test_the_list_has_the_latest_of_each(self, project: Project, kind: str) -> None:
        make(project, kind, "a")
        make(project, kind, "b")
        make(project, kind, "c", name="other")

        assert [(asset["name"], asset["version"]) for asset in project.json(kind, "list")] == [
            ("other", "1"),
            ("thing", "2"),
        ]
        assert [asset["name"] for asset in project.json(kind, "list", "-r", "1")] == ["other"]

    def test_an_archived_version_is_hidden_but_there(self, project: Project, kind: str) -> None:
        make(project, kind, "a")
        make(project, kind, "b")

        project.creditml(kind, "archive", "-n", "thing", "-v", "2")

        assert versions(project, kind) == ["1"]
        assert versions(project, kind, "--archived-only") == ["2"]
        assert versions(project, kind, "--include-archived") == ["2", "1"]
        assert project.json(kind, "show", "-n", "thing", "-v", "2")["version"] == "2"
        assert project.json(kind, "show", "-n", "thing", "-l", "latest")["version"] == "1"
        assert make(project, kind, "c")["version"] == "3"

        project.creditml(kind, "restore", "-n", "thing", "-v", "2")
        assert versions(project, kind) == ["3", "2", "1"]

    def test_all_versions_are_archived_without_one(self, project: Project, kind: str) -> None:
        make(project, kind, "a")
        make(project, kind, "b")

        project.creditml(kind, "archive", "-n", "thing")
        refused = project.creditml(kind, "show", "-n", "thing", code=1)

        assert project.json(kind, "list") == []
        assert f"creditml {kind} restore -n thing" in refused.err
        project.creditml(kind, "restore", "-n", "thing")
        assert versions(project, kind) == ["2", "1"]

    def test_a_version_that_is_not_there_is_told_with_those_that_are(self, project: Project, kind: str) -> None:
        make(project, kind)

        assert "Its versions are: 1" in project.creditml(kind, "show", "-n", "thing", "-v", "7", code=1).err
        assert "'thing'" in project.creditml(kind, "show", "-n", "thin", code=1).err

    def test_flags_win_over_the_file(self, project: Project, kind: str) -> None:
        make(project, kind)

        made = project.json(
            kind, "create", "-f", "thing.yml", "-n", "mine", "-v", "5", "--set", "description=Two words"
        )

        assert (made["name"], made["version"], made["description"]) == ("mine", "5", "Two words")

    def test_an_unknown_key_is_told_with_its_place(self, project: Project, kind: str) -> None:
        make(project, kind)
        text = (project.folder / "thing.yml").read_text(encoding="utf-8")
        project.write("thing.yml", text.replace("{", '{"descripton": "x",', 1))

        done = project.creditml(kind, "create", "-f", "thing.yml", "-v", "2", code=None)

        assert done.code == (0 if kind == "component" else 1), "Azure ML ignores those of a component"
        assert "thing.yml:" in done.err
        assert "'descripton'" in done.err


@pytest.mark.parametrize("name", ["", "two words", "-x", "a/b", "../up", "ä", "x" * 256, "a:b", "a@latest"])
def test_a_wrong_name_is_refused(project: Project, name: str) -> None:
    with pytest.raises(AssertionError, match=r"exit code [12]"):
        make(project, "data", name=name)

    assert project.json("data", "list") == []


@pytest.mark.parametrize("version", ["", "a b", "a/b", "a:b", "a@b"])
def test_a_version_that_no_reference_could_name_is_refused(project: Project, version: str) -> None:
    with pytest.raises(AssertionError, match=r"exit code [12]"):
        make(project, "data", version=version)

    assert project.json("data", "list") == []


# -- data


def test_data_can_be_made_without_a_file(project: Project) -> None:
    project.write("d.csv", "1\n")

    made = project.json(
        "data", "create", "--name", "d", "--version", "initial", "--type", "uri_file", "--path", "d.csv"
    )
    job = project.run(single("cat ${{inputs.d}}", inputs={"d": {"type": "uri_file", "path": "azureml:d:initial"}}))

    assert (made["name"], made["version"], made["type"]) == ("d", "initial", "uri_file")
    assert made["path"].startswith("azureml://datastores/workspaceblobstore/paths/LocalUpload/")
    assert made["path"].endswith("/d.csv")
    assert job.log() == "1\n"


def test_data_stays_what_it_was_when_it_was_registered(project: Project) -> None:
    project.write("d/x.csv", "old\n")
    project.creditml("data", "create", "-n", "d", "-t", "uri_folder", "-p", "./d")

    project.write("d/x.csv", "new\n")
    job = project.run(
        single("cat ${{inputs.d}}/x.csv", inputs={"d": {"type": "uri_folder", "path": "azureml:d@latest"}})
    )

    assert job.log() == "old\n"


def test_the_same_data_is_kept_once(project: Project) -> None:
    project.write("d/x.csv", "same\n")
    paths = {project.json("data", "create", "-n", name, "-t", "uri_folder", "-p", "./d")["path"] for name in "ab"}

    assert len(paths) == 1
    assert len(list(project.workspace.rglob("x.csv"))) == 1


@pytest.mark.parametrize(("type_", "path"), [("uri_file", "d"), ("uri_folder", "d/x.csv"), ("mltable", "d/x.csv")])
def test_data_of_another_type_than_its_path_is_refused(project: Project, type_: str, path: str) -> None:
    project.write("d/x.csv", "1\n")

    done = project.creditml("data", "create", "-n", "d", "-t", type_, "-p", path, code=1)

    assert "does not match asset type" in done.err
    assert type_ == "mltable" or "Use type uri_" in done.err


def test_data_that_is_not_there_is_refused(project: Project) -> None:
    done = project.creditml("data", "create", "-n", "d", "-t", "uri_file", "-p", "nope.csv", code=1)

    assert done.err.startswith("command line: The path "), "there is no line to name"
    assert done.err.count("nope.csv") == 1
    assert "Nothing was created." in done.err
    assert project.json("data", "list") == []


def test_the_path_in_a_file_is_relative_to_that_file(project: Project) -> None:
    project.write("assets/data/d.csv", "1\n")
    project.write("assets/d.yml", {"name": "d", "type": "uri_file", "path": "data/d.csv"})

    made = project.json("data", "create", "-f", "assets/d.yml")

    assert made["path"].endswith("/d.csv")


def test_a_remote_path_is_kept_as_it_is(project: Project) -> None:
    url = "https://example.org/d.csv"

    assert project.json("data", "create", "-n", "d", "-t", "uri_file", "-p", url)["path"] == url


# -- environments and components


def test_an_environment_holds_its_conda_file(project: Project) -> None:
    project.write("conda.yml", "name: x\ndependencies: [python=3.11]\n")

    made = project.json("environment", "create", "-n", "e", "--image", "ubuntu:24.04", "--conda-file", "conda.yml")

    assert made["image"] == "ubuntu:24.04"
    assert made["conda_file"] == {"name": "x", "dependencies": ["python=3.11"]}


def test_a_component_is_used_by_version_and_latest(project: Project) -> None:
    project.write("src/say.sh", "echo $1 $2\n")
    component = {
        "name": "say",
        "type": "command",
        "code": "./src",
        "environment": ENVIRONMENT,
        "inputs": {"word": {"type": "string"}, "more": {"type": "integer", "default": 7}},
        "command": "bash say.sh ${{inputs.word}} ${{inputs.more}}",
    }
    project.write("say.yml", component)
    project.creditml("component", "create", "-f", "say.yml")
    project.write("src/say.sh", "echo new $1 $2\n")
    project.creditml("component", "create", "-f", "say.yml")
    project.write("src/say.sh", "echo never registered\n")
    node = {"type": "command", "inputs": {"word": "hi"}}

    job = project.run(
        pipeline({"one": node | {"component": "azureml:say:1"}, "latest": node | {"component": "azureml:say@latest"}})
    )

    assert (job.log("one"), job.log("latest")) == ("hi 7\n", "new hi 7\n")


def test_a_component_keeps_its_optional_inputs(project: Project) -> None:
    component = {
        "name": "say",
        "type": "command",
        "environment": ENVIRONMENT,
        "inputs": {"word": {"type": "string", "optional": True}},
        "command": "echo start $[[${{inputs.word}}]] end",
    }
    project.write("say.yml", component)
    project.creditml("component", "create", "-f", "say.yml")

    job = project.run(pipeline({"a": {"type": "command", "component": "azureml:say:1"}}))

    assert job.log("a") == "start end\n"


def test_a_pipeline_component_can_be_registered(project: Project) -> None:
    step = {
        "type": "command",
        "command": "echo ${{inputs.w}}",
        "environment": ENVIRONMENT,
        "inputs": {"w": "${{parent.inputs.w}}"},
    }
    project.write(
        "inner.yml", {"name": "inner", "type": "pipeline", "inputs": {"w": {"type": "string"}}, "jobs": {"s": step}}
    )
    project.creditml("component", "create", "-f", "inner.yml")

    job = project.run(pipeline({"n": {"type": "pipeline", "component": "azureml:inner:1", "inputs": {"w": "word"}}}))

    assert job.log("n.s") == "word\n"


def test_what_is_wrong_with_a_use_of_a_registered_component_is_told_in_the_job_s_file(project: Project) -> None:
    make(project, "component", inputs={"needed": {"type": "number"}})
    project.write(
        "job.yml", pipeline({"a": {"type": "command", "component": "azureml:thing:1", "inputs": {"nope": 1}}})
    )

    done = project.creditml("job", "validate", "-f", "job.yml", code=1)

    assert all(line.startswith("job.yml:") for line in done.err.splitlines()[:-1])
    assert "'needed'" in done.err
    assert "'nope'" in done.err


def test_an_archived_component_is_not_the_latest(project: Project) -> None:
    make(project, "component", "a")
    make(project, "component", "b")
    project.creditml("component", "archive", "-n", "thing", "-v", "2")

    job = project.run(pipeline({"a": {"type": "command", "component": "azureml:thing@latest"}}))

    assert job.log("a") == "a\n"


def test_a_table_shows_the_same_of_one_and_of_many(project: Project) -> None:
    project.write("x.csv", "1\n")
    created = project.creditml("data", "create", "-n", "d", "-t", "uri_file", "-p", "x.csv", "-o", "table").out

    assert re.search(r"d +1 +uri_file +\d{4}-\d\d-\d\dT", created)
    assert project.creditml("data", "show", "-n", "d", "-o", "table").out == created
    assert project.creditml("data", "list", "-o", "table").out == created
    assert project.json("data", "list") == [project.json("data", "show", "-n", "d")]
