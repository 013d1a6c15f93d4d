"""Rows for a critic: columns that a network can read, and a split into rows to train, to choose and to measure on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import as_samples, check_count, check_number, is_discrete
from infotorch.numerics.symbols import symbols

# A column of integers with more values is read as a number: most values would hardly occur in the training samples.
_MOST_CLASSES = 1024
# What lies further out, in units of the spread, is drawn in: 3 in a thousand rows of a normal column.
_TAIL = 3.0
# Between the quartiles of a normal distribution, in standard deviations.
_NORMAL_QUARTILES = 1.3489795003921634


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, which share no row."""

    train: Tensor
    validation: Tensor
    test: Tensor


def random_splits(
    n: int, *, validation: float, test: float, folds: int | None, generator: torch.Generator, where: str
) -> list[Split]:
    """One random split of n rows, or one for each fold: together the folds' test parts are all rows.

    Raises:
        ValueError: a share outside (0, 1), no rows left to train on, or a part with fewer than two rows.
        TypeError: folds is not an integer.

    Example:
        >>> splits = random_splits(10, validation=0.2, test=0.2, folds=2, generator=torch.Generator(), where="example")
        >>> [len(split.test) for split in splits], [len(split.train) for split in splits]
        ([5, 5], [3, 3])
    """
    _check_share(validation, where, "validation")
    if folds is None:
        _check_share(test, where, "test")
    else:
        check_count(folds, where=where, name="folds")
        test = 1 / folds
    order = torch.randperm(n, generator=generator, device=generator.device).cpu()
    tests = order.tensor_split(folds) if folds is not None else [order[: round(n * test)]]
    splits = [_without(order, rows, round(n * validation)) for rows in tests]
    smallest = min(min(len(s.train), len(s.validation), len(s.test)) for s in splits)
    if smallest < 2:
        raise ValueError(
            f"{where}: each part of the samples must have at least 2 of them, got {n} samples with "
            + f"validation={validation:g} "
            + (f"and test={test:g}." if folds is None else f"and folds={folds}.")
        )
    return splits


def as_columns(rows: Tensor, *, where: str, name: str) -> Tensor:
    """Columns in float64: a single column of integers as one-hot vectors, anything else as numbers.

    Integers that nearly all differ are numbers too.

    Example:
        >>> as_columns(torch.tensor([[5], [7], [5], [7]]), where="example", name="x").tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    if is_discrete(rows) and rows.shape[1] == 1:
        numbers = symbols(rows)
        classes = int(numbers.max()) + 1
        if classes <= min(_MOST_CLASSES, len(rows) // 2):
            return F.one_hot(numbers, classes).cpu().double()
    return as_samples(rows, where=where, name=name)


def standardised(columns: Tensor, train: Tensor) -> Tensor:
    """Columns in units of their spread over the training samples, long tails drawn in; one constant there becomes 0.

    The spread is the interquartile range over 1.349, which no tail moves, about the median; or the standard deviation
    about the mean where half of the rows are equal. What lies beyond 3 is drawn in to 3 + log(1 + what is beyond): a
    one-to-one map, which keeps all information, and without which one outlier among the test samples decides the value.

    Example:
        >>> columns = torch.tensor([[-1.0, 3.0], [0.0, 3.0], [1.0, 3.0], [1000.0, 4.0]])
        >>> standardised(columns, train=torch.tensor([0, 1, 2])).round(decimals=2)[:, 0]
        tensor([-1.3500,  0.0000,  1.3500, 10.2100])
    """
    rows = columns[train]
    # In units of the largest value squares neither overflow nor vanish.
    unit = rows.abs().amax(dim=0)
    unit = torch.where(unit > 0, unit, 1)
    scaled = rows / unit
    low, middle, high = _quartiles(scaled)
    robust = high > low
    center = torch.where(robust, middle, scaled.mean(dim=0))
    spread = torch.where(robust, (high - low) / _NORMAL_QUARTILES, scaled.std(dim=0, unbiased=False))
    varies = (rows != rows[0]).any(dim=0) & (spread > 0)
    away = (columns / unit - center) / torch.where(varies, spread, 1)
    beyond = (away.abs() - _TAIL).clamp(0, torch.finfo(away.dtype).max)
    return torch.where(varies, away.clamp(-_TAIL, _TAIL) + away.sign() * beyond.log1p(), 0)


def _quartiles(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values a quarter, a half and three quarters up each column; `torch.quantile` takes 16 million numbers at most."""
    ordered, last = rows.sort(dim=0).values, len(rows) - 1
    ends = [(ordered[math.floor(q * last)] + ordered[math.ceil(q * last)]) / 2 for q in (0.25, 0.5, 0.75)]
    return ends[0], ends[1], ends[2]


def _without(order: Tensor, test: Tensor, validation: int) -> Split:
    rest = order[~torch.isin(order, test)]
    return Split(train=rest[validation:], validation=rest[:validation], test=test)


def _check_share(share: float, where: str, name: str) -> None:
    check_number(share, where=where, name=name)
    if not 0 < share < 1:
        raise ValueError(f"{where}: {name} must lie between 0 and 1, got {share}.")
