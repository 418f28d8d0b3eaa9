"""What a step finds around it: variables, programs, its folder, its command."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from project import Project, pipeline, python, single, step

if TYPE_CHECKING:
    from project import Json

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def variables(project: Project, *flags: str, **keys: Json) -> dict[str, str]:
    """The variables that a step gets."""
    job = project.run(pipeline({"a": python(SHOW, **keys)}), *flags)
    found: dict[str, str] = json.loads(job.log("a"))
    return found


def test_a_variable_of_the_shell_is_not_handed_on(project: Project) -> None:
    project.variables |= {"MY_SECRET": "s", "AZURE_CLIENT_SECRET": "s", "PYTHONPATH": "/nowhere", "VIRTUAL_ENV": "/x"}

    found = variables(project)

    assert not {"MY_SECRET", "AZURE_CLIENT_SECRET", "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME"} & found.keys()


def test_it_is_if_the_user_says_so(project: Project) -> None:
    project.variables |= {"MY_TOKEN": "with blank", "OTHER": "x", "LAST": "y"}

    found = variables(project, "--pass-env", "MY_TOKEN", "--pass-env", "OTHER", "--pass-env", "NOT_SET")

    assert (found["MY_TOKEN"], found["OTHER"]) == ("with blank", "x")
    assert not {"LAST", "NOT_SET"} & found.keys()


def test_a_detached_runner_hands_it_on_too(project: Project) -> None:
    project.variables |= {"MY_TOKEN": "t", "OTHER": "x"}

    job = project.submit(single('echo "$MY_TOKEN-$OTHER"'), "--pass-env", "MY_TOKEN").wait()

    assert job.log() == "t-\n"


def test_the_project_s_settings_hand_it_on_too(project: Project) -> None:
    project.variables |= {"MY_TOKEN": "t"}
    project.write("creditml.yml", "pass_env: [MY_TOKEN]\n")

    assert variables(project)["MY_TOKEN"] == "t"


@pytest.mark.parametrize(
    ("given", "direct"),
    [
        ({}, {"no_proxy": "localhost,127.0.0.1"}),
        ({"NO_PROXY": "corp"}, {"NO_PROXY": "corp,localhost,127.0.0.1"}),
        ({"no_proxy": "*"}, {"no_proxy": "*"}),
    ],
)
def test_the_tracking_server_is_not_asked_for_through_a_proxy(
    project: Project, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], direct: dict[str, str]
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    project.variables |= {"http_proxy": "http://proxy.corp:3128", **given}

    found = variables(project)

    assert found["http_proxy"] == "http://proxy.corp:3128"
    assert direct.items() <= found.items()


def test_what_every_step_needs_is_there(project: Project) -> None:
    found = variables(project)

    assert {"PATH", "HOME", "LANG", "PWD"} <= found.keys()
    assert found["HOME"] == os.environ["HOME"]


def test_azure_s_variables_are_set(project: Project) -> None:
    project.write("data/x.csv", "1\n")
    keys = {
        "inputs": {"lr": 0.1, "table": {"type": "uri_file", "path": "./data/x.csv"}},
        "outputs": {"model": {"type": "uri_folder"}},
    }
    command = f"python -c '{SHOW}' # ${{{{inputs.lr}}}} ${{{{inputs.table}}}} ${{{{outputs.model}}}}"

    job = project.run(pipeline({"a": step(command, **keys)}), "--experiment-name", "credit")
    found = json.loads(job.log("a"))

    child = job.steps()["a"]["name"]
    assert (found["AZUREML_RUN_ID"], found["AZUREML_ROOT_RUN_ID"]) == (child, job.name)
    assert (found["MLFLOW_RUN_ID"], found["MLFLOW_EXPERIMENT_NAME"]) == (child, "credit")
    assert found["MLFLOW_TRACKING_URI"].startswith("http://127.0.0.1:")
    assert found["MLFLOW_EXPERIMENT_ID"].isdecimal()
    assert found["AZUREML_PARAMETER_lr"] == "0.1"
    assert found["AZURE_ML_INPUT_table"].endswith("/INPUT_table/x.csv")
    assert found["AZURE_ML_OUTPUT_model"].endswith("/cap/data-capability/wd/model")
    assert found["AZUREML_CR_EXECUTION_WORKING_DIR_PATH"].endswith("/exe/wd")
    assert {"AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME"} <= found.keys()


def test_a_single_job_is_its_own_root(project: Project) -> None:
    job = project.run(single("echo $AZUREML_RUN_ID $AZUREML_ROOT_RUN_ID"))

    assert job.log().split() == [job.name, job.name]


def test_variables_of_the_spec_win(project: Project) -> None:
    chosen = {
        "LANG": "C",
        "MINE": "a b '$HOME' ${{inputs.x}}",
        "AZUREML_PROCESS_NAME": "other",
        "MLFLOW_TRACKING_URI": "https://mine",
        "MLFLOW_RUN_ID": "mine",
        "MLFLOW_EXPERIMENT_NAME": "mine",
        "MLFLOW_DISABLE_TELEMETRY": "false",
    }

    found = variables(project, environment_variables=chosen)

    assert chosen.items() <= found.items()


def test_mlflow_s_variables_of_the_shell_do_not(project: Project) -> None:
    """Not even where they are handed on: a step logs to its own run."""
    names = ["MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"]
    others = ["MLFLOW_RUN_CONTEXT", "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"]
    project.variables |= dict.fromkeys([*names, *others], "theirs")
    project.write("creditml.yml", f"pass_env: {json.dumps([*names, *others])}\n")

    found = variables(project)

    assert {name for name in [*names, *others] if found[name] == "theirs"} == {others[1]}


def test_python_is_the_interpreter_that_runs_creditml(project: Project) -> None:
    project.variables["PATH"] = "/usr/bin:/bin"

    job = project.run(single('python -c "import sys; print(sys.prefix)"'))

    assert Path(job.log().strip()) == Path(sys.prefix)


def test_a_step_has_no_terminal_and_an_empty_stdin(project: Project) -> None:
    job = project.run(single("wc -c; tty"), code=1)

    assert job.log().splitlines() == ["0", "not a tty"]


def test_a_step_starts_in_a_folder_of_its_own(project: Project) -> None:
    messy = "touch here ../here ../../here ../../cap/data-capability/wd/here; mkdir -p deep/er; umask 077; touch x"
    look = "cd ../..; find . -type f; find . -name deep; pwd"
    jobs = {"a": step(messy), "b": step(look, inputs={"x": "1"}), "c": step(look)}

    job = project.run(pipeline(jobs), "--max-parallel", "1")

    assert [len(job.log(name).splitlines()) for name in "bc"] == [1, 1]


@pytest.mark.parametrize(
    ("command", "log"),
    [
        ("""echo 'single' "double" `echo back`""", "single double back\n"),
        ("echo a; echo b && echo c | tr c d", "a\nb\nd\n"),
        ("echo one\necho two\n", "one\ntwo\n"),
        ("false\necho still here\n", "still here\n"),
        ("X=5; echo $X ${X} $((X+1))", "5 5 6\n"),
        ("echo {a,b} ~ | grep -c /", "1\n"),
        ("[[ a == a ]] && echo bash", "bash\n"),
        ("cat <<END\nhere $((1+1))\nEND\n", "here 2\n"),
        ("echo 'ünï ✓ 字'", "ünï ✓ 字\n"),
        ("echo out; echo err >&2; echo out", "out\nerr\nout\n"),
        ("printf 'no newline'", "no newline"),
        ("echo $0 | sed s:.*/::", "bash\n"),
    ],
)
def test_commands_are_bash_s(project: Project, command: str, log: str) -> None:
    assert project.run(single(command)).log() == log


def test_values_are_put_in_as_they_are(project: Project) -> None:
    inputs = {"words": "two words; echo three", "flag": True, "small": "1e-5", "number": 0.01, "empty": ""}
    command = "echo ${{inputs.words}}; echo ${{inputs.flag}} ${{inputs.small}} ${{inputs.number}} [${{inputs.empty}}]"

    job = project.run(single(command, inputs=inputs))

    assert job.log() == "two words\nthree\nTrue 1e-5 0.01 []\n"


@pytest.mark.parametrize("name", ["with blank", "ünï çödé 字", 'quote\'d "name"', "$HOME;(x)&", "-dash", "a%20b#?"])
def test_a_project_may_lie_anywhere(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / name)
    project.write(
        "src/run.py", "import sys; print(open(sys.argv[1]).read() + sys.argv[3]); open(sys.argv[2], 'w').write('x')"
    )
    project.write("data.txt", "data ")
    command = (
        "python run.py ${{inputs.file}} ${{outputs.out}}/x ${{inputs.word}} && cd $AZUREML_CR_DATA_CAPABILITY_PATH"
    )
    inputs = {"file": {"type": "uri_file", "path": "./data.txt"}, "word": "word"}
    spec = pipeline({"a": step(command, code="./src", inputs=inputs, outputs={"out": {"type": "uri_folder"}})})

    job = project.run(spec)

    assert job.log("a") == "data word\n"
    assert (job.folder("a") / "outputs/out/x").is_file()
