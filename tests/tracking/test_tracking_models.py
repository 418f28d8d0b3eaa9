"""Models that plain scripts log and register: listed without MLflow, and shown among the run's artifacts."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from creditml import tracking
from creditml.environments import interpreters
from creditml.environments.installing import uv_environment
from creditml.tracking import store

if TYPE_CHECKING:
    from spaces import Space

    from creditml.tracking import Tracking

pytestmark = pytest.mark.takes(40)

TRAIN = """
    import mlflow
    import mlflow.sklearn
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    mlflow.start_run()
    mlflow.sklearn.autolog(log_models=False)
    features = np.random.RandomState(0).rand(200, 3)
    clf = LogisticRegression().fit(features, features[:, 0] > 0.5)
    # the call of Azure ML's tutorial 'Create production machine learning pipelines', and the requirements, which MLflow
    # would find out in another process
    mlflow.sklearn.log_model(
        sk_model=clf, registered_model_name="credit", artifact_path="credit", pip_requirements=["scikit-learn"]
    )
    mlflow.end_run()
    """
REGISTRY = """
    import mlflow, os, pathlib
    run_id = os.environ["MLFLOW_RUN_ID"]
    client = mlflow.MlflowClient()
    client.update_model_version("credit", "1", description="the first")
    client.set_model_version_tag("credit", "1", "reviewed", "yes")
    client.set_registered_model_alias("credit", "champion", "1")
    client.set_registered_model_alias("credit", "best", "1")
    mlflow.register_model(f"runs:/{run_id}/credit", "again")
    client.create_model_version("again", "models:/credit/1")
    client.delete_model_version("again", "2")
    client.create_registered_model("afar")
    client.create_model_version("afar", "s3://bucket/model", run_id=run_id)
    client.create_registered_model("empty")
    client.log_artifact(run_id, __file__ if "__file__" in globals() else os.environ["A_FILE"], "credit/notes")
    """


def run(space: Space, client: Tracking, source: str, run_id: str) -> None:
    code = space.finish(space.script(source, run_id, client), client)
    assert code == 0, Path(space.root, f"{run_id}.log").read_text()


@pytest.fixture(scope="module")
def trained(house: tuple[Space, Tracking], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The run of a script that trained a model and registered it."""
    space, client = house
    run_id = space.begin("train", parent="job", root="job")
    run(space, client, TRAIN, run_id)
    with pytest.MonkeyPatch.context() as patch:
        file = tmp_path_factory.mktemp("notes") / "note.txt"
        file.write_text("of the user's own")
        patch.setenv("A_FILE", str(file))
        run(space, client, REGISTRY, run_id)
    space.end(run_id)
    assert client.sync(60)
    return run_id


def test_metrics_of_autolog(house: tuple[Space, Tracking], trained: str) -> None:
    space, _ = house
    assert tracking.metrics(space.root, trained)["training_accuracy_score"] > 0.8


def test_logged_models(house: tuple[Space, Tracking], trained: str) -> None:
    space, _ = house
    (model,) = tracking.logged_models(space.root, trained)
    assert model.name == "credit"
    assert (model.folder / "MLmodel").is_file()
    assert tracking.logged_models(space.root, "nobody") == []


def test_registered_models(house: tuple[Space, Tracking], trained: str) -> None:
    space, _ = house
    found = {(model.name, model.version): model for model in tracking.registered_models(space.root)}
    assert list(found) == [("afar", 1), ("again", 1), ("credit", 1)]  # neither deleted versions nor names without any
    credit = found["credit", 1]
    assert credit == tracking.RegisteredVersion(
        name="credit",
        version=1,
        created=credit.created,
        run_id=trained,
        source=credit.source,
        description="the first",
        tags={"reviewed": "yes"},
        aliases=("best", "champion"),
    )
    assert abs(credit.created / 1000 - Path(credit.source, "MLmodel").stat().st_mtime) < 600
    assert found["again", 1].source == credit.source
    assert (found["again", 1].description, found["again", 1].tags, found["again", 1].aliases) == ("", {}, ())
    assert found["afar", 1].source == "s3://bucket/model"


def test_registered_models_of_some_runs(house: tuple[Space, Tracking], trained: str) -> None:
    space, _ = house
    found = tracking.registered_models(space.root, run_ids=[trained, "x"])
    assert [model.name for model in found] == ["afar", "again", "credit"]
    assert tracking.registered_models(space.root, run_ids=["x"]) == []
    assert tracking.registered_models(space.root, run_ids=[]) == []


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("mlflow-artifacts:/job/artifacts/model", "jobs/job/artifacts/model"),
        ("mlflow-artifacts://localhost:5000/job/model", "jobs/job/model"),
        ("runs:/{run}/some/model", "jobs/job/steps/{run}/artifacts/some/model"),
        ("models:/{model}", "jobs/.mlflow/{experiment}/models/{model}/artifacts"),
        ("/elsewhere/model", "/elsewhere/model"),
        ("file:///else%20where/model", "/else where/model"),
    ],
)
def test_where_a_version_lies(house: tuple[Space, Tracking], trained: str, uri: str, place: str) -> None:
    space, _ = house
    (model,) = tracking.logged_models(space.root, trained)
    experiment = tracking.experiment_id(space.root, "credit")
    names = {"run": trained, "model": model.folder.parent.name, "experiment": experiment}
    with store._reading(space.root) as db:  # MLflow itself writes only some of the forms that old stores have
        assert store._source(db, space.root, "", uri.format(**names)) == str(space.root / place.format(**names))


