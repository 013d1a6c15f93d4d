"""Every pair of columns of a table: time and error of `mi_matrix`, beside scikit-learn's functions column by column.

    python benchmarks/mi_matrix.py [--rows 10000] [--columns 50]

Some five minutes on two cores with nothing else to do.

Of ten columns seven are normal numbers with known correlations, one is words, one small whole numbers and one booleans,
each a coarse reading of a number. Ours measures each pair once, with a standard error; scikit-learn's functions measure
all columns with one target at a time, without, and on two cores (n_jobs=2). Values below 0, which scikit-learn gives as
0, count as 0 for both. Writes results/mi_matrix.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

import sklearn
from infotorch import mi_matrix

RESULT = Path(__file__).parent / "results" / "mi_matrix.json"


def mixed_table(rows: int, columns: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """The table, and the correlations of its numbers, NaN elsewhere."""
    rng = np.random.default_rng(seed)
    factors = max(2, columns // 10)
    loadings = rng.normal(size=(columns, factors)) * (rng.random((columns, factors)) < 0.4)
    noise = np.ones(columns)
    values = rng.normal(size=(rows, factors)) @ loadings.T + rng.normal(size=(rows, columns)) * noise
    covariance = loadings @ loadings.T + np.diag(noise**2)
    scale = np.sqrt(np.diag(covariance))
    rho = covariance / np.outer(scale, scale)
    table: dict[str, object] = {}
    for j in range(columns):
        column, kind = values[:, j] / scale[j], j % 10
        coarse = np.digitize(column, [-1.0, 0.0, 1.0])
        kinds: dict[int, tuple[str, object]] = {
            7: ("word", np.array(["low", "below", "above", "high"])[coarse]),
            8: ("count", coarse),
            9: ("flag", column > 0),
        }
        name, value = kinds.get(kind, ("number", column))
        table[f"{name} {j}"] = value
        if kind in kinds:
            rho[j], rho[:, j] = np.nan, np.nan
    return pd.DataFrame(table), rho


def by_scikit_learn(frame: pd.DataFrame) -> np.ndarray:
    """One target at a time."""
    codes = {name: pd.factorize(column)[0] for name, column in frame.items() if not str(name).startswith("number")}
    table = frame.assign(**codes).to_numpy(float)
    discrete = np.array([name in codes for name in frame])
    found = []
    for j, name in enumerate(frame):
        measure = mutual_info_classif if name in codes else mutual_info_regression
        target = table[:, j].astype(int) if name in codes else table[:, j]
        found.append(measure(table, target, discrete_features=discrete, random_state=0, n_jobs=2))
    return np.stack(found, axis=1)


def _seconds(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


def main() -> None:
    """Measure both and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=50)
    options = parser.parse_args()
    frame, rho = mixed_table(options.rows, options.columns)
    mi_matrix(frame[:100])  # compiles the loops
    pairs = np.triu_indices(options.columns, 1)
    truth = -0.5 * np.log1p(-(rho[pairs] ** 2))
    known = np.isfinite(truth)
    measured = {}
    for name, call in {
        "infotorch, with standard errors": lambda: mi_matrix(frame).values,
        "scikit-learn, column by column": lambda: by_scikit_learn(frame),
    }.items():
        seconds, values = _seconds(call)
        error = float(np.abs(values[pairs].clip(0) - truth)[known].mean())
        measured[name] = {"seconds": round(seconds, 2), "mean_abs_error_nats": round(error, 5)}
        print(f"{name:35s} {seconds:7.1f} s, mean |error| {error:.4f} nats over {int(known.sum())} pairs of numbers")
    about = {
        "rows": options.rows,
        "columns": options.columns,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
    }
    RESULT.write_text(json.dumps({"about": about, "measured": measured}, indent=1) + "\n")


if __name__ == "__main__":
    main()
