"""One side of a mutual information as callers hand it over, an array or a table, and what its missing values mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import as_tensor
from infotorch.numerics.frames import Missing, TableColumn, has_columns, read_table

# Rows of which neighbours tell something.
_FEWEST = 4


@dataclass(frozen=True)
class Given:
    """The samples of one side.

    Args:
        values: an array, first axis the samples.
        discrete: whether its samples are symbols, as told by the caller or by the type of a table's columns; or None.
        absent: (n,), the rows without a value, where there are any.
        name: "x" or "y".
        words: whether the values stand for what has no order, so that they are symbols whatever the caller says.

    Example:
        >>> import pandas
        >>> Given.read(pandas.Series(["a", "b", None]), None, missing="category", where="example", name="x").values
        tensor([0, 1, 2])
    """

    values: Any
    discrete: bool | None
    absent: Tensor | None
    name: str
    words: bool = False

    @staticmethod
    def read(values: object, discrete: bool | None, *, missing: Missing, where: str, name: str) -> Given:
        """Of what the caller gave.

        Raises:
            ValueError: values are missing and that is an error; symbols stand beside numbers; or a category of several
                columns of numbers.
            TypeError: words are said to be numbers, or what `read_table` refuses.
        """
        if has_columns(values):
            columns = read_table(values, where=where, name=name)  # pyright: ignore[reportArgumentType]
            return _of_table(columns, discrete, missing, where, name)
        if missing == "error":
            return Given(values, discrete, None, name)  # the estimators refuse NaN themselves
        tensor = as_tensor(values, where=where, name=name)
        if tensor.ndim == 0:
            raise ValueError(f"{where}: {name} must have rows of samples, got a single number.")
        if not tensor.is_floating_point():
            return Given(tensor, discrete, None, name)
        gone = tensor.detach().reshape(len(tensor), -1).isnan()
        if missing == "category" and bool(gone.any()) and gone.shape[1] > 1:
            _refuse_several(where, name, gone.shape[1])
        absent = gone.any(dim=1).cpu()
        if bool(absent.all()):
            raise ValueError(f"{where}: {name} must have values, got none in {len(absent)} rows.")
        return Given(tensor, discrete, absent if bool(absent.any()) else None, name)

    def take(self, rows: Tensor) -> Given:
        """Some of the samples."""
        values = self.values if isinstance(self.values, Tensor) else as_tensor(self.values, where="", name=self.name)
        absent = None if self.absent is None else self.absent[rows]
        kept = absent if absent is not None and bool(absent.any()) else None
        return replace(self, values=values[rows.to(values.device)], absent=kept)


def _of_table(columns: list[TableColumn], discrete: bool | None, missing: Missing, where: str, name: str) -> Given:
    symbols = [column for column in columns if column.symbols]
    absent = np.any([column.absent for column in columns], axis=0)
    if symbols and len(symbols) < len(columns):
        others = next(column.name for column in columns if not column.symbols)
        raise ValueError(
            f"{where}: {name} must be of one kind, got symbols in column {symbols[0].name!r} and numbers in "
            f"{others!r}; measure them one by one, as infotorch.mi_matrix does, or encode the symbols as numbers."
        )
    if symbols and discrete is False:
        raise TypeError(
            f"{where}: discrete_{name} must be True or None, as {name} holds words, categories or booleans."
        )
    if absent.any() and missing == "error":
        raise ValueError(
            f'{where}: {name} must have a value in every row, got {int(absent.sum())} rows without; missing="drop" '
            'leaves them out, missing="category" reads being absent as a symbol.'
        )
    if absent.any() and missing == "category" and not symbols and len(columns) > 1:
        _refuse_several(where, name, len(columns))
    values = [column.values for column in columns]
    if symbols and missing == "category":
        values = [np.where(column.absent, column.values.max() + 1, column.values) for column in columns]
        absent = np.zeros(len(absent), bool)
    if discrete is None and all(column.symbols == columns[0].symbols for column in columns):
        discrete = columns[0].symbols
    beside = torch.from_numpy(values[0] if len(values) == 1 else np.stack(values, axis=1))
    return Given(beside, discrete, torch.from_numpy(absent) if absent.any() else None, name, words=bool(symbols))


def _refuse_several(where: str, name: str, columns: int) -> None:
    raise ValueError(
        f'{where}: missing must be "drop" or "error" where {name} is several columns of numbers, got "category" for '
        f"{columns} of them; measure them one by one, as infotorch.mi_matrix does."
    )


Measure = Callable[[Given, Given], Estimate]


def without_absent(x: Given, y: Given) -> tuple[Given, Given]:
    """Both sides on the rows of which both have a value."""
    gone = [side.absent for side in (x, y) if side.absent is not None]
    if not gone:
        return x, y
    rows = (~torch.stack(gone).any(dim=0)).nonzero().flatten()
    if len(rows) == 0:
        raise ValueError(
            'mutual_information: missing="drop" must leave rows in which x and y both have a value, got none; '
            '"category" reads being absent as a symbol.'
        )
    return x.take(rows), y.take(rows)


def by_presence(x: Given, y: Given, measure: Measure) -> Estimate:
    """I(X; Y) where being absent is part of what a side says, by the chain rule.

    I(X; Y) = I(A; Y) + P(present) I(X; Y | present), of which A is whether X is absent; likewise for Y.

    Raises:
        ValueError: a side has a value in one to three rows, of all or of those that have the other's or lack it.
    """
    if x.absent is None and y.absent is None:
        return measure(x, y)
    terms = _terms(x, y, measure)
    value = torch.stack([weight * estimate.value.detach().cpu().double() for weight, estimate in terms]).sum()
    return Estimate(
        value,
        side="none",
        n=max(estimate.n for _, estimate in terms),
        estimator="chain_rule over what is absent",
        reason="; ".join(f"{weight:.2f} times {estimate.estimator}: {estimate.reason}" for weight, estimate in terms),
        error=lambda: math.hypot(*(weight * estimate.std_error for weight, estimate in terms)),
        reliable=all(estimate.reliable for _, estimate in terms),
        bias_std=sum(weight * estimate.bias_std for weight, estimate in terms),
    )


def _terms(x: Given, y: Given, measure: Measure) -> list[tuple[float, Estimate]]:
    if y.absent is None and x.absent is None:
        return [(1.0, measure(x, y))]
    if y.absent is None:
        return _terms(y, x, measure)
    whether = replace(y, values=y.absent.long(), discrete=True, absent=None)
    rows = (~y.absent).nonzero().flatten()
    share = len(rows) / len(y.absent)
    if share == 0:
        return _terms(x, whether, measure)
    if len(rows) < _FEWEST:
        raise ValueError(
            f'mutual_information: missing="category" needs {_FEWEST} rows or more that have a value of {y.name}, '
            f"got {len(rows)}."
        )
    present = _terms(x.take(rows), y.take(rows), measure)
    return _terms(x, whether, measure) + [(share * weight, estimate) for weight, estimate in present]
