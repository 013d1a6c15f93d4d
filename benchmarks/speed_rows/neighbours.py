"""KSG and Ross against NPEET (npeet-plus), bmi (benchmark-mi) and scikit-learn: float64, k = 3."""

from __future__ import annotations

import bmi
import npeet_plus
import numpy as np
from numpy.random import Generator, default_rng
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.kraskov import ksg
from speed_rows.row import Row


def correlated(random: Generator, n: int, d_x: int, d_y: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal x, and normal y that contains x's first columns."""
    x, y = random.normal(size=(n, d_x)), random.normal(size=(n, d_y))
    shared = min(d_x, d_y)
    y[:, :shared] += x[:, :shared]
    return x, y


def npeet(x: np.ndarray, y: np.ndarray) -> float:
    """NPEET's KSG; it adds noise of 1e-10, which moves no count here."""
    return npeet_plus.mi(x, y, k=3, base=np.e)


def bmi_ksg(x: np.ndarray, y: np.ndarray, metric: str) -> float:
    """The KSG of bmi, without its default rescaling."""
    return bmi.estimators.KSGEnsembleFirstEstimator(neighborhoods=(3,), standardize=False, metric_x=metric).estimate(
        x, y
    )


def rows() -> list[Row]:
    """All comparisons, each with its own data."""
    random = default_rng(0)
    ten, images, five, line = (
        correlated(random, *shape) for shape in ((1000, 10, 10), (1000, 784, 10), (10_000, 5, 5), (100_000, 1, 1))
    )
    line = tuple(column / column.std() for column in line)  # scikit-learn rescales; so do we for all
    labels = random.integers(0, 10, size=1000)
    pictures = random.normal(size=(1000, 784)) + 0.3 * random.normal(size=(10, 784))[labels]
    some = labels[:1000] + random.normal(size=1000)
    return [
        Row(
            "KSG, 10-d against 10-d, n = 1000",
            lambda: float(ksg(*ten)),
            {"npeet": lambda: npeet(*ten)},
            5.0,
            repeats=21,
        ),
        Row(
            "KSG, 784-d against 10-d, n = 1000, Chebyshev",
            lambda: float(ksg(*images)),
            {"npeet": lambda: npeet(*images), "bmi": lambda: bmi_ksg(*images, "chebyshev")},
            1.8,
        ),
        Row(
            "KSG, 784-d against 10-d, n = 1000, Euclidean",
            lambda: float(ksg(*images, metric="euclidean")),
            {"bmi": lambda: bmi_ksg(*images, "euclidean")},
            1.8,
            repeats=11,
        ),
        Row("KSG, 5-d against 5-d, n = 10,000", lambda: float(ksg(*five)), {"npeet": lambda: npeet(*five)}, 1.8),
        Row(
            "KSG, 1-d against 1-d, n = 100,000",
            lambda: float(ksg(*line)),
            {
                "npeet": lambda: npeet(*line),
                "scikit-learn": lambda: mutual_info_regression(line[0], line[1][:, 0], random_state=0)[0],
            },
            1.8,
            note="NPEET adds noise of 1e-10 to the data, which at this n moves some counts",
        ),
        Row(
            "Ross, 784-d against 10 labels, n = 1000",
            lambda: float(ross(pictures, labels)),
            {"npeet": lambda: npeet_plus.micd(pictures, labels[:, None], k=3, base=np.e)},
            5.0,
            tolerance=None,
            note="NPEET subtracts two entropies, which is far off in so many columns; the labels hold 2.30",
        ),
        Row(
            "Ross, 1-d against 10 labels, n = 1000",
            lambda: float(ross(some / some.std(), labels)),
            {"scikit-learn": lambda: mutual_info_classif(some[:, None], labels, random_state=0)[0]},
            1.8,
            repeats=21,
        ),
    ]
