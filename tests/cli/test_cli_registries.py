"""Registries, as far as somebody has put something there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from project import Project, pipeline, step

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = "azureml://registries/shared"
HEAD = """
from azure.ai.ml import Input, MLClient, dsl, load_component
from azure.ai.ml.entities import BuildContext, Data, Environment, Model
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential
credential = DefaultAzureCredential()
registry, ml = MLClient(credential, registry_name="shared"), MLClient(credential, "any", "group", "workspace")
"""
PUT = f"""
{HEAD}
registry.environments.create_or_update(Environment(name="python", version="1", image="python:3.11"))
registry.environments.create_or_update(Environment(name="built", version="1", build=BuildContext(path="context")))
registry.components.create_or_update(load_component("hello.yml"), version="1")
print("next:", registry.components.create_or_update(load_component("hello.yml")).id)
registry.data.create_or_update(Data(name="words", version="1", path="words.txt", type="uri_file"))
registry.models.create_or_update(Model(name="net", version="1", path="net", type="custom_model"))
registry.models.create_or_update(Model(name="file", version="1", path="words.txt", type="custom_model"))
"""
LOOK = """
for kind in ("environments", "components", "data", "models"):
    operations = getattr(registry, kind)
    names = sorted(asset.name for asset in operations.list())
    print(kind, [operations.get(name, label="latest").id for name in names])
    try:
        operations.get("nothing", version="1")
    except ResourceNotFoundError as error:
        print(error.message)
print([asset.version for asset in registry.components.list(name="hello")])
registry.models.download("net", version="1", download_path="got")
registry.models.download("file", version="1", download_path="got")
print("own:", [list(ml.components.list()), list(ml.data.list()), list(ml.models.list())])
"""
SUBMIT = f"""
{HEAD}
hello = registry.components.get("hello", version="1")
@dsl.pipeline(compute="serverless")
def flow():
    hello(words=Input(type="uri_file", path="{REGISTRY}/data/words/versions/1"))
job = ml.jobs.create_or_update(flow())
ml.jobs.stream(job.name)
print("name:", job.name)
"""
SHARE = """
ml.data.create_or_update(Data(name="words", version="3", path="words.txt", type="uri_file"))
ml.models.create_or_update(Model(name="net", version="3", path="net", type="custom_model"))
ml.environments.create_or_update(Environment(name="python", version="3", image="python:3.12"))
for operations, name in ((ml.data, "words"), (ml.models, "net"), (ml.environments, "python")):
    names = {"share_with_name": "given", "share_with_version": "7", "registry_name": "shared"}
    print(operations.share(name=name, version="3", **names).id)
