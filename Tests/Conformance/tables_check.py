#!/usr/bin/env python3
"""Compares short training runs of scikit-learn's networks and of `apus train mlp`, on data sets of scikit-learn.

Both train on the same rows (Apus on all but one of them), with dense layers of 256 and 128 units, ReLU, Adam at a
constant rate, and batches of 64. The rows are shuffled in each epoch. Features and the target of a regression are
standardized with the mean and standard deviation of the training rows. The random numbers differ. Both are evaluated on
the held-out rows, Apus by `apus evaluate`. This is repeated for several random splits into training and held-out rows.
The mean score of Apus over the splits may be at most 0.03 (R² of the regression) or 0.01 (accuracy of the
classification) below the mean score of scikit-learn's network. For comparison, the script also prints the scores of a
linear model.

usage: python3 tables_check.py [--apus PATH] [--device cpu] [--splits 5]        (scikit-learn, numpy)
"""

import argparse
import csv
import json
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore", category=ConvergenceWarning)
EPOCHS, RATE, BATCH = 20, 1e-3, 64
NETWORK = {
    "hidden_layer_sizes": (256, 128),
    "alpha": 0,
    "batch_size": BATCH,
    "learning_rate_init": RATE,
    "max_iter": EPOCHS,
    "n_iter_no_change": EPOCHS,
}


def write(path, names, features, target):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "target"])
        writer.writerows([*(repr(float(v)) for v in row), y] for row, y in zip(features, target))


def apus(arguments, task, names, train, test, seed):
    """Trains, and returns the score that `apus evaluate` reports for a separate file of the test rows."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder / "train.csv", names, *train)
        write(folder / "test.csv", names, *test)

        def run(*words):
            done = subprocess.run(
                [arguments.apus, *map(str, words), "--device", arguments.device, "--json"],
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise SystemExit(f"apus {' '.join(map(str, words))}: {done.stderr}")
            return [json.loads(line) for line in done.stdout.splitlines()]

        # The run holds out one row of train.csv, the smallest number that is possible, and trains on all others.
        run(
            "train",
            "mlp",
            "--data",
            f"csv:{folder}/train.csv",
            "--task",
            task,
            "--epochs",
            EPOCHS,
            "--batch-size",
            BATCH,
            "--optimizer",
            "adam",
            "--learning-rate",
            RATE,
            "--schedule",
            "constant",
            "--seed",
            seed,
            "--test-share",
            1 / len(train[1]),
            "--output",
            folder / "run",
        )
        measured = run("evaluate", folder / "run", "--data", f"csv:{folder}/test.csv")[-1]
        assert measured["part"] == "all" and measured["examples"] == len(test[1]), measured
    return measured["r2" if task == "regression" else "accuracy"]


def theirs(model, task, train, test):
    predicted = model.fit(*train).predict(test[0])
    return r2_score(test[1], predicted) if task == "regression" else accuracy_score(test[1], predicted)


def main():
    parser = argparse.ArgumentParser()
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--apus", default=root / ".build/release/apus")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--splits", type=int, default=5)
    arguments = parser.parse_args()
    failed = False
    for name, task, data, tolerance in [
        ("diabetes", "regression", load_diabetes(scaled=False), 0.03),
        ("breast-cancer", "classification", load_breast_cancer(), 0.01),
    ]:
        found = {"apus": [], "network": [], "linear": []}
        for seed in range(arguments.splits):
            x, tests, y, answers = train_test_split(data.data, data.target, test_size=0.25, random_state=seed)
            train, test = (x, y), (tests, answers)
            names = [str(n).replace(" ", "_") for n in data.feature_names]
            if task == "regression":
                scaled = TransformedTargetRegressor(
                    MLPRegressor(**NETWORK, random_state=seed), transformer=StandardScaler()
                )
                network, linear = make_pipeline(StandardScaler(), scaled), make_pipeline(StandardScaler(), Ridge())
            else:
                network = make_pipeline(StandardScaler(), MLPClassifier(**NETWORK, random_state=seed))
                linear = make_pipeline(StandardScaler(), LogisticRegression())
            found["apus"].append(apus(arguments, task, names, train, test, seed))
            found["network"].append(theirs(network, task, train, test))
            found["linear"].append(theirs(linear, task, train, test))
        means = {key: numpy.mean(values) for key, values in found.items()}
        failed |= means["apus"] < means["network"] - tolerance
        measure = "R²" if task == "regression" else "accuracy"
        print(
            f"{name}: {measure} "
            + ", ".join(
                f"{key} {means[key]:.4f} ({min(values):.4f} to {max(values):.4f})" for key, values in found.items()
            )
        )
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
