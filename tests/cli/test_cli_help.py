"""Help, exit codes, and calls that can't be meant."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from project import Project

ASSETS = ("data", "environment", "component", "model")
GROUPS = {
    "job": ("create", "validate", "list", "show", "stream", "download", "cancel", "archive", "restore"),
    "step": ("run",),
    **dict.fromkeys(ASSETS, ("create", "list", "show", "archive", "restore")),
    "environment": ("create", "list", "show", "archive", "restore", "build", "prune"),
}
ALONE = ("run", "check", "parity", "diff", "pull", "ui", "compile", "exec", "up", "down", "status")
COMMANDS = [(group, name) for group, names in GROUPS.items() for name in names]
HEAVY = {"azure", "mlflow", "pandas", "docker", "sklearn", "rich", "numpy", "jmespath"}


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_command(project: Project, flag: str) -> None:
    shown = project.creditml(flag).out

    assert all(f"\n  {command}" in shown for command in (*GROUPS, *ALONE))
    assert "examples:" in shown
    assert "az ml" in shown


@pytest.mark.parametrize("command", [(word,) for word in (*GROUPS, *ALONE)] + COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(project: Project, command: tuple[str, ...]) -> None:
    shown = project.creditml(*command, "--help").out

    assert shown.startswith(f"usage: creditml {' '.join(command)}")
    assert f"  creditml {' '.join(command)} " in shown.partition("example")[2], "no example"
    assert "ctrl-c" not in shown


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_s_help_says_what_each_command_does(project: Project, group: str) -> None:
    shown = project.creditml(group, "--help").out

    for name in GROUPS[group]:
        (line,) = [line for line in shown.splitlines() if line.strip().startswith(f"{name} ")]
        assert len(line.split()) > 2, line


def test_the_version_is_told(project: Project) -> None:
    assert project.creditml("--version").out.startswith("creditml ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("job",),
        ("data",),
        ("jobs", "list"),
        ("job", "lst"),
        ("job", "list", "--nope"),
        ("job", "list", "more"),
        ("job", "list", "-r", "many"),
        ("job", "list", "-o", "xml"),
        ("job", "list", "--query", "["),
        ("job", "list", "--query", "nope(@)"),
        ("job", "create"),
        ("job", "show"),
        ("job", "show", "-n"),
        ("job", "download", "-n", "x", "--all", "--output-name", "y"),
        ("run",),
        ("run", "job.yml", "--max-parallel", "0"),
        ("run", "job.yml", "--max-parallel", "-1"),
        ("run", "job.yml", "--max-parallel", "two"),
        ("run", "job.yml", "--set", "nothing"),
        ("ui", "--port", "x"),
        ("ui", "--port", "99999"),
        ("data", "create"),
        ("component", "create"),
        ("data", "show", "-n", "x", "-v", "1", "-l", "latest"),
        ("data", "archive", "-n", "x", "-v", "1", "-l", "latest"),
        ("data", "list", "-r", "-1"),
        ("job", "list", "-r", "0"),
    ],
    ids=" ".join,
)
def test_a_call_that_cannot_be_meant_ends_with_2_and_says_why(project: Project, words: tuple[str, ...]) -> None:
    project.write("job.yml", "type: command\ncommand: echo\nenvironment: azureml:python:1\ncompute: azureml:c\n")

    done = project.creditml(*words, code=2)

    assert done.err if words else done.out.startswith("usage:")


@pytest.mark.parametrize(("typed", "meant"), [("jbo", "job"), ("modle", "model"), ("rnu", "run")])
def test_a_near_miss_of_a_command_is_told(project: Project, typed: str, meant: str) -> None:
    assert f"'{meant}'" in project.creditml(typed, code=2).err


@pytest.mark.parametrize(
    "words",
    [
        ("job", "show", "-n", "x"),
        ("job", "stream", "-n", "x"),
        ("job", "download", "-n", "x"),
        ("job", "cancel", "-n", "x"),
        ("job", "archive", "-n", "x"),
        ("job", "list", "-p", "x"),
        *((kind, "show", "-n", "x") for kind in ASSETS),
        *((kind, "archive", "-n", "x") for kind in ASSETS),
        ("data", "show", "-n", "x", "-v", "1"),
        ("job", "create", "-f", "nope.yml"),
        ("run", "nope.yml"),
        ("run", "nope.yml", "--backend", "nope"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_ends_with_1_and_leaves_no_workspace(project: Project, words: tuple[str, ...]) -> None:
    done = project.creditml(*words, code=1)

    assert done.out == ""
    assert "There is no workspace here" in done.err or "nope" in done.err
    assert not project.workspace.exists()


@pytest.mark.parametrize("words", [("job", "list"), *((kind, "list") for kind in ASSETS)], ids=" ".join)
def test_lists_are_empty_where_there_is_no_workspace(project: Project, words: tuple[str, ...]) -> None:
    assert project.json(*words) == []
    assert not project.workspace.exists()


def test_an_unknown_backend_is_an_error_that_lists_those_there_are(project: Project) -> None:
    project.write("job.yml", "type: command\ncommand: echo\nenvironment: azureml:python:1\ncompute: azureml:c\n")
    project.variables["CREDITML_BACKEND"] = "lokal"

    done = project.creditml("run", "job.yml", code=1)

    assert "'lokal'" in done.err
    assert "Did you mean 'local'?" in done.err


@pytest.mark.parametrize(
    "module", ["creditml", "creditml.cli", "creditml.cli.job", "creditml.cli.assets", "creditml.cli.run"]
)
def test_importing_brings_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    unwanted = HEAVY if module == "creditml.cli.run" else HEAVY | {"yaml"}  # `run` is about to read a file
    assert module in loaded
    assert not unwanted & {name.partition(".")[0] for name in loaded}
