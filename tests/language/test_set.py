"""`--set` puts texts into the file's values before anything is made of them, as `az ml job create --set` does.

The values are texts, not YAML (azure-ai-ml: `params_override` is applied to the raw mapping before validation): what a
key of another type makes of a text is up to that key.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import walk

from creditml.errors import UsageError
from creditml.language.reader import Reading, set_value
from creditml.language.yaml import Document, Map, Scalar, from_plain, parse, plain
from creditml.model import Data, Literal, Pipeline
from creditml.nodes.specs import read_job

if TYPE_CHECKING:
    from pathlib import Path

    from creditml.model import Job

WORDS = st.sampled_from(["a", "b", "c", "inputs", "1", "x-y", "ü"])
TEXTS = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
    st.sampled_from(
        ["5", "010", "true", "null", "", " ", " a ", "2024-01-01", "1.10", "{a: 1}", "[1", "a=b", "*x", "a: b"]
    ),
)
TREES = st.recursive(
    st.one_of(st.none(), st.text(max_size=3), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2)),
    lambda inner: st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
ROOTS = st.dictionaries(WORDS, TREES, max_size=4)
PATHS = st.lists(WORDS, min_size=1, max_size=4)


def set_in(values: dict[str, Any], path: list[str], text: str) -> bool:
    """Set a text in plain values; False if a level on the way is something else than a mapping."""
    for key in path[:-1]:
        if values.get(key) is None:
            values[key] = {}
        values = values[key]
        if not isinstance(values, dict):
            return False
    values[path[-1]] = text
    return True


@given(ROOTS, st.lists(st.tuples(PATHS, TEXTS), min_size=1, max_size=3))
def test_texts_are_set_one_after_the_other(values: dict[str, Any], overrides: list[tuple[list[str], str]]) -> None:
    document, expected = Document("f.yml", from_plain(values), []), copy.deepcopy(values)
    for path, text in overrides:
        override = f"{'.'.join(path)}={text}"
        if set_in(expected, path, text):
            set_value(document, override)
        else:
            with pytest.raises(UsageError, match=r"can't be set"):
                set_value(document, override)
            return
        assert plain(document.root) == expected


@given(st.text(max_size=12))
def test_what_is_no_override_is_an_error_of_usage(text: str) -> None:
    path, equals, _ = text.partition("=")
    document = parse("a: 1", "f.yml")
    if equals and all(path.strip().split(".")) and not path.strip().startswith("a."):
        set_value(document, text)
    else:
        with pytest.raises(UsageError):
            set_value(document, text)


def test_what_is_set_stands_on_the_command_line() -> None:
    document = parse("inputs:\n  n: 1\n  m: 0\njobs: {}\n", "f.yml")

    set_value(document, "inputs.n=2")
    set_value(document, "inputs.new=3")
    set_value(document, "jobs.a.component=c.yml")

    places = {node.text: str(document.place(node)) for node in walk(document.root) if isinstance(node, Scalar)}
    assert places == {
        "2": "--set inputs.n=2",
        "3": "--set inputs.new=3",
        "0": "f.yml:3:6",
        "c.yml": "--set jobs.a.component=c.yml",
    }
    jobs = document.root.items["jobs"] if isinstance(document.root, Map) else None
    assert isinstance(jobs, Map)
    assert str(document.key_place(jobs, "a")) == "--set jobs.a.component=c.yml"


JOB = """\
type: pipeline
display_name: before
settings: {default_compute: serverless, continue_on_step_failure: true}
inputs: {n: 1, flag: true, data: {type: uri_file, path: azureml:d:1}}
jobs:
  a:
    component: ./a.yml
    inputs: {n: "${{parent.inputs.n}}"}
  b:
    command: echo ${{inputs.x}}
    environment: {image: i}
    inputs: {x: 1}
