"""scikit-learn's checks of samples, whose functions have no types of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_X_y
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from infotorch.numerics.checks import shown
from infotorch.numerics.frames import TableColumn, read_table

#: What networks compute with; all else becomes the first.
FLOATS = (np.float64, np.float32)
_pair: Any = check_X_y
_samples: Any = validate_data
_weights: Any = _check_sample_weight
_class_weights: Any = compute_class_weight


def checked_pair(X: object, y: object) -> tuple[np.ndarray, np.ndarray]:
    """Two samples or more of finite numbers, (n, d), and their targets, (n,).

    Raises:
        ValueError: what scikit-learn refuses.
        TypeError: likewise, such as a sparse matrix.
    """
    return _pair(X, y, ensure_min_samples=2)


def checked_samples(
    estimator: object, X: object, y: object, *, floats: bool = False, numbers: bool = False, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Samples and targets that an estimator is fitted to, which notes number and names of the features.

    Args:
        estimator: of scikit-learn.
        X: (n, d).
        y: (n,).
        floats: whether whole numbers become floating-point ones.
        numbers: whether y must be numbers.
        least: how many samples there must be.

    Raises:
        ValueError: what scikit-learn refuses.
        TypeError: likewise, such as a sparse matrix.
    """
    kinds = FLOATS if floats else "numeric"
    return _samples(estimator, X, y, dtype=kinds, y_numeric=numbers, ensure_min_samples=least)


def checked_frame(estimator: object | None, X: Any, y: object, *, where: str) -> tuple[list[TableColumn], np.ndarray]:
    """Columns of a frame with a value in every row, and their targets, (n,).

    Args:
        estimator: that is fitted, and notes number and names of the features; None of a function.
        X: what `is_frame` takes.
        y: (n,).
        where: for messages.

    Raises:
        ValueError: what scikit-learn refuses of y, fewer than two samples, a missing value, or what `read_table`
            refuses.
        TypeError: a column that is neither numbers nor symbols.
    """
    columns = read_table(X, where=where, name="X")
    for column in columns:
        if column.absent.any():
            raise ValueError(
                f"{where}: Input X contains NaN: column {column.name!r} lacks {int(column.absent.sum())} values; fill "
                "them in first, as sklearn.impute.SimpleImputer does."
            )
    _, target = checked_pair(np.zeros((len(columns[0].values), 1)), y)
    if estimator is not None:
        _samples(estimator, X, target, skip_check_array=True)
    return columns, target


def checked_features(estimator: object, X: object) -> np.ndarray:
    """Samples that a fitted estimator of floating-point numbers predicts of.

    Raises:
        ValueError: what scikit-learn refuses, such as another number of features.
        TypeError: likewise, such as a sparse matrix.
    """
    return _samples(estimator, X, dtype=FLOATS, reset=False)


def checked_weights(weights: object, x: np.ndarray) -> np.ndarray:
    """A weight for each sample, 0 or more; 1 for None.

    Raises:
        ValueError: another number of weights, or one below 0.
    """
    return _weights(weights, x, dtype=np.float64, ensure_non_negative=True)


def check_classes(y: np.ndarray) -> None:
    """Refuse targets that are no classes.

    Raises:
        ValueError: real numbers, or several columns.
    """
    check_classification_targets(y)


def weights_of_classes(
    asked: object, classes: np.ndarray, y: np.ndarray, weights: np.ndarray, *, where: str
) -> np.ndarray:
    """The weight of each class, (classes,): 1 where none is asked for.

    Raises:
        ValueError: no weights, or one below 0.
    """
    if not (asked is None or isinstance(asked, Mapping | str)):
        raise ValueError(f'{where}: class_weight must be a dict, "balanced" or None, got {shown(asked)}.')
    found = _class_weights(asked, classes=classes, y=y, sample_weight=weights)
    if not (np.isfinite(found).all() and (found >= 0).all() and found.any()):
        raise ValueError(f"{where}: class_weight must be 0 or more, and above 0 for a class, got {shown(asked)}.")
    return found


def seed_from(random_state: Any) -> int:
    """A seed: the same of an integer in every call, of None another one, without a look at numpy's global state.

    Raises:
        ValueError: random_state is no seed.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))
