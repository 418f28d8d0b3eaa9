"""Files that are no job: a message with a place and exit code 1, whatever they hold. `Project` refuses tracebacks."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditml.errors import SpecError
from creditml.nodes.specs import read_job

if TYPE_CHECKING:
    from pathlib import Path

    from project import Json, Project

PIPES = {
    "job": ("pipe", None),
    "component": ("job.yml", {"type": "pipeline", "jobs": {"a": {"type": "command", "component": "pipe"}}}),
    "conda file": (
        "job.yml",
        {"type": "command", "command": "true", "environment": {"image": "i", "conda_file": "pipe"}},
    ),
    "data": ("job.yml", {"type": "command", "command": "true", "inputs": {"x": {"type": "uri_file", "path": "pipe"}}}),
}
JOB = "type: command\ncommand: echo hi\nenvironment: azureml:python:1\ncompute: azureml:cluster\n"
LAUGHS = "\n".join(
    [
        "a: &a [x, x, x, x, x, x, x, x, x]",
        *(f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
)
BAD = {
    "empty": b"",
    "blank": b" \n\n",
    "only a comment": b"# nothing\n",
    "only a marker": b"---\n",
    "binary": bytes(range(256)),
    "image": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "list": b"- a\n- b\n",
    "text": b"just words\n",
    "number": b"42\n",
    "null": b"null\n",
    "two documents": JOB.encode() + b"---\n" + JOB.encode(),
    "utf-16": JOB.encode("utf-16"),
    "latin-1": (JOB + "description: \xe9\n").encode("latin-1"),
    "zero byte": JOB.encode() + b"\0",
    "tab": b"type:\tcommand\n\tcommand: echo\n",
    "open bracket": b"jobs: {a: [\n",
    "open quote": b"command: 'echo\n",
    "json cut off": b'{"type": "pipeline", "jobs": {',
    "nested brackets": b"[" * 50_000,
    "nested mappings": b"a: " + b"{b: " * 50_000,
    "nested blocks": "".join(" " * n + "a:\n" for n in range(2000)).encode(),
    "laughs": LAUGHS.encode(),
    "alias of itself": b"jobs: &j\n  a: *j\n",
    "merge of itself": b"<<: &m {command: echo, <<: *m}\n",
    "unknown alias": b"command: *nope\n",
    "python tag": b"!!python/object/apply:os.system ['echo pwned']\n",
    "odd keys": b"1: 2\n? [a, b]\n: c\ntrue: 1\nnull: x\n",
    "key of a mapping": b"{a: 1}: 2\n",
    "duplicate keys": JOB.encode() + b"jobs: {}\ntype: pipeline\n",
    "huge number": JOB.encode() + b"limits: {timeout: " + b"9" * 5000 + b"}\n",
    "infinity": JOB.encode() + b"limits: {timeout: .inf}\n",
    "date": JOB.encode() + b"inputs: {x: 2024-01-01}\n",
    "surrogate": JOB.encode() + b'description: "\\ud800"\n',
    "lists everywhere": b"type: [pipeline]\njobs: [a]\ninputs: [b]\noutputs: [c]\nsettings: [d]\n",
    "texts everywhere": b"type: pipeline\njobs: a\ninputs: b\noutputs: c\nsettings: d\n",
    "nulls everywhere": b"type: pipeline\njobs: null\ninputs: null\noutputs: null\nsettings: null\n",
    "null nodes": b"type: pipeline\njobs: {a: null, b: [], c: x, d: {}, e: 1}\n",
    "unknown type": b"type: nope\n",
    "sweep": b"type: pipeline\njobs: {a: {type: sweep}}\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_no_job_is_refused_with_a_place(project: Project, content: bytes) -> None:
    project.write("job.yml", content)

    done = project.creditml("job", "validate", "-f", "job.yml", code=1)

    assert done.out == ""
    assert "job.yml:" in done.err.splitlines()[0]
    assert "Nothing was run." in done.err
    assert not project.workspace.exists()


@pytest.mark.parametrize("words", [("job", "create", "-f"), ("run",)], ids=" ".join)
@pytest.mark.parametrize("name", ["binary", "open bracket"])
def test_no_command_runs_it(project: Project, words: tuple[str, ...], name: str) -> None:
    project.write("job.yml", BAD[name])

    done = project.creditml(*words, "job.yml", code=1)

    assert done.err.startswith("job.yml:")
    assert not list(project.workspace.glob("jobs/*"))


@pytest.mark.parametrize("kind", ["data", "environment", "component", "model"])
@pytest.mark.parametrize("name", ["empty", "binary", "list", "lists everywhere"])
def test_nor_is_it_an_asset(project: Project, kind: str, name: str) -> None:
    project.write("asset.yml", BAD[name])

    done = project.creditml(kind, "create", "-f", "asset.yml", "--name", "x", code=1)

    assert "asset.yml:" in done.err
    assert project.json(kind, "list") == []


@pytest.mark.parametrize("name", ["empty", "binary", "lists everywhere"])
def test_nor_settings_of_the_project(project: Project, name: str) -> None:
    project.write("job.yml", JOB)
    project.write("creditml.yml", BAD[name])

    done = project.creditml("run", "job.yml", code=0 if name == "empty" else 1)

    assert name == "empty" or "creditml.yml:" in done.err


@pytest.mark.parametrize(
    "wrong",
    [
        "max_parallel: 0",
        "max_parallel: -1",
        "max_parallel: many",
        "max_jobs: 0",
        "backend: nope",
        "backnd: local",
        "pass_env: [1, [2]]",
    ],
)
def test_wrong_settings_are_named(project: Project, wrong: str) -> None:
    project.write("job.yml", JOB)
    project.write("creditml.yml", wrong + "\n")

    done = project.creditml("run", "job.yml", code=None)

    assert done.code in (1, 2)
    assert "creditml.yml" in done.err or "'nope'" in done.err


@pytest.mark.parametrize("place", ["folder", "folder/none.yml", "none.yml", "job.yml/x", "", "x" * 5000, "\udcff.yml"])
def test_a_file_that_cannot_be_read_is_named(project: Project, place: str) -> None:
    (project.folder / "folder").mkdir()
    project.write("job.yml", JOB)

    done = project.creditml("job", "validate", "-f", place, code=None)

    assert done.code in (1, 2)
    assert done.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_file_may_have_a_mark_and_carriage_returns(project: Project, encoding: str) -> None:
    project.write("job.yml", JOB.replace("\n", "\r\n").encode(encoding))

    project.creditml("job", "validate", "-f", "job.yml")


def test_a_file_may_have_any_name(project: Project) -> None:
    name = os.fsdecode(b"caf\xe9 \xf0\x9f\x9a\x80.yml")
    project.write("job.yml", JOB).rename(project.folder / name)

    done = project.creditml("run", name, errors="replace")

    assert "Completed" in done.out


def test_a_job_may_come_through_a_pipe(project: Project) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as file:
        file.write(JOB)
    with os.fdopen(read) as stdin:
        done = project.creditml("run", "/dev/stdin", stdin=stdin)

    assert "Completed" in done.out


@pytest.mark.parametrize(
    ("override", "code"),
    [
        ("command=echo other", 0),
        ("description=", 0),
        ("tags.a.b=1", 1),
        ("command.x=1", 2),
        ("=x", 2),
        ("nothing", 2),
        ("..=x", None),
        ("a..b=x", None),
        ("[0]=x", None),
        ("inputs[0]=x", None),
        ("environment_variables.A=null", None),
        ("name=../up", 1),
        ("name=two words", 1),
        ("type=nope", 1),
        ("limits.timeout=x", 1),
        ("commnd=x", 1),
    ],
)
def test_overrides_are_checked_like_the_file(project: Project, override: str, code: int | None) -> None:
    project.write("job.yml", JOB)

    done = project.creditml("job", "validate", "-f", "job.yml", "--set", override, code=code)

    assert done.code in (0, 1, 2)
    assert done.code == 0 or done.err


def test_a_mistake_on_the_command_line_is_told_there(project: Project) -> None:
    project.write("job.yml", JOB)

    done = project.creditml("job", "validate", "-f", "job.yml", "--set", "limits.timeout=soon", "commnd=x", code=1)

    places = [line.partition(": ")[0] for line in done.err.splitlines()[:2]]
    assert sorted(places) == ["--set commnd=x", "--set limits.timeout=soon"]


def test_every_mistake_is_told_at_once_with_its_place(project: Project) -> None:
    project.write(
        "job.yml",
        """\
        type: pipeline
        settings: {default_compute: serverless}
        inputs:
          data: {type: uri_folder, path: ./nope}
        jobs:
          prep:
            type: command
            command: echo ${{inputs.dat}}
            environment: azureml:python:1
            inputs: {data: "${{parent.inputs.dta}}"}
          train:
            type: comand
            command: echo
            environment: azureml:python:1
            inputs: {data: "${{parent.jobs.perp.outputs.x}}"}
        """,
    )

    done = project.creditml("job", "validate", "-f", "job.yml", code=1)

    places = [line.split(":")[1] for line in done.err.splitlines() if line.startswith("job.yml:")]
    assert places == sorted(places, key=int)
    assert {"4", "8", "10", "12"} <= set(places)
    assert "Did you mean" in done.err


def test_what_bash_would_call_a_bad_substitution_is_told_where_it_stands(project: Project) -> None:
    project.write(
        "say.yml",
        """\
        name: say
        command: echo "${{inputs.word}}" && echo "${{inputs other}}"
        environment: azureml:python:1
        inputs:
          word:
            type: string
            default: ${{inputs.other}}
        """,
    )
    project.write("job.yml", {"type": "pipeline", "compute": "cpu", "jobs": {"a": {"component": "./say.yml"}}})

    done = project.creditml("job", "validate", "-f", "job.yml")

    lines = [line for line in done.err.splitlines() if "bad substitution" in line]
    assert [line.partition(" warning: ")[0] for line in lines] == ["say.yml:2:10:", "say.yml:7:14:"]
    assert "bad substitution" in project.creditml("run", "job.yml", code=1).err


LINES = [
    *JOB.splitlines(keepends=True),
    "jobs: {a: {type: command, command: echo, environment: 'azureml:p:1'}}\n",
    "inputs: {x: 1, y: {type: uri_file, path: ./job.yml}}\n",
    "outputs: {o: {type: uri_folder}}\n",
    "settings: {default_compute: serverless}\n",
    "type: pipeline\n",
]
SCRAPS = st.sampled_from(
    [
        *" \t\n:-{}[]&*!|>'\"%@`#,?~",
        "${{",
        "}}",
        "$[[",
        "]]",
        "<<: ",
        "!!int ",
        "&a ",
        "*a",
        "\x85",
        "\ufeff",
        "é",
        "0x",
        "1_0",
    ]
)


@settings(max_examples=10 * settings.default.max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=6),
    scraps=st.lists(st.tuples(st.integers(0, 400), SCRAPS), max_size=4),
)
def test_whatever_is_typed_into_a_job_is_read_or_refused(
    tmp_path: Path, lines: list[str], scraps: list[tuple[int, str]]
) -> None:
    text = "".join(lines)
    for place, scrap in scraps:
        text = text[:place] + scrap + text[place:]
    file = tmp_path / "job.yml"
    file.write_bytes(text.encode())

    try:
        reading = read_job(str(file), [])
    except SpecError as error:
        assert error.problems  # noqa: PT017  either answer is right
    else:
        assert reading.job is not None or any(not problem.warning for problem in reading.problems)


FULL = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'


@pytest.mark.parametrize("words", [("run", "job.yml"), ("data", "create", "-n", "d", "-t", "uri_file", "-p", "big")])
def test_a_full_disk_is_called_that(project: Project, tmp_path: Path, words: tuple[str, ...]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    prefix = ("unshare", "-rm", "sh", "-c", FULL, str(small))
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a small file system of its own")
    project.write("job.yml", JOB)
    project.write("big", b"0" * 100_000)
    project.variables["CREDITML_HOME"], project.prefix = str(small / "w"), prefix

    done = project.creditml(*words, code=1)

    assert "no space left" in done.err
    assert "ree some space" in done.err
    assert "ove it" not in done.err, "the workspace is as good as it was"


@pytest.mark.parametrize(
    ("words", "damage"),
    [
        (("run", "job.yml"), "PRAGMA user_version=99"),
        (("ui",), "PRAGMA user_version=99"),
        (("run", "job.yml"), "DROP TABLE transitions"),
        (("job", "create", "-f", "job.yml"), "DROP TABLE transitions"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_and_nothing_is_left(
    project: Project, words: tuple[str, ...], damage: str
) -> None:
    project.write("job.yml", JOB)
    project.creditml("run", "job.yml")
    with contextlib.closing(sqlite3.connect(project.workspace / "workspace.db")) as db:
        db.execute(damage)
    before = sorted(project.workspace.glob("jobs/*"))

    done = project.creditml(*words, code=1)

    assert str(project.workspace / "workspace.db") in done.err
    assert sorted(project.workspace.glob("jobs/*")) == before


def test_a_file_is_no_workspace(project: Project) -> None:
    project.variables["CREDITML_HOME"] = str(project.write("job.yml", JOB))

    done = project.creditml("run", "job.yml", code=1)

    assert "is a file, but a workspace must be a folder" in done.err


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("type: pipeline\njob: {}\n", "needs 'jobs'. Was it misspelled as 'job'?"),
        ("type: pipeline\njobs: {a: {comand: ls}}\n", "Was it misspelled as 'comand'?"),
        (JOB.replace("azureml:python:1", "python:1"), "write azureml:python:1 for"),
        (JOB.replace("azureml:python:1", "python"), "write azureml:python@latest for"),
    ],
)
def test_a_mend_says_what_to_write(project: Project, text: str, mend: str) -> None:
    project.write("job.yml", text)

    assert mend in project.creditml("job", "validate", "-f", "job.yml", code=1).err


@pytest.mark.parametrize("leads_to", ["pipe", "/dev/zero"])
@pytest.mark.parametrize("what", PIPES)
def test_nothing_waits_for_what_is_not_a_file(project: Project, what: str, leads_to: str) -> None:
    if leads_to == "pipe":
        os.mkfifo(project.folder / "pipe")
    else:
        (project.folder / "pipe").symlink_to(leads_to)
    file, job = PIPES[what]
    if job is not None:
        project.write(file, job)

    done = project.creditml("job", "validate", "-f", file, code=1)
    assert "pipe" in done.err


@pytest.mark.parametrize(
    ("document", "called"),
    [
        ({"$schema": "https://x/commandComponent.schema.json", "command": "true"}, "a component, not a job"),
        ({"command": "true", "version": 1, "name": "c"}, "a component, not a job"),
        ({"command": "true", "inputs": {"n": {"type": "integer", "default": 1}}}, "a component, not a job"),
        ({"trigger": {}, "create_job": "job.yml"}, "a schedule"),
        ({"$schema": "https://x/data.schema.json", "path": "."}, "creditml data create"),
    ],
)
def test_another_document_is_called_what_it_is(project: Project, document: Json, called: str) -> None:
    project.write("other.yml", document)

    problem, summary = project.creditml("check", "other.yml", code=1).err.splitlines()

    assert problem.startswith("other.yml:1:1: This file is")
    assert called in problem
    assert summary.startswith("1 error.")


@pytest.mark.parametrize("code", ["/", "/proc", "{root}", "/tmp/.."])
def test_the_system_itself_is_not_code(project: Project, code: str) -> None:
    (project.folder / "root").symlink_to("/")
    path = code.format(root=project.folder / "root")
    component = {"type": "command", "name": "c", "command": "true", "environment": {"image": "i"}}
    project.write("code.yml", {**component, "code": path})
    project.write("include.yml", {**component, "additional_includes": [path]})
    for file in ("code.yml", "include.yml"):
        project.write("job.yml", {"type": "pipeline", "jobs": {"a": {"type": "command", "component": file}}})
        done = project.creditml("job", "validate", "-f", "job.yml", code=1)
        assert f"{file}:" in done.err
        assert "of the operating system" in done.err
    done = project.creditml("data", "create", "--name", "d", "--type", "uri_folder", "--path", path, code=1)
    assert "of the operating system" in done.err


def test_requirements_that_name_each_other_without_end_are_refused(project: Project) -> None:
    for number in range(12):
        project.write(f"{number}.txt", f"-r {number + 1}.txt\n" * 10)
    project.write("conda.yml", {"dependencies": [{"pip": ["-r 0.txt"]}]})
    environment = {"image": "i", "conda_file": "conda.yml"}
    project.write("job.yml", {"type": "command", "command": "true", "environment": environment})
    assert "more than 10,000 lines" in project.creditml("job", "validate", "-f", "job.yml", code=1).err


def test_a_few_files_make_no_graph_without_end(project: Project) -> None:
    for number in range(22):
        node = {"type": "pipeline" if number < 21 else "command", "component": f"file:p{number + 1}.yml"}
        project.write(f"p{number}.yml", {"type": "pipeline", "name": f"p{number}", "jobs": {"a": node, "b": node}})
    project.write("p22.yml", {"type": "command", "name": "c", "command": "true", "environment": {"image": "i"}})
    job = {"type": "pipeline", "jobs": {"a": {"type": "pipeline", "component": "file:p0.yml"}}}
    project.write("job.yml", job)
    assert "4,194,304 steps" in project.creditml("job", "validate", "-f", "job.yml", code=1).err


def test_files_that_refer_to_each_other_have_a_depth(project: Project) -> None:
    for number in range(400):
        node = {"type": "pipeline", "component": f"file:p{number + 1}.yml"}
        project.write(f"p{number}.yml", {"type": "pipeline", "name": f"p{number}", "jobs": {"a": node}})
    project.write("p400.yml", {"type": "pipeline", "name": "p", "jobs": {}})
    job = {"type": "pipeline", "jobs": {"a": {"type": "pipeline", "component": "file:p0.yml"}}}
    project.write("job.yml", job)
    done = project.creditml("job", "validate", "-f", "job.yml", code=1)
    assert "p30.yml:1:1: More than 30 files refer to each other in a row." in done.err


def test_an_endless_standard_input_is_refused(project: Project) -> None:
    with open("/dev/zero", "rb") as stdin:
        done = project.creditml("run", "/dev/stdin", code=1, stdin=stdin)
    assert "/dev/stdin can't be read: it has more than 16 MB." in done.err
