"""The example's generator of credit data: its schema, its bytes, and how near it comes to the real data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

EXAMPLE = Path(__file__).parents[2] / "examples/credit_defaults"
SAMPLE = EXAMPLE / "data/credit_defaults_sample.csv"
LABEL = "default payment next month"
STATUS = ["PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"]
BILLS = [f"BILL_AMT{month}" for month in range(1, 7)]
PAYMENTS = [f"PAY_AMT{month}" for month in range(1, 7)]

# Measured on the real data (30,000 rows).
SHARES = {
    "SEX": {1: 0.396, 2: 0.604},
    "EDUCATION": {1: 0.353, 2: 0.468, 3: 0.164, 5: 0.009},
    "MARRIAGE": {1: 0.455, 2: 0.532, 3: 0.011},
    "PAY_0": {-2: 0.092, -1: 0.19, 0: 0.491, 1: 0.123, 2: 0.089},
    "PAY_6": {-2: 0.163, -1: 0.191, 0: 0.543, 1: 0, 2: 0.092},
}
QUARTILES = {"LIMIT_BAL": [50_000, 140_000, 240_000], "AGE": [28, 34, 41]}
MEANS = {"LIMIT_BAL": 167_484, "AGE": 35.5, "BILL_AMT1": 51_223, "BILL_AMT6": 38_872}
# The mean correlation of months that are 1, 2, 3, 4 and 5 apart.
AUTOCORRELATION = {
    "STATUS": (STATUS, [0.77, 0.66, 0.6, 0.54, 0.47]),
    "BILLS": (BILLS, [0.94, 0.89, 0.86, 0.83, 0.8]),
}
AUC_OF_6000 = 0.768  # the mean of 8 random parts: single ones go from 0.746 to 0.787
AUC_OF_30000 = 0.785


def read(path: Path) -> pd.DataFrame:
    """Read a file as data_prep does."""
    import pandas as pd

    return pd.read_csv(path, header=1, index_col=0)


def auc(data: pd.DataFrame) -> float:
    """Train the model of the component train on three quarters, and test it on the rest."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(data, test_size=0.25, random_state=0)
    model = GradientBoostingClassifier(n_estimators=100, learning_rate=0.05, random_state=0)
    model.fit(train.drop(columns=LABEL), train[LABEL])
    return float(roc_auc_score(test[LABEL], model.predict_proba(test.drop(columns=LABEL))[:, 1]))


def autocorrelation(data: pd.DataFrame, columns: list[str]) -> list[float]:
    """Return the mean correlation of columns that are 1, 2, ... apart."""
    import numpy as np

    matrix = data[columns].corr().to_numpy()
    return [float(np.diag(matrix, apart).mean()) for apart in range(1, len(columns))]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that runs the generator and returns the file it made."""

    def run(*options: object) -> Path:
        output = tmp_path_factory.mktemp("made") / "new folder" / "data.csv"
        command = [sys.executable, EXAMPLE / "make_data.py", "--output", output, *options]
        subprocess.run([str(part) for part in command], check=True)
        return output

    return run


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    """Read the sample that comes with the example."""
    return read(SAMPLE)


@pytest.fixture(scope="module")
def large(make: Callable[..., Path]) -> pd.DataFrame:
    """Make as many rows as the real data has."""
    return read(make("--rows", 30_000, "--seed", 1))


def test_the_sample_is_what_the_generator_makes(make: Callable[..., Path]) -> None:
    assert make("--rows", 6000, "--seed", 0).read_bytes() == SAMPLE.read_bytes()


def test_another_seed_makes_other_customers(make: Callable[..., Path]) -> None:
    first, second = (make("--rows", 100, "--seed", seed).read_bytes() for seed in (1, 2))
    assert first != second


def test_the_file_looks_like_the_real_one() -> None:
    first, second, third = SAMPLE.read_text(encoding="ascii").splitlines()[:3]
    assert first == "," + ",".join(f"X{number}" for number in range(1, 24)) + ",Y"
    names = ["ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE", *STATUS, *BILLS, *PAYMENTS, LABEL]
    assert second.split(",") == names
    assert third.split(",")[0] == "1"
    assert b"\r" not in SAMPLE.read_bytes()


def test_the_columns_hold_what_the_real_ones_hold(sample: pd.DataFrame) -> None:
    assert list(sample.index) == list(range(1, 6001))
    assert (sample.dtypes == "int64").all()
    assert sample["AGE"].between(21, 79).all()
    assert (sample["LIMIT_BAL"] % 10_000 == 0).all()
    assert sample["LIMIT_BAL"].between(10_000, 1_000_000).all()
    assert sample[STATUS].isin(range(-2, 9)).all(axis=None)
    assert (sample[PAYMENTS] >= 0).all(axis=None)
    assert set(sample[LABEL]) == {0, 1}


@pytest.mark.parametrize("column", SHARES)
def test_categories_are_as_frequent_as_in_the_real_data(large: pd.DataFrame, column: str) -> None:
    shares = large[column].value_counts(normalize=True)
    for category, share in SHARES[column].items():
        assert shares.get(category, 0) == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("column", QUARTILES)
def test_quartiles_are_those_of_the_real_data(large: pd.DataFrame, column: str) -> None:
    quartiles = large[column].quantile([0.25, 0.5, 0.75])
    assert list(quartiles) == pytest.approx(QUARTILES[column], rel=0.1)


@pytest.mark.parametrize("column", MEANS)
def test_means_are_those_of_the_real_data(large: pd.DataFrame, column: str) -> None:
    assert large[column].mean() == pytest.approx(MEANS[column], rel=0.1)


@pytest.mark.parametrize("name", AUTOCORRELATION)
def test_months_are_correlated_as_in_the_real_data(large: pd.DataFrame, name: str) -> None:
    columns, real = AUTOCORRELATION[name]
    assert autocorrelation(large, columns) == pytest.approx(real, abs=0.07)


def test_a_fifth_of_the_customers_default(sample: pd.DataFrame, large: pd.DataFrame) -> None:
    assert sample[LABEL].mean() == pytest.approx(0.2212, abs=0.001)
    assert large[LABEL].mean() == pytest.approx(0.2212, abs=0.001)


def test_defaults_are_as_hard_to_foresee_as_in_the_real_data(sample: pd.DataFrame, large: pd.DataFrame) -> None:
    assert auc(sample) == pytest.approx(AUC_OF_6000, abs=0.05)
    assert auc(large) == pytest.approx(AUC_OF_30000, abs=0.05)


@pytest.mark.skipif("CREDITML_REAL_DATA" not in os.environ, reason="CREDITML_REAL_DATA: where is UCI's file?")
def test_the_figures_above_are_those_of_the_real_data() -> None:
    real = read(Path(os.environ["CREDITML_REAL_DATA"]))
    for column, shares in SHARES.items():
        found = real[column].value_counts(normalize=True)
        assert {category: found.get(category, 0) for category in shares} == pytest.approx(shares, abs=0.001)
    for column, quartiles in QUARTILES.items():
        assert list(real[column].quantile([0.25, 0.5, 0.75])) == quartiles
    assert {column: real[column].mean() for column in MEANS} == pytest.approx(MEANS, rel=0.001)
    for columns, figures in AUTOCORRELATION.values():
        assert autocorrelation(real, columns) == pytest.approx(figures, abs=0.01)
    assert auc(real) == pytest.approx(AUC_OF_30000, abs=0.005)
    import numpy as np

    parts: list[Any] = [real.sample(6000, random_state=seed) for seed in range(8)]
    assert np.mean([auc(part) for part in parts]) == pytest.approx(AUC_OF_6000, abs=0.005)
