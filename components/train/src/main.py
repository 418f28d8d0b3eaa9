"""Train a model of credit defaults, test it, register it and save it."""

from __future__ import annotations

import argparse
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.models.signature import infer_signature
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, classification_report, f1_score, log_loss, roc_auc_score

LABEL = "default payment next month"
SEED = 0
"""The random state of the training: the same data and parameters always give the same model."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_data", type=Path, required=True, help="folder with the training set")
    parser.add_argument("--test_data", type=Path, required=True, help="folder with the test set")
    parser.add_argument("--n_estimators", type=int, default=100, help="number of boosting stages")
    parser.add_argument("--learning_rate", type=float, default=0.1, help="weight of each stage")
    parser.add_argument("--registered_model_name", required=True, help="name to register the model under")
    parser.add_argument("--model", type=Path, required=True, help="folder to save the model in")
    return parser.parse_args()


def read(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Read the features and the labels from the one CSV file in `folder`."""
    features = pd.read_csv(next(folder.iterdir()))
    labels = features.pop(LABEL)
    return features.astype("float64"), labels


def evaluate(model: GradientBoostingClassifier, features: pd.DataFrame, labels: pd.Series) -> None:
    """Print how well `model` predicts `labels`, and log it."""
    predicted = model.predict(features)
    probability = model.predict_proba(features)[:, 1]
    print(classification_report(labels, predicted))
    metrics = {
        "test_accuracy": accuracy_score(labels, predicted),
        "test_f1": f1_score(labels, predicted),
        "test_log_loss": log_loss(labels, probability),
        "test_roc_auc": roc_auc_score(labels, probability),
    }
    mlflow.log_metrics(metrics)


def requirements() -> list[str]:
    """List the packages that are needed to load the model, with their versions.

    MLflow could find them itself by loading each saved copy in a new process, which takes seconds.
    """
    pins = []
    for package in ("cloudpickle", "numpy", "pandas", "scikit-learn", "scipy", "skops"):
        with suppress(PackageNotFoundError):  # MLflow before 3 has no skops
            pins.append(f"{package}=={version(package)}")
    return pins


def main() -> None:
    """Train, test, register and save the model."""
    args = parse_args()
    with mlflow.start_run():
        mlflow.sklearn.autolog(log_models=False)  # the model is logged below, with its name

        features, labels = read(args.train_data)
        print(f"Training on {len(features)} rows with {features.shape[1]} features")
        model = GradientBoostingClassifier(
            n_estimators=args.n_estimators, learning_rate=args.learning_rate, random_state=SEED
        )
        model.fit(features, labels)
        evaluate(model, *read(args.test_data))

        about = {"signature": infer_signature(features, model.predict(features)), "pip_requirements": requirements()}
        name = args.registered_model_name
        # The second argument is called `artifact_path` in MLflow 1 and 2, and `name` in MLflow 3.
        mlflow.sklearn.log_model(model, name, registered_model_name=name, **about)
        mlflow.sklearn.save_model(model, args.model / "trained_model", **about)


if __name__ == "__main__":
    main()