"""
COMPONENT = "name: a\ncommand: echo ${{inputs.n}}\nenvironment: azureml:e:1\ninputs: {n: {type: integer, default: 1}}\n"


def reading(folder: Path, *overrides: str) -> Reading:
    (folder / "a.yml").write_text(COMPONENT, encoding="utf-8")
    (folder / "b.yml").write_text(COMPONENT.replace("name: a", "name: b"), encoding="utf-8")
    (folder / "job.yml").write_text(JOB, encoding="utf-8")
    return read_job(folder / "job.yml", overrides)


def job(folder: Path, *overrides: str) -> Job:
    found = reading(folder, *overrides)
    assert [str(problem) for problem in found.problems if not problem.warning] == []
    assert found.job
    return found.job


@pytest.mark.parametrize(
    "text",
    ["5", "010", "1_000", "0.10", "1e-5", "true", "True", "null", "2024-01-01", "12:30", "", " a ", "a: b", "[x", "{"],
)
def test_a_literal_is_the_text_that_was_given(tmp_path: Path, text: str) -> None:
    found = job(
        tmp_path, f"inputs.n={text}", f"inputs.new={text}", f"jobs.b.inputs.x={text}", f"jobs.a.inputs.n={text}"
    )

    assert isinstance(found.root.component, Pipeline)
    assert found.root.inputs["n"] == found.root.inputs["new"] == Literal(text)
    assert found.root.component.jobs["b"].inputs == {"x": Literal(text)}
    assert found.root.component.jobs["a"].inputs == {"n": Literal(text)}


def test_keys_make_of_a_text_what_they_make_of_texts(tmp_path: Path) -> None:
    found = job(
        tmp_path,
        "settings.continue_on_step_failure=false",
        "settings.force_rerun=yes",
        "settings.default_compute=azureml:cpu",
        "tags.run=7",
        "tags.day=2024-01-01",
        "display_name=12",
        "name=123",
        "experiment_name=on",
        "outputs.z.path=azureml://datastores/w/paths/z",
        "inputs.data.path=azureml:e:2",
        "jobs.a.limits.timeout=7",
        "jobs.a.environment_variables.LEVEL=010",
        "jobs.a.component=./b.yml",
        "jobs.b.environment.image=other:1.10",
        "jobs.b.compute=azureml:gpu",
    )

    root = found.root
    assert isinstance(root.component, Pipeline)
    assert (found.settings.continue_on_step_failure, found.settings.force_rerun) == (False, True)
    assert found.settings.default_compute == "azureml:cpu"
    assert root.tags == {"run": "7", "day": "2024-01-01"}
    assert (root.display_name, found.name, found.experiment_name) == ("12", "123", "on")
    assert root.outputs["z"].path == "azureml://datastores/w/paths/z"
    assert root.inputs["data"] == Data("azureml:e:2", "uri_file")
    node, inline = root.component.jobs["a"], root.component.jobs["b"]
    assert node.limits == {"timeout": 7}
    assert node.environment_variables == {"LEVEL": "010"}
    assert node.component.name == "b"  # type: ignore[union-attr]
    assert inline.component.environment.image == "other:1.10"  # type: ignore[union-attr]
    assert inline.compute == "azureml:gpu"


def test_the_later_one_wins_and_a_new_level_may_be_built_on(tmp_path: Path) -> None:
    found = job(tmp_path, "tags.a=1", "tags.a=2", "inputs.n=x", "inputs.n=y")

    assert found.root.tags == {"a": "2"}
    assert found.root.inputs["n"] == Literal("y")


@pytest.mark.parametrize(
    "override",
    [
        "jobs.a.component.command=x",
        "display_name.x=1",
        "jobs.b.command.x.y=1",
        "inputs.n.path=x",
        "nothing",
        "=x",
        ".a=x",
        "a.=1",
    ],
)
def test_what_is_behind_a_reference_or_value_cannot_be_set(tmp_path: Path, override: str) -> None:
    with pytest.raises(UsageError, match=r"--set"):
        reading(tmp_path, override)


def test_a_bad_value_is_a_problem_of_the_set_that_gave_it(tmp_path: Path) -> None:
    found = reading(tmp_path, "settings.force_rerun=maybe", "jobs.a.limits.timeout=soon", "jobs.new.component=")

    wrong = [str(p).partition(": ")[0] for p in found.problems if not p.warning]
    assert wrong == [
        "--set settings.force_rerun=maybe",
        "--set jobs.a.limits.timeout=soon",
        "--set jobs.new.component=",
    ]


def test_the_type_that_is_set_decides_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("command: echo\nenvironment: azureml:e:1\ntype: pipeline\n", encoding="utf-8")

    found = read_job(tmp_path / "c.yml", ["type=command"])

    assert found.job
    assert found.job.type == "command"
