"""Split the credit data into a training and a test set."""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.model_selection import train_test_split

SEED = 0
"""The random state of the split: the same data and ratio always give the same two sets."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="CSV file with the credit data")
    parser.add_argument("--test_train_ratio", type=float, default=0.25, help="share of the rows to test on")
    parser.add_argument("--train_data", type=Path, required=True, help="folder to write the training set to")
    parser.add_argument("--test_data", type=Path, required=True, help="folder to write the test set to")
    return parser.parse_args()


def write(rows: pd.DataFrame, folder: Path) -> None:
    """Write `rows` as the only file of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / "data.csv", index=False)
    print(f"{len(rows)} rows written to {folder / 'data.csv'}")


def main() -> None:
    """Log the size of the data, split it and write the parts."""
    args = parse_args()
    with mlflow.start_run():
        # The file has two header lines: the second holds the names. The first column is the customer's ID.
        credit = pd.read_csv(args.data, header=1, index_col=0)
        mlflow.log_metric("num_samples", len(credit))
        mlflow.log_metric("num_features", credit.shape[1] - 1)  # the last column is the label

        train, test = train_test_split(credit, test_size=args.test_train_ratio, random_state=SEED)
        write(train, args.train_data)
        write(test, args.test_data)


if __name__ == "__main__":
    main()