"""
CONNECTED = SUBMIT.replace("credential = DefaultAzureCredential()\n", "import creditml\n").replace(
    'MLClient(credential, registry_name="shared"), MLClient(credential, "any", "group", "workspace")',
    'creditml.connect(registry_name="shared"), creditml.connect()',
)
HELLO = {
    "name": "hello",
    "type": "command",
    "code": "./src",
    "command": "python main.py ${{inputs.words}}",
    "environment": f"{REGISTRY}/environments/python/versions/1",
    "inputs": {"words": {"type": "uri_file"}},
}


def project_in(folder: Path) -> Project:
    made = Project(folder / "project", HOME=str(folder / "home"), AZUREML_RUN_POLLING_INTERVAL_MIN="1")
    made.write("src/main.py", "import sys; print('hello', open(sys.argv[1]).read())")
    made.write("hello.yml", HELLO)
    made.write("words.txt", "a b c")
    made.write("net/weights", "1 2 3")
    made.write("context/Dockerfile", "FROM scratch")
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_in(tmp_path)


class Filled(NamedTuple):
    """A project whose registry the SDK filled, looked at and shared something with; what it said of that."""

    project: Project
    said: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    project = project_in(tmp_path_factory.mktemp("registry"))
    return Filled(project, script(project, PUT + LOOK + SHARE))


def script(project: Project, content: str) -> str:
    project.write("script.py", content)
    return project.creditml("exec", "--", sys.executable, "script.py").out


def registered(project: Project) -> Project:
    """By the command line, what `PUT` does by the SDK."""
    project.write("words.yml", {"name": "words", "version": "1", "type": "uri_file", "path": "words.txt"})
    for words in (
        ("component", "create", "-f", "hello.yml", "--version", "1"),
        ("data", "create", "-f", "words.yml"),
        ("model", "create", "--name", "net", "--version", "1", "--type", "custom_model", "--path", "net"),
    ):
        project.creditml(*words, "--registry-name", "shared")
    return project


def test_what_the_sdk_puts_into_a_registry_is_there(filled: Filled) -> None:
    project, said = filled
    assert f"next: {REGISTRY}/components/hello/versions/2" in said
    assert f"environments ['{REGISTRY}/environments/built/versions/1', '{REGISTRY}/environments/python/ver" in said
    assert f"components ['{REGISTRY}/components/hello/versions/2']" in said
    assert f"data ['{REGISTRY}/data/words/versions/1']" in said
    assert f"models ['{REGISTRY}/models/file/versions/1', '{REGISTRY}/models/net/versions/1']" in said
    assert "['2', '1']" in said
    for kind in ("environment", "component", "data", "model"):
        assert f"Create it with `creditml {kind} create -f FILE --registry-name shared`" in said
    assert (project.folder / "got/net/net/weights").read_text() == "1 2 3"
    assert (project.folder / "got/file/words.txt").read_text() == "a b c"
    assert "own: [[], [], []]" in said, "the workspace's own assets are others"
    assert not any((project.workspace / "service/uploads").iterdir())
    shown = project.json("environment", "show", "-n", "built", "--registry-name", "shared")
    assert shown["id"] == f"{REGISTRY}/environments/built/versions/1"


@pytest.mark.parametrize("connected", [False, True])
def test_the_sdk_submits_what_is_in_a_registry(project: Project, *, connected: bool) -> None:
    registered(project)
    if connected:
        project.write("script.py", CONNECTED)
        command = [sys.executable, "script.py"]
        options = {"cwd": project.folder, "env": project.environment(), "capture_output": True, "text": True}
        said = subprocess.run(command, check=True, **options).stdout  # type: ignore[call-overload]
    else:
        said = script(project, SUBMIT)
    name = said.rpartition("name:")[2].strip()
    log = project.workspace / f"jobs/{name}/steps/hello/artifacts/user_logs/std_log.txt"
    assert log.read_text().strip() == "hello a b c"


def test_a_file_refers_to_what_is_in_a_registry(project: Project) -> None:
    words = {"type": "uri_file", "path": f"{REGISTRY}/data/words/labels/latest"}
    net = {"type": "custom_model", "path": f"{REGISTRY}/models/net/versions/1"}
    hello = {"type": "command", "inputs": {"words": words}}
    jobs = {
        "version": {**hello, "component": f"{REGISTRY}/components/hello/versions/1"},
        "label": {**hello, "component": f"{REGISTRY}/components/hello/labels/latest"},
        "net": step("cat ${{inputs.net}}/weights", inputs={"net": net}),
    }
    job = registered(project).run(pipeline(jobs))
    assert [job.log(name).strip() for name in jobs] == ["hello a b c", "hello a b c", "1 2 3"]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"component": f"{REGISTRY}/components/helo/versions/1"}, "Did you mean 'hello'? Create it with"),
        ({"component": f"{REGISTRY}/components/hello/versions/4"}, "with version '4'. Its versions are: 1."),
        ({"component": f"{REGISTRY}/models/hello/versions/1"}, f"write {REGISTRY[:21]}<registry>/components/<name>"),
        ({"component": f"{REGISTRY}/components/hello"}, "…/labels/latest"),
        (
            {"component": "hello.yml", "inputs": {"words": {"path": f"{REGISTRY}/data/word/versions/1"}}},
            "`creditml data create -f FILE --registry-name shared`",
        ),
    ],
)
def test_what_isnt_there_is_told_with_its_place(project: Project, node: dict[str, object], said: str) -> None:
    words = {"words": {"type": "uri_file", "path": "words.txt"}}
    project.write("job.yml", pipeline({"a": {"type": "command", "inputs": words, **node}}))
    error = registered(project).creditml("run", "job.yml", code=1).err
    assert said in error
    assert error.startswith("job.yml:")


def test_an_asset_is_shared_with_a_registry(filled: Filled) -> None:
    project, said = filled
    for kind in ("data", "models", "environments"):
        assert f"{REGISTRY}/{kind}/given/versions/7" in said
    words = {"type": "uri_file", "path": f"{REGISTRY}/data/given/versions/7"}
    job = project.run(pipeline({"a": step("cat ${{inputs.words}}", inputs={"words": words})}))
    assert job.log("a").strip() == "a b c"


def test_the_command_line_keeps_them_apart(project: Project) -> None:
    registered(project)
    assert project.json("component", "list", "--registry-name", "shared", "--query", "[].id") == [
        f"{REGISTRY}/components/hello/versions/1"
    ]
    assert project.json("component", "list") == []
    project.creditml("component", "archive", "-n", "hello", "--registry-name", "shared")
    assert project.json("component", "list", "--registry-name", "shared") == []
    said = project.creditml("component", "show", "-n", "hello", "--registry-name", "shared", code=1).err
    assert "`creditml component restore -n hello --registry-name shared`" in said
