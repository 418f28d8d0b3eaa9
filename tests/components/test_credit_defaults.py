"""The components data_prep and train: what they write, print, log and register.

They are run here as their specs say, but without creditml: by hand, so to speak.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

pytestmark = pytest.mark.takes(40)

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples/credit_defaults/data/credit_defaults_sample.csv"
LABEL = "default payment next month"
MODEL = "a_credit_model"
ROWS = 1200


class ByHand(NamedTuple):
    """A folder to run components in, with an MLflow store of its own."""

    folder: Path

    @property
    def tracking_uri(self) -> str:
        """Return the store's address."""
        return f"sqlite:///{self.folder}/mlflow.db"

    def run(self, component: str, **values: object) -> str:
        """Run a component's command with these inputs and outputs, and return what it prints."""
        command = self._command(component, **values)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_here(self, component: str, **values: object) -> None:
        """Do the same in this process, which has imported what takes longest."""
        import mlflow.sklearn

        _, script, *arguments = shlex.split(self._command(component, **values))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", self.tracking_uri)
            patch.setattr(sys, "argv", [script, *arguments])
            patch.chdir(self.folder)
            try:
                runpy.run_path(script, run_name="__main__")
            finally:
                mlflow.sklearn.autolog(disable=True)

    def _command(self, component: str, **values: object) -> str:
        spec_file = ROOT / "components" / component / f"{component}.yml"
        spec = yaml.safe_load(spec_file.read_text(encoding="utf-8"))
        assert set(values) == {*spec["inputs"], *spec["outputs"]}
        for name in spec["outputs"]:
            Path(str(values[name])).mkdir(parents=True)  # as Azure ML does
        command = re.sub(r"\$\{\{(?:inputs|outputs)\.(\w+)}}", lambda match: str(values[match[1]]), spec["command"])
        return command.replace("main.py", str(spec_file.parent / spec["code"] / "main.py"))

    def runs(self, query: str) -> list[Any]:
        """Return the MLflow runs that match `query`, the oldest first."""
        from mlflow import MlflowClient

        return list(MlflowClient().search_runs(["0"], query, order_by=["start_time"]))

    def _environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


class Trained(NamedTuple):
    """Two trainings on the same data, with the same parameters."""

    first: Path
    second: Path
    printed: str


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> ByHand:
    """Return an empty folder with an empty store."""
    return ByHand(tmp_path_factory.mktemp("by_hand"))


@pytest.fixture(autouse=True)
def _store_of_this_process(by_hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow use the same store here: its default one would lie in the current folder."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", by_hand.tracking_uri)


@pytest.fixture(scope="module")
def data(by_hand: ByHand) -> Path:
    """Cut a small piece from the sample."""
    lines = SAMPLE.read_text(encoding="ascii").splitlines(keepends=True)
    path = by_hand.folder / "data.csv"
    path.write_text("".join(lines[: 2 + ROWS]), encoding="ascii")
    return path


@pytest.fixture(scope="module")
def prepared(by_hand: ByHand, data: Path) -> Path:
    """Run data_prep, and return the folder with its outputs `train` and `test`."""
    folder = by_hand.folder / "prepared"
    by_hand.run("data_prep", data=data, test_train_ratio=0.25, train_data=folder / "train", test_data=folder / "test")
    return folder


@pytest.fixture(scope="module")
def trained(by_hand: ByHand, prepared: Path) -> Trained:
    """Run train twice, in two processes."""
    values = {
        "train_data": prepared / "train",
        "test_data": prepared / "test",
        "n_estimators": 20,
        "learning_rate": 0.2,
        "registered_model_name": MODEL,
    }
    first, second = by_hand.folder / "first", by_hand.folder / "second"
    printed = by_hand.run("train", **values, model=first)
    by_hand.run_here("train", **values, model=second)
    return Trained(first, second, printed)


@pytest.fixture(scope="module")
def holdout(prepared: Path) -> pd.DataFrame:
    """Read the test set, the label included."""
    import pandas as pd

    return pd.read_csv(prepared / "test" / "data.csv").astype("float64")


