"""All mistakes of a job are found at once, whatever else is wrong; what only follows from another one is not told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from creditml.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """\
type: pipeline
settings: {default_compute: serverless}
inputs:
  text: x
  data: {type: uri_folder, path: ./nowhere}
outputs: {result: {type: uri_folder}}
jobs:
  no_file:
    component: ./missing.yml
    inputs: {q: "${{parent.inputs.nothing}}"}
    outputs: {o: "${{parent.outputs.result}}"}
  values:
    component: ./counts.yml
    environment_variables: [1]
    inputs:
      count: seven
      ratio: ${{parent.inputs.text}}
      a: ${{parent.jobs.no_file.outputs.o}}
      b: ${{parent.jobs.bad_command.outputs.o}}
  bad_command:
    command: 5
    environment: azureml:any@latest
    inputs: {u: "${{parent.jobs.nowhere.outputs.o}}"}
    outputs: {o: {type: uri_folder}}
  not_registered:
    component: azureml:nothing:1
    inputs: {u: "${{parent.jobs.nobody.outputs.o}}"}
  neither:
    inputs: {u: "${{parent.inputs.absent}}"}
  undeclared:
    command: echo ${{inputs.x}} ${{inputs.d}}
    environment: azureml:any@latest
    inputs: {y: 1, d: "${{parent.inputs.data}}"}
  list_of_inputs:
    component: ./counts.yml
    inputs: [1]
  nested:
    type: pipeline
    component: {type: pipeline, outputs: {o: {type: uri_folder}}, jobs: {
      inner: {component: ./missing.yml, outputs: {o: "${{parent.outputs.o}}"}}}}
  after_nested:
    component: ./takes.yml
    inputs: {data: "${{parent.jobs.nested.outputs.o}}", stray: 1}
"""
COUNTS = """\
type: command
inputs: {count: {type: integer}, ratio: {type: number, max: 1}, a: {type: uri_folder}, b: {type: uri_folder},
  broken: {type: strin}}
environment: azureml:any@latest
command: echo ${{inputs.count}} ${{inputs.ratio}} ${{inputs.a}} ${{inputs.b}} ${{inputs.broken}}
"""
TAKES = """\
type: command
inputs: [data]
environment: azureml:any@latest
command: echo ${{inputs.data}}
"""


def errors(folder: Path, capsys: pytest.CaptureFixture[str], file: str = "pipeline.yml") -> list[str]:
    """The file and line of each error, with the beginning of its message."""
    main(["job", "validate", "-f", str(folder / file), "-o", "json"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    told = [problem for problem in problems if problem["severity"] == "error"]
    return [f"{p['location'].rsplit('/', 1)[-1].rsplit(':', 1)[0]} {p['message'][:40]}" for p in told]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("pipeline", PIPELINE), ("counts", COUNTS), ("takes", TAKES)):
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    (tmp_path / "creditml.yml").write_text('environments: {any: {image: "python:3.11"}}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_mistake_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert errors(folder, capsys) == [
        "pipeline.yml:4 'x' is not a number, which the input 'ra",
        "pipeline.yml:5 The path ./nowhere does not exist (looke",
        "pipeline.yml:9 The file ./missing.yml does not exist (l",
        "pipeline.yml:10 The pipeline has no input 'nothing'. It ",
        "pipeline.yml:14 A mapping of names to values is needed h",
        "pipeline.yml:16 'seven' is not an integer, which the inp",
        "pipeline.yml:21 A string is needed here, not the integer",
        "pipeline.yml:23 There is no node 'nowhere'. There are: n",
        "pipeline.yml:26 There is no component named 'nothing' in",
        "pipeline.yml:27 There is no node 'nobody'. There are: no",
        "pipeline.yml:28 The node 'neither' needs a 'component', ",
        "pipeline.yml:29 The pipeline has no input 'absent'. It h",
        "pipeline.yml:31 The command uses ${{inputs.x}}, but its ",
        "pipeline.yml:36 A mapping of names to values is needed h",
        "counts.yml:3 'strin' is not an input type; use one of",
        "takes.yml:2 A mapping of names to values is needed h",
    ]


def test_environments_are_checked_although_the_graph_has_errors(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "command: echo ${{inputs.x}}\nenvironment: azureml:unknown@latest\n"
    (folder / "job.yml").write_text(text, encoding="utf-8")

    main(["job", "validate", "-f", "job.yml", "--env", "uv"])

    assert [line.partition(" ")[0] for line in capsys.readouterr().err.splitlines()[:2]] == [
        "job.yml:1:10:",
        "job.yml:2:14:",
    ]


def test_a_value_is_lost_on_its_way_in_a_graph_with_other_errors(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "inner.yml").write_text(
        "type: pipeline\n"
        "inputs: {maybe: {type: number, optional: true}}\n"
        "jobs:\n"
        "  a: {component: ./maybe.yml, inputs: {n: '${{parent.inputs.maybe}}'}}\n"
        "  b: {component: ./needs.yml, inputs: {n: '${{parent.jobs.a.inputs.n}}'}}\n"
        "  c: {component: ./needs.yml, inputs: {n: '${{parent.jobs.d.inputs.n}}'}}\n"
        "  d: {component: ./needs.yml, inputs: {n: '${{parent.jobs.c.inputs.n}}'}}\n",
        encoding="utf-8",
    )
    declared = "environment: azureml:any@latest\ncommand: echo ${{inputs.n}}\n"
    (folder / "needs.yml").write_text("inputs: {n: {type: number}}\n" + declared, encoding="utf-8")
    (folder / "maybe.yml").write_text("inputs: {n: {type: number, optional: true}}\n" + declared, encoding="utf-8")
    text = (
        "type: pipeline\njobs: {s: {type: pipeline, component: ./inner.yml}}\nsettings: {default_compute: serverless}\n"
    )
    (folder / "job.yml").write_text(text, encoding="utf-8")

    assert errors(folder, capsys, "job.yml") == [
        "inner.yml:5 The input 'n' (number) is required, but ",
        "inner.yml:6 Inputs take their values from each other",
    ]
