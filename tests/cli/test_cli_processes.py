"""Commands as processes of their own say what they say in the process of the tests, where most tests run them."""

from __future__ import annotations

import pytest
from project import ENVIRONMENT, Project, pipeline, step

pytestmark = pytest.mark.filterwarnings("ignore")  # of the SDK
ASSETS = ("data", "environment", "component", "model")
CALLS = {
    ("--help",): 0,
    ("--version",): 0,
    ("nope",): 2,
    ("check", "job.yml"): 0,
    ("parity", "job.yml"): 0,
    ("job", "validate", "-f", "bad.yml"): 1,
    ("job", "list", "-o", "table"): 0,
    ("job", "show", "-n", "done"): 0,
    ("job", "stream", "-n", "done"): 0,
    ("job", "download", "-n", "done", "--all", "-p", "got"): 0,
    ("job", "cancel", "-n", "done"): 0,
    ("job", "archive", "-n", "done"): 0,
    ("job", "restore", "-n", "done"): 0,
    ("diff", "done", "again", "-o", "yaml"): 1,
    ("environment", "prune", "--all"): 0,
    ("compile", "pipe.py:saying", "-o", "made.yml"): 0,
    ("status",): 1,
    ("pull", "nowhere"): 1,
    **{(kind, "create", "-f", f"{kind}.yml", "--query", "id"): 0 for kind in ASSETS},
    **{(kind, "list", "-o", "tsv"): 0 for kind in ASSETS},
    **{(kind, "show", "-n", "thing", "-o", "jsonc"): 0 for kind in ASSETS},
    **{(kind, "archive", "-n", "thing"): 0 for kind in ASSETS},
    **{(kind, "restore", "-n", "thing"): 0 for kind in ASSETS},
}
PIPE = """
from azure.ai.ml import command, dsl
say = command(name="say", command="echo hi", environment="azureml:python:1")
@dsl.pipeline(compute="serverless")
def saying():
    say()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Something of everything: two jobs, and an asset of each kind."""
    project = Project(tmp_path_factory.mktemp("processes") / "project")
    for name in ("done", "again"):
        jobs = {"a": step(f"echo {name} > ${{{{outputs.o}}}}", outputs={"o": {"type": "uri_file"}})}
        project.run(pipeline(jobs), name=name)
    project.write("bad.yml", {"type": "pipeline", "jobs": {"a": {"type": "comand"}}})
    project.write("pipe.py", PIPE)
    specs = {
        "data": {"type": "uri_file", "path": "./bad.yml"},
        "model": {"type": "custom_model", "path": "./bad.yml"},
        "environment": ENVIRONMENT,
        "component": {"type": "command", "command": "echo", "environment": ENVIRONMENT},
    }
    for kind, spec in specs.items():
        project.write(f"{kind}.yml", {"name": "thing", "version": "1", **spec})
    return project


@pytest.mark.parametrize(("words", "code"), CALLS.items(), ids=[" ".join(words) for words in CALLS])
def test_a_process_says_what_is_said_inside(project: Project, words: tuple[str, ...], code: int) -> None:
    apart = project.outside(words)

    assert apart == project.inside(words)
    assert apart.code == code


def test_help_of_any_command_is_asked_for_inside(project: Project) -> None:
    assert not project.needs_a_process(("run", "--help"))
    assert project.needs_a_process(("run", "job.yml"))