def probabilities(model: Path | str, holdout: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the model in a folder says of the test set."""
    import mlflow.sklearn
    import numpy as np

    loaded = mlflow.sklearn.load_model(str(model))
    return np.asarray(loaded.predict_proba(holdout.drop(columns=LABEL)))


def test_data_prep_writes_one_csv_file_per_output(prepared: Path) -> None:
    # The reader takes the first file of a folder: another one, hidden or not, would break it.
    assert [file.name for file in (prepared / "train").iterdir()] == ["data.csv"]
    assert [file.name for file in (prepared / "test").iterdir()] == ["data.csv"]


def test_data_prep_shuffles_and_splits_the_data(prepared: Path, data: Path) -> None:
    import pandas as pd

    train = pd.read_csv(prepared / "train" / "data.csv")
    test = pd.read_csv(prepared / "test" / "data.csv")
    whole = pd.read_csv(data, header=1, index_col=0)
    columns = list(whole.columns)
    assert list(train.columns) == list(test.columns) == columns
    assert len(test) == ROWS * 0.25
    both = pd.concat([train, test]).sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(both, whole.sort_values(columns, ignore_index=True))
    assert not train.equals(whole.iloc[: len(train)].reset_index(drop=True))


def test_data_prep_splits_the_same_data_the_same_way(by_hand: ByHand, prepared: Path, data: Path) -> None:
    again = by_hand.folder / "again"
    by_hand.run_here(
        "data_prep", data=data, test_train_ratio=0.25, train_data=again / "train", test_data=again / "test"
    )
    for name in ("train", "test"):
        assert (again / name / "data.csv").read_bytes() == (prepared / name / "data.csv").read_bytes()


@pytest.mark.usefixtures("prepared")
def test_data_prep_logs_the_size_of_the_data(by_hand: ByHand) -> None:
    run = by_hand.runs("metrics.num_samples > 0")[0]
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"num_samples": ROWS, "num_features": 23}


def test_train_prints_a_report(trained: Trained) -> None:
    assert "900 rows with 23 features" in trained.printed
    assert re.search(r"precision +recall +f1-score +support", trained.printed)


def test_train_logs_parameters_and_metrics(by_hand: ByHand, trained: Trained, holdout: pd.DataFrame) -> None:
    run = by_hand.runs("metrics.test_roc_auc > 0")[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["n_estimators"] == "20"  # by autolog
    assert run.data.params["learning_rate"] == "0.2"
    assert "training_roc_auc" in run.data.metrics
    predicted = probabilities(trained.first / "trained_model", holdout)[:, 1] > 0.5
    assert run.data.metrics["test_accuracy"] == pytest.approx((predicted == holdout[LABEL]).mean())
    assert 0.65 < run.data.metrics["test_roc_auc"] < 1


def test_training_again_makes_the_same_model(by_hand: ByHand, trained: Trained, holdout: pd.DataFrame) -> None:
    import numpy as np

    first, second = (probabilities(folder / "trained_model", holdout) for folder in (trained.first, trained.second))
    np.testing.assert_array_equal(first, second)
    runs = by_hand.runs("metrics.test_roc_auc > 0")
    assert len(runs) == 2
    assert runs[0].data.metrics == runs[1].data.metrics


def test_each_training_registers_the_model_that_it_saves(
    trained: Trained, holdout: pd.DataFrame, tmp_path: Path
) -> None:
    import mlflow.artifacts
    import numpy as np
    from mlflow import MlflowClient

    versions = MlflowClient().search_model_versions(f"name = '{MODEL}'")
    assert {int(found.version) for found in versions} == {1, 2}
    registered = mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1", dst_path=str(tmp_path))
    np.testing.assert_array_equal(
        probabilities(registered, holdout), probabilities(trained.first / "trained_model", holdout)
    )


def test_the_model_says_what_it_takes_and_needs(trained: Trained, holdout: pd.DataFrame) -> None:
    import mlflow.models

    folder = trained.first / "trained_model"
    signature = mlflow.models.get_model_info(str(folder)).signature
    assert signature is not None
    assert [*signature.inputs.input_names(), LABEL] == list(holdout.columns)
    needed = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    for package in ("mlflow", "numpy", "pandas", "scikit-learn", "skops"):
        assert f"{package}=={version(package)}" in needed
