"""Mutual information of every pair of columns of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from infotorch.estimators.column_errors import errors_by_groups
from infotorch.estimators.discrete import of_pairs, plug_in_mi
from infotorch.estimators.doubts import warn
from infotorch.estimators.single_columns import Column, column_informations, information_of_symbols
from infotorch.estimators.symbol_doubts import bias_of_counts
from infotorch.figures.matrix import matrix_figure
from infotorch.numerics.checks import as_tensor, check_choice, shown
from infotorch.numerics.extras import require
from infotorch.numerics.frames import Missing, TableColumn, has_columns, read_table
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.typing import ArrayLike
from infotorch.records.progress import bar_for_long_work

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame
    from pandas import DataFrame
    from plotly.graph_objects import Figure

# Pairs of columns that a warning names.
_MOST_NAMED = 5
# Fewer rows than this that two columns have in common say nothing.
_FEWEST = 4


@dataclass(frozen=True)
class _Pair:
    """Value and standard error in nats, number of rows, and whether these are too few for the symbols."""

    value: float
    error: float
    n: int
    biased: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class MIMatrix:
    """Mutual information of every pair of columns.

    Args:
        columns: their names.
        values: nats, (d, d), symmetric, not clamped. On the diagonal the entropy of a column of symbols, and infinity
            of numbers, which tell all about themselves. NaN of a pair with fewer than 4 rows in common.
        std_errors: their standard errors in nats, (d, d); NaN below 40 samples, and on the diagonal of numbers.
        num_rows: how many samples each value is of, (d, d).

    Example:
        >>> import pandas
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000))
        >>> matrix = mi_matrix(pandas.DataFrame({"x": x, "noise": noise, "sign": x > 0}))
        >>> matrix  # log 2 = 0.69, and 0
        3 columns, 2,000 rows; the pairs that share most, in nats:
        x ~ sign        0.692 ± 0.001
        x ~ noise       -0.009 ± 0.010
        noise ~ sign    -0.012 ± 0.008
        >>> round(matrix.to_frame().loc["x", "sign"], 1)
        np.float64(0.7)
    """

    columns: tuple[str, ...]
    values: np.ndarray
    std_errors: np.ndarray
    num_rows: np.ndarray

    @property
    def correlations(self) -> np.ndarray:
        """Informational coefficient of correlation, sqrt(1 - exp(-2 I)), 0 to 1: |r| of normal variables, (d, d).

        Values below 0 count as 0. Symbols reach 1 only in the limit of many.

        Source: Linfoot 1957, doi:10.1016/S0019-9958(57)90116-X.
        """
        return np.sqrt(-np.expm1(-2 * np.clip(self.values, 0, None)))

    @cached_property
    def order(self) -> list[int]:
        """The columns so that those that share much stand side by side: leaves of average linkage of 1 - correlation.

        Neighbours in the tree are turned so that they differ least. Pairs without a value count as independent.
        """
        if len(self.columns) < 3:
            return list(range(len(self.columns)))
        distance = 1 - np.nan_to_num(self.correlations)
        np.fill_diagonal(distance, 0.0)
        tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
        return [int(leaf) for leaf in leaves_list(tree)]

    def pairs(self) -> list[dict[str, str | float]]:
        """A line for each pair of two columns, the largest value first, as pandas takes them.

        "x", "y", "mi_nats", "std_error_nats", "correlation" and "num_rows".
        """
        upper = zip(*np.triu_indices(len(self.columns), 1), strict=True)
        ranked = sorted(upper, key=lambda at: (math.isnan(self.values[at]), -self.values[at]))
        correlations = self.correlations
        return [
            {
                "x": self.columns[i],
                "y": self.columns[j],
                "mi_nats": float(self.values[i, j]),
                "std_error_nats": float(self.std_errors[i, j]),
                "correlation": float(correlations[i, j]),
                "num_rows": int(self.num_rows[i, j]),
            }
            for i, j in ranked
        ]

    def to_frame(self, what: Literal["values", "std_errors", "correlations", "num_rows"] = "values") -> DataFrame:
        """A pandas frame, columns against columns.

        Args:
            what: "values" and "std_errors" in nats, "correlations", or "num_rows".

        Raises:
            ValueError: what is none of these.
            ModuleNotFoundError: pandas is not installed.
        """
        check_choice(what, ("values", "std_errors", "correlations", "num_rows"), where="MIMatrix.to_frame", name="what")
        pandas = require("frames", "pandas", "MIMatrix.to_frame")
        return pandas.DataFrame(getattr(self, what), index=list(self.columns), columns=list(self.columns))

    def figure(self, what: Literal["values", "correlations"] = "values", *, ordered: bool = True) -> Figure:
        """A heat map (plotly); pointing at a cell shows its standard error and rows.

        Args:
            what: nats, or "correlations".
            ordered: columns in `order`; False: as in the table.

        Raises:
            ValueError: what is none of these.
            TypeError: ordered is no boolean.
        """
        check_choice(what, ("values", "correlations"), where="MIMatrix.figure", name="what")
        check_kind(ordered, bool, where="MIMatrix.figure", name="ordered", said="True or False")
        at = self.order if ordered else list(range(len(self.columns)))
        told = [[self._told(i, j) for j in at] for i in at]
        cells = getattr(self, what)[np.ix_(at, at)]
        title = "nats" if what == "values" else "correlation"
        return matrix_figure(cells, [self.columns[i] for i in at], told=told, title=title)

    def _told(self, i: int, j: int) -> str:
        value, error = self.values[i, j], self.std_errors[i, j]
        return f"{value:.3f} ± {error:.3f} nats, {self.num_rows[i, j]:,} rows"

    def __repr__(self) -> str:
        """How many columns, and the ten pairs that share most."""
        lines = [line for line in self.pairs() if not math.isnan(float(line["mi_nats"]))][:10]
        names = [f"{line['x']} ~ {line['y']}" for line in lines]
        width = max((len(name) for name in names), default=0) + 4
        told = [
            f"{name:{width}}{line['mi_nats']:.3f} ± {line['std_error_nats']:.3f}"
            for name, line in zip(names, lines, strict=True)
        ]
        d, n = len(self.columns), int(np.max(self.num_rows))
        return "\n".join([f"{d} columns, {n:,} rows; the pairs that share most, in nats:", *told])


def mi_matrix(
    frame: IntoDataFrame | ArrayLike,
    *,
    missing: Missing = "error",
    discrete: Mapping[str, bool] | None = None,
    progress: bool = True,
) -> MIMatrix:
    """Mutual information of every pair of columns of a table, in nats, with standard errors.

    The estimators are those of `infotorch.sklearn.mutual_info_scores`, which read of numbers only their order: `ksg` of
    normal scores for numbers with numbers, `ross` for numbers with symbols, both with 5 neighbours, and `discrete_mi`
    with Miller and Madow's correction for symbols with symbols. Standard errors are by how much parts of the sample
    disagree; where rows are too few for the pairs of symbols of two columns they take in that bias, as far as halves of
    the rows show it, and a warning names the columns. For two columns `mutual_information` weighs more estimates, and
    takes longer.

    Args:
        frame: of pandas, polars, pyarrow or whatever narwhals reads; or an array (n, d), of objects too, whose columns
            are "x0", "x1" and so on. Words, categories and booleans are symbols; dates and times are numbers. Whole
            numbers are symbols unless nearly every row has another one, real numbers are numbers.
        missing: what null and NaN are. "error"; "drop": each pair is measured on the rows that both have; "category":
            being absent is something that a column says, a symbol beside others. A number that may be absent then tells
            I(A; Y) + P(present) I(X; Y | present), of which A is whether it is absent.
        discrete: name of a column -> whether it is symbols, where its type does not say it right: {"age": False}.
        progress: shows a bar on a terminal when it takes longer than a second.

    Raises:
        ValueError: fewer than two columns or 4 rows, columns of one name, missing values where they are an error, a
            column without any value or with infinite ones, symbols of which none occurs twice (a number of each row,
            say), or `discrete` of a column that is not there.
        TypeError: a column of another kind, such as lists, or words that are said to be numbers.

    Source: Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641; Ross 2014, doi:10.1371/journal.pone.0087357.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(1000, 2))
        >>> matrix = mi_matrix(np.column_stack([x, x[:, 0] + x[:, 1]]))
        >>> matrix.to_frame().round(1)  # -log(1 - 1/2) / 2 = 0.35 beside the sum
             x0   x1   x2
        x0  inf -0.0  0.3
        x1 -0.0  inf  0.3
        x2  0.3  0.3  inf
    """
    where = "mi_matrix"
    check_choice(missing, get_args(Missing), where=where, name="missing")
    check_kind(progress, bool, where=where, name="progress", said="True or False")
    columns = _columns(frame, where)
    told = _told_discrete(discrete, [column.name for column in columns], where)
    if missing == "error":
        _refuse_absent(columns, where)
    variables = [_Variable.read(column, told.get(column.name), missing, where) for column in columns]
    names = tuple(column.name for column in columns)
    d, biased = len(variables), list[str]()
    values, errors, rows = np.zeros((d, d)), np.zeros((d, d)), np.zeros((d, d), np.int64)
    with bar_for_long_work(show=progress) as tell:
        for j, y in enumerate(variables):
            for i, pair in enumerate(_beside(variables[:j], y, missing)):
                values[[i, j], [j, i]], errors[[i, j], [j, i]], rows[[i, j], [j, i]] = pair.value, pair.error, pair.n
                biased += [f"{names[i]} ~ {names[j]}"] * pair.biased
            tell("pairs of columns", (j + 1) * (j + 2) // 2, d * (d + 1) // 2)
    if biased:
        _tell_bias(biased)
    return MIMatrix(names, values, errors, rows)


def _tell_bias(pairs: Sequence[str]) -> None:
    more = f" and {len(pairs) - _MOST_NAMED} more" * (len(pairs) > _MOST_NAMED)
    warn(
        f"mi_matrix: too few rows for so many pairs of symbols of {', '.join(pairs[:_MOST_NAMED])}{more}: values lie "
        "too high, and std_errors take that in as far as it shows; merge symbols or take more rows."
    )


def _columns(frame: object, where: str) -> list[TableColumn]:
    if has_columns(frame):
        columns = read_table(frame, where=where, name="frame")  # pyright: ignore[reportArgumentType]
    else:
        values = as_tensor(frame, where=where, name="frame").detach().cpu()
        if values.ndim != 2:
            raise ValueError(f"{where}: frame must be a table or an array (n, d), got shape {tuple(values.shape)}.")
        columns = [_of_array(column.numpy(), f"x{j}", where) for j, column in enumerate(values.T)]
    if len(columns) < 2:
        raise ValueError(f"{where}: frame must have two columns or more, got {len(columns)}.")
    if (n := len(columns[0].values)) < _FEWEST:
        raise ValueError(f"{where}: frame must have {_FEWEST} rows or more, got {n}.")
    return columns


def _of_array(values: np.ndarray, name: str, where: str) -> TableColumn:
    if values.dtype.kind != "f":
        return TableColumn(name, values.astype(np.int64), np.zeros(len(values), bool), None)
    absent = np.isnan(values)
    if absent.all() or np.isinf(values).any():
        raise ValueError(f"{where}: column {name!r} of frame must hold finite values, got infinite ones or none.")
    return TableColumn(name, np.where(absent, 0.0, values.astype(np.float64)), absent, None)


def _told_discrete(discrete: Mapping[str, bool] | None, names: Sequence[str], where: str) -> Mapping[str, bool]:
    check_kind(discrete, (Mapping, type(None)), where=where, name="discrete", said="a mapping or None")
    for name, value in (discrete or {}).items():
        check_kind(value, bool, where=where, name=f"discrete[{name!r}]", said="True or False")
        if name not in names:
            raise ValueError(f"{where}: discrete must name columns of the frame, got {shown(name)}.")
    return discrete or {}


def _refuse_absent(columns: Sequence[TableColumn], where: str) -> None:
    for column in columns:
        if column.absent.any():
            raise ValueError(
                f"{where}: column {column.name!r} must have a value in every row, got {int(column.absent.sum())} "
                'without; missing="drop" leaves such rows out pair by pair, missing="category" reads them as a symbol.'
            )


@dataclass(frozen=True)
class _Variable:
    """A column, and in which rows it has no value; None where it has one in all."""

    column: Column
    absent: Tensor | None = None

    @staticmethod
    def read(column: TableColumn, discrete: bool | None, missing: Missing, where: str) -> _Variable:
        if discrete is False and column.symbols:
            raise TypeError(
                f"{where}: discrete[{column.name!r}] must be True or left out, as the column holds words, categories "
                "or booleans."
            )
        discrete = column.symbols if discrete is None else discrete
        present = column.values[~column.absent]
        if discrete and len(np.unique(present)) == len(present):
            out = "leave it out" if column.symbols else "leave it out, or tell by discrete that it is numbers"
            raise ValueError(
                f"{where}: column {column.name!r} has another symbol in every row, and frequencies say nothing there; "
                f"{out}."
            )
        values, absent = torch.from_numpy(column.values), torch.from_numpy(column.absent)
        if not bool(absent.any()):
            return _Variable(Column.read(values, column.name, discrete=discrete))
        present = Column.read(values[~absent], column.name, discrete=discrete)
        # Of absent rows the last symbol, or the last place.
        codes = present.codes.new_full((len(values),), int(present.codes.max()) + 1)
        codes[~absent] = present.codes
        of_all = Column(codes, present.discrete)
        return _Variable(of_all) if present.discrete and missing == "category" else _Variable(of_all, absent)

    @property
    def present(self) -> Tensor:
        """The numbers of the rows that have a value."""
        everywhere = torch.arange(len(self.column.codes), device=self.column.codes.device)
        return everywhere if self.absent is None else everywhere[~self.absent]

    def take(self, rows: Tensor) -> _Variable:
        """Some of the samples."""
        absent = None if self.absent is None else self.absent[rows]
        return _Variable(self.column.take(rows), absent if absent is not None and bool(absent.any()) else None)


def _beside(before: Sequence[_Variable], y: _Variable, missing: Missing) -> Iterator[_Pair]:
    """Of each variable before y, and of y itself at the end, value and standard error beside y, and number of rows."""
    if missing == "drop":
        rows = y.present
        before, y = [x.take(rows) for x in before], y.take(rows)
    together = [i for i, x in enumerate(before) if missing != "drop" or x.absent is None]
    pairs = dict(zip(together, _measure([before[i] for i in together], y), strict=True))
    for i, x in enumerate(before):
        if i not in pairs:
            pairs[i] = _measure([x.take(x.present)], y.take(x.present))[0]
    yield from (pairs[i] for i in range(len(before)))
    yield _measured([y], y)[0] if y.column.discrete else _Pair(math.inf, math.nan, len(y.column.codes))


def _measure(xs: Sequence[_Variable], y: _Variable) -> list[_Pair]:
    """Of variables beside y, of all their rows, and what speaks against it."""
    return [_examined(pair, x, y) for pair, x in zip(_measured(xs, y), xs, strict=True)]


def _measured(xs: Sequence[_Variable], y: _Variable) -> list[_Pair]:
    n = len(y.column.codes)
    if n < _FEWEST or not xs:
        return [_Pair(math.nan, math.nan, n)] * len(xs)
    values = _informations(xs, y)
    errors = errors_by_groups(lambda rows: _informations([x.take(rows) for x in xs], y.take(rows)), n)
    return [_Pair(float(value), float(error), n) for value, error in zip(values, errors, strict=True)]


def _examined(pair: _Pair, x: _Variable, y: _Variable) -> _Pair:
    """Of two columns of symbols, with what too few rows add to the error, as `discrete_mi` has it."""
    if not (x.column.discrete and y.column.discrete and x.absent is None and y.absent is None):
        return pair
    a, b = x.column.codes, y.column.codes
    fall, told = bias_of_counts(
        plug_in_mi(a, b, "miller-madow", name=""),
        [a, b],
        lambda a, b: information_of_symbols(a, Column(b, discrete=True)),
        lambda: of_pairs(a, b),
    )
    return replace(pair, error=math.hypot(pair.error, fall), biased=bool(told))


def _informations(xs: Sequence[_Variable], y: _Variable) -> Tensor:
    """I(X_j; Y) of each of them, in nats, (d,); being absent is part of what a variable says.

    By the chain rule: whether Y is absent, and Y given that it is not. The order of the two variables changes nothing.
    """
    if y.absent is not None:
        rows = y.present
        share, whether = len(rows) / len(y.absent), _Variable(Column(y.absent.long(), True))
        if share == 0:
            return _informations(xs, whether)
        return _informations(xs, whether) + share * _informations([x.take(rows) for x in xs], y.take(rows))
    found = torch.zeros(len(xs), dtype=torch.float64, device=y.column.codes.device)
    whole = [i for i, x in enumerate(xs) if x.absent is None]
    found[whole] = column_informations([xs[i].column for i in whole], y.column)
    for i, x in enumerate(xs):
        if x.absent is not None:
            found[i] = _informations([y], x)[0]
    return found