def test_a_model_is_shown_among_the_runs_artifacts(house: tuple[Space, Tracking], trained: str) -> None:
    space, client = house
    artifacts = space.artifacts(trained)
    shown, note = artifacts / "credit", artifacts / "credit" / "notes" / "note.txt"
    assert not (shown / "MLmodel").exists()
    assert note.is_file()

    assert tracking.mirror_logged_models(space.root, trained, artifacts) == ["credit"]
    (model,) = tracking.logged_models(space.root, trained)
    copied = files(shown)
    assert copied.pop("notes/note.txt") == b"of the user's own"
    assert copied == files(model.folder)

    before = shown.stat().st_ino
    assert tracking.mirror_logged_models(space.root, trained, artifacts) == []
    assert shown.stat().st_ino == before
    assert not list((space.root / "mlflow").glob("mirror-*"))

    (artifacts / "credit" / "MLmodel").write_text("of an earlier model of the same name")
    (artifacts / "credit" / "stale").write_text("")
    assert tracking.mirror_logged_models(space.root, trained, artifacts) == ["credit"]
    assert files(model.folder).items() <= files(shown).items()

    listed = space.ask(client.uri, f"/api/2.0/mlflow/artifacts/list?run_id={trained}&path=credit")["files"]
    assert "credit/MLmodel" in [file["path"] for file in listed]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_that_is_broken_off_leaves_nothing(
    house: tuple[Space, Tracking], trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, _ = house
    copied = []

    def fail_at_the_third(source: str, _target: str) -> None:
        copied.append(source)
        if len(copied) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copystat", fail_at_the_third)
    with pytest.raises(OSError, match="No space"):
        tracking.mirror_logged_models(space.root, trained, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_same_name_is_the_users(house: tuple[Space, Tracking], trained: str, tmp_path: Path) -> None:
    space, _ = house
    (tmp_path / "credit").write_text("a file")
    assert tracking.mirror_logged_models(space.root, trained, tmp_path) == []
    assert (tmp_path / "credit").read_text() == "a file"


def test_without_a_store_there_is_nothing(space: Space) -> None:
    assert tracking.metrics(space.root, "x") == {}
    assert tracking.descendants(space.root, "x") == []
    assert tracking.logged_models(space.root, "x") == []
    assert tracking.registered_models(space.root) == []
    assert tracking.registered_models(space.root, run_ids=["x"]) == []
    assert tracking.mirror_logged_models(space.root, "x", space.root) == []


OLD_CLIENTS = ("2.4.2", "2.9.2")
OLD_PYTHONS = ">=3.10,<3.12"
"""None of them runs on a newer one."""
OLD_PACKAGES = ("numpy<2", "pandas<2.2", "scikit-learn<1.4", "setuptools<70")
"""What these clients need besides themselves."""


class Old(NamedTuple):
    """A Python with what old clients need, and a folder for each client."""

    python: str
    folders: dict[str, Path]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Old:
    """One environment for all: its packages are compiled once, when they are first imported."""
    variables = uv_environment()
    python, fits = interpreters.find(OLD_PYTHONS, variables)
    if not fits:
        pytest.skip(f"Python {OLD_PYTHONS} isn't on this machine")
    top = tmp_path_factory.mktemp("old")
    made = Old(f"{top}/environment/bin/python", {version: top / version for version in OLD_CLIENTS})

    def uv(*words: str) -> None:
        command = [interpreters.uv_program(), *words]
        done = subprocess.run(command, cwd=top, env=variables, capture_output=True, text=True, check=False)
        if "error sending request" in done.stderr or "tcp connect error" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr

    uv("venv", "--no-project", "--python", python.path, "environment")
    uv("pip", "install", "--python", made.python, *OLD_PACKAGES)
    for version, folder in made.folders.items():
        uv("pip", "install", "--python", made.python, "--target", str(folder), f"mlflow-skinny=={version}")
    return made


@pytest.mark.oldclient
@pytest.mark.parametrize("version", OLD_CLIENTS)
def test_an_old_client_is_served(house: tuple[Space, Tracking], old: Old, version: str) -> None:
    """Azure ML's curated environments of 2023 hold such clients."""
    space, client = house
    run_id = space.begin("old", parent="job", root="job")
    source = f"import sys\nsys.path.insert(0, {str(old.folders[version])!r})\n"
    source += textwrap.dedent(TRAIN).replace('"credit"', f'"old-{version}"')
    source += f"assert mlflow.__version__ == {version!r}\nmlflow.sklearn.load_model('models:/old-{version}/1')\n"
    code = space.finish(space.script(source, run_id, client, old.python), client)
    assert code == 0, Path(space.root, f"{run_id}.log").read_text()
    (model,) = tracking.registered_models(space.root, run_ids=[run_id])
    assert model.source == str(space.artifacts(run_id) / f"old-{version}")
    assert tracking.metrics(space.root, run_id)["training_score"] > 0.5
    assert tracking.mirror_logged_models(space.root, run_id, space.artifacts(run_id)) == []
