"""What a spec says of an environment, and what it then asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from creditml.config import EnvironmentSettings
from creditml.environments.conda_file import conda_spec, pip_spec
from creditml.environments.lookup import look_up
from creditml.errors import CreditMLError, NotFound
from creditml.model import Build, Environment
from creditml.nodes.specs import read_job
from creditml.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from project import Json

    from creditml.environments.wanted import Wanted

PLAIN = EnvironmentSettings()
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / ".creditml")


def conda(workspace: Workspace, *dependencies: Json, **others: Json) -> Wanted:
    content = {"dependencies": list(dependencies), **others}
    return look_up(Environment(image=IMAGE, conda_file=content), workspace, PLAIN)


def problems(workspace: Workspace, content: Json) -> str:
    with pytest.raises(CreditMLError) as caught:
        look_up(Environment(name="mine", image=IMAGE, conda_file=content), workspace, PLAIN)
    return str(caught.value)


def test_a_conda_file_says_what_is_asked_of_conda_and_of_pip(workspace: Workspace) -> None:
    wanted = conda(
        workspace,
        "python=3.10",
        "pip=21.3.1",
        "numpy=1.21.2",
        "conda-forge::scipy >=1.7,<2",
        "pytorch=1.9.0=py3.7_cuda11.1_cudnn8_0",
        {"pip": ["scikit-learn==1.5.2", "--extra-index-url https://example.com/simple", "git+https://x.org/y.git@v1"]},
        channels=["conda-forge", "nodefaults"],
        variables={"THREADS": 4, "FAST": True},
        name="ignored",
        prefix="/opt/env",
    )
    assert wanted.python == "3.10"
    assert wanted.conda == ("numpy=1.21.2", "conda-forge::scipy >=1.7,<2", "pytorch=1.9.0=py3.7_cuda11.1_cudnn8_0")
    assert wanted.pip == (
        "scikit-learn==1.5.2",
        "--extra-index-url https://example.com/simple",
        "git+https://x.org/y.git@v1",
    )
    assert wanted.channels == ("conda-forge", "nodefaults")
    assert wanted.variables == {"THREADS": "4", "FAST": "true"}
    assert wanted.image == IMAGE


@pytest.mark.parametrize(
    ("written", "python"),
    [
        ("python", ""),
        ("python=3.8", "3.8"),
        ("python=3.8.*", "3.8"),
        ("python==3.8.5", "==3.8.5"),
        ("python>=3.9,<3.12", ">=3.9,<3.12"),
        ("python >= 3.9, < 3.12", ">=3.9,<3.12"),
        ("conda-forge::python=3.8", "3.8"),
        ("python=3.8.5=h7579374_1", "==3.8.5"),
    ],
)
def test_the_python_of_a_conda_file(workspace: Workspace, written: str, python: str) -> None:
    assert conda(workspace, written, "numpy").python == python
    assert conda(workspace, written, "numpy").conda == ("numpy",)


@pytest.mark.parametrize(
    ("written", "name", "versions", "build"),
    [
        ("numpy", "numpy", "", ""),
        ("numpy=1.21", "numpy", "1.21.*", ""),
        ("numpy 1.21", "numpy", "==1.21", ""),
        ("numpy 1.21 py37_0", "numpy", "==1.21", "py37_0"),
        ("numpy==1.21.2", "numpy", "==1.21.2", ""),
        ("numpy = 1.21", "numpy", "1.21.*", ""),
        ("numpy>=1.2, <2", "numpy", ">=1.2,<2", ""),
        ("a=1.2|1.3", "a", "1.2|1.3", ""),
        ("pkgs/main::blas=*=openblas", "blas", "", "openblas"),
        ("_libgcc_mutex=0.1", "_libgcc_mutex", "0.1.*", ""),
        ("numpy[version='>=1,<2',build=x]", "numpy", ">=1,<2", "x"),
    ],
)
def test_a_package_as_conda_writes_it(written: str, name: str, versions: str, build: str) -> None:
    spec = conda_spec(written)
    assert spec is not None
    assert (spec.name, spec.versions, spec.build) == (name, versions, build)


@pytest.mark.parametrize(
    ("written", "name", "versions"),
    [
        ("certifi >= 2023.07.22", "certifi", ">=2023.07.22"),
        ("tensorflow[and-cuda]==2.16.2", "tensorflow", "==2.16.2"),
        ("a>=1,<2 ; python_version > '3.8'  # why", "a", ">=1,<2"),
        ("x==1 --hash=sha256:00", "x", "==1"),
        ("x @ https://example.com/x.whl", "x", ""),
    ],
)
def test_a_package_as_pip_writes_it(written: str, name: str, versions: str) -> None:
    spec = pip_spec(written)
    assert spec is not None
    assert (spec.name, spec.versions) == (name, versions)


def test_all_that_is_wrong_with_a_conda_file_is_said_at_once(workspace: Workspace) -> None:
    said = problems(
        workspace,
        {
            "dependencies": [
                3.8,
                {"scikit-learn": 1.5},
                "tensorflow[and-cuda]==2",
                {"pip": ["numpy=1.2", "-r requirements.txt", 7]},
            ],
            "channels": "conda-forge",
            "variables": ["A=1"],
        },
    )
    assert "The conda file of the environment mine" in said
    for part in (
        "the number '3.8'",
        "write '- scikit-learn=1.5'",
        "Only pip knows extras in []",
        "Write 'numpy==1.2'",
        "put that file's lines here",
        "the number '7'",
        "'channels' must be a list such as '- conda-forge'",
        "'variables' must be a mapping",
    ):
        assert part in said


@pytest.mark.parametrize("content", [{}, {"dependencies": None}, {"dependencies": "numpy"}, {"channels": ["a"]}])
def test_a_conda_file_without_dependencies(workspace: Workspace, content: Json) -> None:
    assert "'dependencies' must be a list" in problems(workspace, content)


def test_settings_with_no_more_than_a_conda_file_leave_the_image(workspace: Workspace) -> None:
    known: Mapping[str, Json] = {
        "sklearn-1.5": {"conda_file": {"dependencies": ["numpy=1"]}},
        "new": {"conda_file": {"dependencies": ["scipy"]}},
    }
    settings = EnvironmentSettings(known=known)
    wanted = look_up("azureml:sklearn-1.5:1", workspace, settings)
    assert (wanted.conda, wanted.pip) == (("numpy=1",), ())
    assert wanted.image == "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04"
    wanted = look_up("azureml:new:1", workspace, settings)
    assert (wanted.image, wanted.conda) == ("", ("scipy",))


def test_the_title_of_a_definition(workspace: Workspace, tmp_path: Path) -> None:
    build = Build(str(tmp_path))
    assert look_up(Environment(name="mine", image="a:1"), workspace, PLAIN).title == "mine"
    assert look_up(Environment(image="a:1"), workspace, PLAIN).title == "a:1"
    content = {"name": "from-the-conda-file", "dependencies": []}
    assert look_up(Environment(image="a:1", conda_file=content), workspace, PLAIN).title == "from-the-conda-file"
    wanted = look_up(Environment(build=build), workspace, PLAIN)
    assert (wanted.title, wanted.build) == (str(tmp_path), build)
    assert not workspace.exists  # looking leaves nothing behind


@pytest.mark.parametrize(
    ("image", "used"),
    [
        ("a.io/b/c:1", "exact"),
        ("a.io/b/c:1@sha256:00", "exact"),
        ("a.io/b/c:2", "bare"),
        ("a.io/b/c", "bare"),
        ("a.io/b/c@sha256:00", "bare"),
        ("a.io/b/c:3@sha256:00", "bare"),
        ("localhost:5000/c", "localhost:5000/c"),
        ("d", "d"),
    ],
)
def test_images_are_replaced_with_their_tag_or_without(workspace: Workspace, image: str, used: str) -> None:
    settings = EnvironmentSettings(images={"a.io/b/c:1": "exact", "a.io/b/c": "bare", "localhost": "wrong"})
    assert look_up(Environment(image=image), workspace, settings).image == used


def test_channels_are_replaced_by_their_places(workspace: Workspace) -> None:
    content = {"dependencies": ["numpy"], "channels": ["conda-forge", "nodefaults"]}
    settings = EnvironmentSettings(channels={"conda-forge": "file:///mirror"})
    wanted = look_up(Environment(image="a", conda_file=content), workspace, settings)
    assert wanted.channels == ("file:///mirror", "nodefaults")


def register(workspace: Workspace, name: str, registry: str = "", **spec: Json) -> None:
    workspace.registry(registry).create("environment", name, None, {"name": name, **spec})


def test_registered_environments_are_found_by_version_label_and_id(workspace: Workspace) -> None:
    register(workspace, "mine", image="a:1")
    register(workspace, "mine", image="a:2", conda_file={"dependencies": ["numpy=1.26"]})
    register(workspace, "theirs", "shared", build={"path": "/context", "dockerfile_path": "Dockerfile"})
    group = "/subscriptions/0/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    assert look_up("azureml:mine:1", workspace, PLAIN).image == "a:1"
    for reference in ("azureml:mine@latest", f"azureml:{group}/environments/mine/versions/2", "azureml:mine:2"):
        wanted = look_up(reference, workspace, PLAIN)
        assert (wanted.image, wanted.conda, wanted.title) == ("a:2", ("numpy=1.26",), reference)
    found = look_up("azureml://registries/shared/environments/theirs/labels/latest", workspace, PLAIN)
    assert found.build == Build("/context")


@pytest.mark.parametrize(
    "reference",
    [
        "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu:1",
        "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu:33",
        "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest",
        "azureml:AzureML-sklearn-1.0:5",
        "azureml:azureml-SKLEARN-1.0@latest",
        "azureml://registries/azureml/environments/AzureML-sklearn-1.0-ubuntu20.04-py38-cpu/labels/latest",
        "azureml://registries/AzureML/environments/AzureML-sklearn-1.0/versions/5",
    ],
)
def test_curated_environments_are_known_whatever_their_version(workspace: Workspace, reference: str) -> None:
    wanted = look_up(reference, workspace, PLAIN)
    assert wanted.python == "3.8"
    assert {"scikit-learn~=1.0.0", "numpy~=1.21.0"} <= set(wanted.pip)
    assert wanted.image == "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"


@pytest.mark.parametrize(
    ("name", "python", "package"),
    [
        ("sklearn-1.5", "3.10", "scikit-learn~=1.5.0"),
        ("sklearn-1.1", "3.9", "scikit-learn~=1.1.0"),
        ("lightgbm-3.3", "3.10", "lightgbm>=4.6.0"),
        ("acpt-pytorch-1.13-cuda11.7", "3.8", "torch==1.13.1"),
        ("acpt-pytorch-2.2", "3.10", "torch==2.10.0"),
        ("tensorflow-2.16", "3.11", "tensorflow[and-cuda]==2.16.2"),
        ("responsibleai-tabular", "3.10", "responsibleai~=0.36.0"),
        ("AzureML-responsibleai-ubuntu20.04-py38-cpu", "3.9", "responsibleai~=0.36.0"),  # whatever it is called
        ("python-sdk-v2", "3.10", "azure-ai-ml"),
        ("minimal-py311-inference", "3.11", "numpy"),
        ("AzureML-sklearn-0.24-ubuntu18.04-py37-cpu", "3.7", "scikit-learn==0.24.1"),
        ("AzureML-ACPT-pytorch-1.13-py38-cuda11.7-gpu", "3.8", "torch==1.13.1"),
        ("AzureML-pytorch-1.10-ubuntu18.04-py38-cuda11-gpu", "3.8", "torch==1.10.0"),
        ("AzureML-tensorflow-2.4-ubuntu18.04-py37-cuda11-gpu", "3.7", "tensorflow-gpu==2.4.1"),
        ("AzureML-tensorflow-2.5-ubuntu18.04-py37", "3.7", "tensorflow-gpu~=2.5.0"),
        ("AzureML-lightgbm-3.2-ubuntu18.04-py37-cpu", "3.7", "lightgbm~=3.2.0"),
        ("AzureML-xgboost-0.9-ubuntu18.04-py37-cpu-inference", "3.7", "xgboost>=0.90,<1"),
        ("AzureML-PyTorch-1.4-CPU", "3.6", "torch==1.4.0"),
        ("AzureML-Minimal", "3.6", "azureml-core"),
        ("AzureML-Tutorial", "3.6", "scikit-learn"),
    ],
)
def test_the_table_of_curated_environments(workspace: Workspace, name: str, python: str, package: str) -> None:
    wanted = look_up(f"azureml:{name}@latest", workspace, PLAIN)
    assert wanted.python == python
    assert package in wanted.pip


def test_what_is_registered_comes_before_what_is_curated(workspace: Workspace) -> None:
    register(workspace, "sklearn-1.5", image="mine")
    register(workspace, "sklearn-1.5", "azureml", image="theirs")
    assert look_up("azureml:sklearn-1.5:1", workspace, PLAIN).image == "mine"
    registered = "azureml://registries/azureml/environments/sklearn-1.5/versions/1"
    assert look_up(registered, workspace, PLAIN).image == "theirs"


@pytest.mark.parametrize(
    "key",
    ["sklearn-1.5", "sklearn-1.5:3", "azureml:sklearn-1.5:3", "SKLEARN-1.5"],
)
def test_the_settings_come_first(workspace: Workspace, key: str) -> None:
    register(workspace, "sklearn-1.5", image="registered")
    known = {key: {"image": "mine", "conda_file": {"dependencies": ["numpy"]}, "env": "uv"}}
    wanted = look_up("azureml:sklearn-1.5:3", workspace, EnvironmentSettings(known=known, images={"mine": "other"}))
    assert (wanted.image, wanted.conda, wanted.mode) == ("other", ("numpy",), "uv")


def test_the_settings_may_name_a_registry_s_environment_by_its_whole_reference(workspace: Workspace) -> None:
    uri = "azureml://registries/ours/environments/e/versions/2"
    for key in (
        uri,
        uri.removeprefix("azureml:"),
        uri.removeprefix("azureml://"),
        uri.upper().replace("AZUREML", "azureml"),
    ):
        assert look_up(uri, workspace, EnvironmentSettings(known={key: {"image": "a"}})).image == "a"


def test_settings_with_no_more_than_a_mode_leave_the_definition(workspace: Workspace) -> None:
    known: Mapping[str, Json] = {"sklearn-1.5": {"env": "conda"}, "mine": {"env": "uv"}}
    settings = EnvironmentSettings(known=known)
    wanted = look_up("azureml://registries/azureml/environments/sklearn-1.5/labels/latest", workspace, settings)
    assert (wanted.mode, wanted.python) == ("conda", "3.10")
    wanted = look_up(Environment(name="mine", image="a"), workspace, settings)
    assert (wanted.mode, wanted.image) == ("uv", "a")


def test_an_unknown_environment_shows_how_to_say_what_it_is(workspace: Workspace) -> None:
    with pytest.raises(NotFound) as caught:
        look_up("azureml:sklearn-1.4:1", workspace, PLAIN)
    said = str(caught.value)
    assert "Did you mean 'sklearn-1." in said
    assert 'environments:\n    sklearn-1.4: {image: "python:3.11", conda_file: conda.yml}' in said
    assert "creditml.yml" in said


def test_a_version_that_is_not_registered(workspace: Workspace) -> None:
    register(workspace, "mine", image="a")
    with pytest.raises(NotFound, match=r"no environment 'mine' with version '7'. Its versions are: 1"):
        look_up("azureml:mine:7", workspace, PLAIN)


@pytest.mark.parametrize("text", ["mine", "azureml://registries/r/components/c/versions/1", "azureml:a:b:c"])
def test_what_refers_to_no_environment(workspace: Workspace, text: str) -> None:
    with pytest.raises(CreditMLError, match="is not a valid environment reference"):
        look_up(text, workspace, PLAIN)


JOB = """
type: command
command: echo
environment: {image: python, conda_file: envs/conda.yml}
"""


def test_files_that_pip_s_part_names_are_read_where_they_lie(tmp_path: Path, workspace: Workspace) -> None:
    envs = tmp_path / "envs"
    (envs / "more").mkdir(parents=True)
    (envs / "conda.yml").write_text("dependencies:\n- pip:\n  - -r more/base.txt\n  - lightgbm\n")
    (envs / "more" / "base.txt").write_text("numpy==1.26.4  # why\n\n-r extra.txt\n-c pins.txt\n-r base.txt\n")
    (envs / "more" / "extra.txt").write_text("scipy>=1.11 \\\n  ,<2\n")
    (tmp_path / "job.yml").write_text(JOB)
    reading = read_job(tmp_path / "job.yml")
    assert reading.job is not None
    environment = reading.job.root.component.environment  # type: ignore[union-attr]
    pins = envs / "more" / "pins.txt"
    expected = ("numpy==1.26.4", "scipy>=1.11    ,<2", f"--constraint {pins}", "lightgbm")
    assert look_up(environment, workspace, PLAIN).pip == expected
    (warning,) = [problem for problem in reading.problems if "-r more/base.txt" in problem.message]
    assert warning.warning
    assert "Azure ML is sent the conda file without that file" in warning.message


def test_a_file_that_is_not_there(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "conda.yml").write_text("dependencies:\n- pip:\n  - -r gone.txt\n")
    (tmp_path / "job.yml").write_text(JOB)
    reading = read_job(tmp_path / "job.yml")
    assert any("gone.txt does not exist" in problem.message for problem in reading.problems if problem.warning)
    assert reading.job is not None
    with pytest.raises(CreditMLError, match=r"'-r gone.txt' below 'pip:' refers to another file"):
        look_up(reading.job.root.component.environment, workspace, PLAIN)  # type: ignore[union-attr]
