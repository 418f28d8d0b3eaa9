"""The Python that steps run in, compared with what their environments ask for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from creditml.config import EnvironmentSettings
from creditml.environments.drift import compare
from creditml.environments.installed import allows, importable, installed_packages
from creditml.environments.lookup import look_up
from creditml.errors import Problem, SpecError
from creditml.model import Environment
from creditml.nodes.specs import read_job
from creditml.submission.options import Options
from creditml.workspace import Workspace
from creditml_local import LocalExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from project import Json

HERE = ".".join(map(str, sys.version_info[:2]))
PLAIN = EnvironmentSettings()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are installed in."""
    folder = tmp_path / "site"
    for name in (
        "Thing_One-1.2.3.dist-info",
        "thing_two-2.0rc1.dist-info",
        "local-2.8.0+cpu.dist-info",
        "egg-3.1-py3.11.egg-info",
        "develop.egg-info",
        "~alf-gone-1.0.dist-info",
    ):
        (folder / name).mkdir(parents=True)
    (folder / "alias.py").write_text("")
    (folder / "spacey" / "inner").mkdir(parents=True)
    (folder / "spacey" / "inner" / "core.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    return folder


class Place:
    """A job's folder, and what checking it finds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / ".creditml")
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "train.py").write_text("import os\n")

    def code(self, content: str) -> None:
        (self.folder / "src" / "train.py").write_text(content)

    def check(self, job: str, settings: EnvironmentSettings = PLAIN) -> list[Problem]:
        options = Options(environments=settings)
        file = self.folder / "job.yml"
        file.write_text(job)
        reading = read_job(file)
        assert reading.job is not None
        try:
            found = LocalExecutor(self.workspace, options).prepare(reading.job, reading.problems).warnings
        except SpecError as error:
            found = error.problems
        return [problem for problem in found if "compute" not in problem.message]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "job")


def job(*dependencies: str, pip: tuple[str, ...] = (), python: str = HERE) -> str:
    return f"""
type: command
code: src
command: python train.py
environment:
  name: mine
  image: python
  conda_file:
    dependencies: {[f"python={python}", *dependencies, {"pip": list(pip)}]}
"""


@pytest.mark.usefixtures("site")
def test_what_fits_is_not_spoken_of(place: Place) -> None:
    written = job("thing-one=1.2", pip=("thing_two>=2.0rc1", "local==2.8.0", "egg~=3.0", "develop==9", "--pre"))
    assert place.check(written) == []


@pytest.mark.usefixtures("site")
def test_one_warning_lists_what_differs(place: Place) -> None:
    (problem,) = place.check(job("thing-one=1.3", "nowhere>=2", pip=("Thing.Two<1",), python="2.7"))
    assert problem.warning
    assert "differs from the environment mine" in problem.message
    expected = (
        ": thing-one 1.2.3 instead of ==1.3.*, Thing.Two 2.0rc1 instead of <1; "
        f"missing: nowhere; Python {HERE} instead of 2.7."
    )
    assert expected in problem.message
    assert problem.path == "environment"
    assert problem.place
    assert problem.place.line == 5


@pytest.mark.usefixtures("site")
def test_under_strict_it_is_an_error(place: Place) -> None:
    (problem,) = place.check(job("thing-one=1.3"), EnvironmentSettings(strict=True))
    assert not problem.warning


@pytest.mark.usefixtures("site")
def test_nothing_is_compared_where_environments_are_made(place: Place) -> None:
    assert place.check(job("thing-one=1.3"), EnvironmentSettings(mode="uv")) == []


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("mode", ["uv", "conda"])
def test_an_environment_with_a_mode_of_its_own_is_not_the_host_s(place: Place, mode: str) -> None:
    assert place.check(job("thing-one=1.3"), EnvironmentSettings(known={"mine": {"env": mode}})) == []


@pytest.mark.usefixtures("site")
def test_a_missing_package_that_the_code_imports_is_an_error(place: Place) -> None:
    place.code("import os\nfrom sklearn_x.tree import Tree\nimport nowhere\n")
    found = place.check(job("sklearn-x=1.5", "other", pip=("nowhere[extra]>=2,<3",)))
    errors = [problem for problem in found if not problem.warning]
    assert len(errors) == 2
    assert (
        "train.py:2 imports 'sklearn_x', but sklearn-x, which the environment asks for, is not installed here"
        in errors[0].message
    )
    assert 'pip install "sklearn-x==1.5.*"' in errors[0].message
    assert 'pip install "nowhere>=2,<3"' in errors[1].message
    assert errors[0].path == "environment"
    (warning,) = [problem for problem in found if problem.warning]
    assert "missing: other." in warning.message


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("nowhere", "try:\n    import nowhere\nexcept ImportError:\n    pass\n"),
        ("nowhere", "def f():\n    import nowhere\n"),
        ("alias", "import alias\n"),  # another package has it
        ("azure-nowhere", "import azure.ai.ml\n"),
    ],
)
def test_else_a_missing_package_is_a_warning(place: Place, package: str, code: str) -> None:
    place.code(code)
    (problem,) = place.check(job(package))
    assert problem.warning
    assert f"missing: {package}" in problem.message


@pytest.mark.usefixtures("site")
def test_packages_that_hold_no_python_are_not_looked_for(place: Place) -> None:
    assert place.check(job("cudatoolkit=11.1", "libgcc", "pip=21")) == []


@pytest.mark.usefixtures("site")
def test_requirements_for_other_machines_are_passed_over(place: Place) -> None:
    assert place.check(job(pip=("nowhere; python_version < '3'", "gone ; sys_platform == 'win32'"))) == []
    (problem,) = place.check(job(pip=("nowhere; python_version >= '3'",)))
    assert "missing: nowhere" in problem.message


def test_an_environment_without_packages_asks_for_nothing(place: Place) -> None:
    assert place.check("type: command\ncommand: echo\nenvironment: {image: python}\n") == []


def test_an_unknown_environment_is_a_warning_that_shows_how_to_say_what_it_is(place: Place) -> None:
    written = "type: command\ncommand: echo\nenvironment: azureml:mine:1\n"
    (problem,) = place.check(written)
    assert problem.warning
    assert "creditml.yml" in problem.message
    assert str(problem.place) == f"{place.folder / 'job.yml'}:3:14"
    (problem,) = place.check(written, EnvironmentSettings(strict=True))
    assert not problem.warning


def test_a_conda_file_that_can_t_be_read_is_a_warning(place: Place) -> None:
    (problem,) = place.check("type: command\ncommand: echo\nenvironment: {image: a, conda_file: {dependencies: 3}}\n")
    assert problem.warning
    assert "'dependencies' must be a list" in problem.message


PIPELINE = """
type: pipeline
jobs:
"""
NODE = """
  n{number}:
    type: command
    code: src
    command: python train.py --number {number}
    environment: {environment}
"""


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "environment", ["azureml:AzureML-Minimal@latest", "{image: a, conda_file: {dependencies: [nowhere]}}"]
)
def test_an_environment_of_many_steps_is_told_once(place: Place, environment: str) -> None:
    nodes = "".join(NODE.format(number=n, environment=environment) for n in range(5))
    (problem,) = place.check(PIPELINE + nodes)
    assert "missing: " in problem.message
    assert problem.path == "jobs.n0.environment"


@pytest.mark.usefixtures("site")
def test_the_step_that_imports_what_is_missing_is_named(place: Place) -> None:
    (place.folder / "src" / "other.py").write_text("import nowhere\n")
    environment = "{image: a, conda_file: {dependencies: [nowhere]}}"
    last = NODE.format(number=1, environment=environment).replace("train.py", "other.py")
    (problem,) = place.check(PIPELINE + NODE.format(number=0, environment=environment) + last)
    assert problem.path == "jobs.n1.environment"
    assert "other.py:1 imports 'nowhere'" in problem.message


def test_installed_packages_are_found_by_name(site: Path) -> None:
    found = installed_packages()
    assert found["thing-one"].version == "1.2.3"
    assert found["egg"].version == "3.1"
    assert found["pytest"].version == pytest.__version__
    assert not any("alf" in name for name in found)
    assert site.is_dir()


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("module", "there"),
    [("alias", True), ("spacey.inner.core", True), ("spacey.inner", True), ("spacey.other", False), ("gone.a", False)],
)
def test_modules_are_found_without_being_imported(module: str, there: bool) -> None:  # noqa: FBT001  a parameter's value
    assert importable(module) is there
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("versions", "fitting", "other"),
    [
        ("==2.1", "2.1.0", "2.1.1"),
        ("==1.5.*", "1.5.7", "1.50"),
        ("1.5.*", "1.5", "1.6"),
        ("=1.5", "1.5.2", "1.6"),
        (">=1,<2", "1.9.9", "2.0"),
        ("~=1.3.0", "1.3.9", "1.4.0"),
        ("~=1.3", "1.9", "2.0"),
        ("!=1.2", "1.2.1", "1.2.0"),
        (">1.2,!=1.4.*", "1.3", "1.4.1"),
        ("1.2.*|>=3", "3.1", "2.0"),
        ("==2.8.0", "2.8.0+cpu", "2.8.1+cpu"),
        ("==2.10.0+cu126", "2.10.0+cu126", "2.10.0"),
        (">=1.0", "1.1rc1", "0.9rc1"),
        ("==1.0.post1", "1.0.post1", "1.0"),
        ("==1.1.1k", "1.1.1k", "1.1.1l"),
        ("", "1", ""),
    ],
)
def test_versions_of_pip_and_of_conda(versions: str, fitting: str, other: str) -> None:
    assert allows(versions, fitting)
    assert not other or not allows(versions, other)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [(HERE, True), (f">={HERE}", True), ("3", True), ("2.7", False), (f"<{HERE}", False), (">=3.8,<4", True)],
)
def test_the_python_that_is_asked_for(tmp_path: Path, asked: str, fits: bool) -> None:  # noqa: FBT001  a parameter's value
    content: Json = {"dependencies": [f"python{'' if asked[0] in '<>' else '='}{asked}"]}
    wanted = look_up(Environment(image="a", conda_file=content), Workspace(tmp_path), PLAIN)
    assert compare(wanted, {}).python_fits is fits
