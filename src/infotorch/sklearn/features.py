"""What scikit-learn hands over, as columns that the estimators of single columns read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike

from infotorch.estimators.single_columns import Column
from infotorch.numerics.checks import shown
from infotorch.numerics.frames import TableColumn, is_frame
from infotorch.sklearn.checks import checked_frame, checked_pair, checked_samples

#: Which features are symbols: by their type, all or none, a mask (d,) of booleans, or the numbers of those that are,
#: of a frame their names, too.
DiscreteFeatures: TypeAlias = Literal["auto"] | bool | Sequence[bool] | Sequence[int] | Sequence[str] | np.ndarray


def read_samples(
    X: ArrayLike,
    y: ArrayLike,
    discrete_features: DiscreteFeatures,
    discrete_target: bool | None,
    *,
    where: str,
    estimator: object | None = None,
) -> tuple[list[Column], Column]:
    """Features and target: of a frame each column as its type says, of an array all of one type.

    Args:
        X: (n, d).
        y: (n,).
        discrete_features: see `mutual_info_scores`.
        discrete_target: likewise.
        where: for messages.
        estimator: that is fitted, and notes number and names of the features; None of a function.

    Raises:
        TypeError: an option of another kind, words that are said to be numbers, or what scikit-learn refuses.
        ValueError: a mask of another length, a number of no feature, a missing value, or what scikit-learn refuses.
    """
    if is_frame(X):
        read, target = checked_frame(estimator, X, y, where=where)
        columns = _of_frame(read, discrete_features, where=where)
    else:
        x, target = checked_pair(X, y) if estimator is None else checked_samples(estimator, X, y, least=2)
        columns = _of_array(x, discrete_features, where=where)
    return columns, read_target(target, discrete_target, where=where)


def _of_array(x: np.ndarray, discrete: DiscreteFeatures, *, where: str) -> list[Column]:
    told = _mask(discrete, x.shape[1], where=where)
    values = torch.from_numpy(np.array(_plain(x).T, order="C"))  # a copy: those of pandas are read-only
    return [
        Column.read(column, f"x{j}", discrete=None if told is None else bool(told[j]))
        for j, column in enumerate(values)
    ]


def _of_frame(columns: Sequence[TableColumn], discrete: DiscreteFeatures, *, where: str) -> list[Column]:
    told = _mask(_by_number(discrete, [column.name for column in columns], where), len(columns), where=where)
    read: list[Column] = []
    for j, column in enumerate(columns):
        symbols = column.symbols if told is None else bool(told[j])
        if column.symbols and not symbols:
            raise TypeError(
                f'{where}: discrete_features must name column {column.name!r} or be "auto", as it holds words, '
                "categories or booleans."
            )
        # Ties stand in the order that they have in an array.
        read.append(Column.read(torch.from_numpy(column.values), f"x{j}", discrete=symbols))
    return read


def _by_number(discrete: DiscreteFeatures, names: Sequence[str], where: str) -> DiscreteFeatures:
    """Columns that are told by their names, by their numbers."""
    told: list[object] = []
    if isinstance(discrete, list | tuple):
        told = [*discrete]
    if isinstance(discrete, np.ndarray) and discrete.ndim == 1:
        told = discrete.tolist()
    if not told or not all(isinstance(name, str) for name in told):
        return discrete
    for name in told:
        if name not in names:
            raise ValueError(f"{where}: discrete_features must name columns of X, got {shown(name)}.")
    return [names.index(str(name)) for name in told]


def read_target(y: np.ndarray, discrete: bool | None, *, where: str) -> Column:
    """The target, (n,): class names are symbols, too, and dates are numbers.

    Raises:
        TypeError: discrete is no boolean and not None.
        ValueError: names that are said to be numbers, or a date that is missing.
    """
    if discrete is not None and not isinstance(discrete, bool | np.bool_):
        raise TypeError(f"{where}: discrete_target must be True, False or None, got {shown(discrete)}.")
    if y.dtype.kind in "Mm":
        if np.isnat(y).any():
            raise ValueError(f"{where}: y must have a date in every row, got NaT.")
        y, discrete = y.astype(np.int64), bool(discrete)
    if y.dtype.kind not in "fiub":
        if discrete is False:
            raise ValueError(f"{where}: discrete_target must be True or None where y holds names, got False.")
        y, discrete = np.unique(y, return_inverse=True)[1], True
    return Column.read(
        torch.from_numpy(np.array(_plain(y))), "y", discrete=None if discrete is None else bool(discrete)
    )


def _plain(values: np.ndarray) -> np.ndarray:
    """In a type that torch computes with."""
    if values.dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    return values.astype(np.int64, copy=False)


def _mask(discrete: DiscreteFeatures, d: int, *, where: str) -> np.ndarray | None:
    if isinstance(discrete, str) and discrete == "auto":
        return None
    if isinstance(discrete, bool | np.bool_):
        return np.full(d, bool(discrete))
    named = np.asarray(discrete)
    if isinstance(discrete, str) or named.ndim != 1 or (named.dtype.kind not in "iub" and named.size):
        wanted = '"auto", True, False, a mask or the numbers of the discrete features'
        raise TypeError(f"{where}: discrete_features must be {wanted}, got {shown(discrete)}.")
    if named.dtype.kind == "b":
        if len(named) != d:
            raise ValueError(
                f"{where}: discrete_features must have a value for each of {d} features, got {len(named)}."
            )
        return named
    mask = np.zeros(d, bool)
    if named.size and not (-d <= int(named.min()) and int(named.max()) < d):
        raise ValueError(f"{where}: discrete_features must be numbers of {d} features, got {shown(discrete)}.")
    mask[named.astype(np.int64)] = True
    return mask
