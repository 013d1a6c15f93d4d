"""Columns of data frames and series, of any library that narwhals reads, as numbers and symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import narwhals as nw
    from narwhals.typing import IntoDataFrame, IntoSeries

#: What a missing value is: an error, a reason to leave the row out, or a symbol of its own.
Missing = Literal["error", "drop", "category"]

_LAZY = "{where}: {name} must be a table in memory, got a lazy one, a {kind}; collect it first."


@dataclass(frozen=True, eq=False)
class TableColumn:
    """One column of a table.

    Args:
        name: of the column; "" of a series without one.
        values: (n,): float64, or int64 of whole numbers and of symbols; what stands in an absent row means nothing.
        absent: (n,), rows without a value: null, or NaN.
        symbols: whether its type says that values have no order: words, categories, booleans. Dates and times do have
            one, and are numbers. None where the type does not tell, as of whole numbers.

    Example:
        >>> import pandas
        >>> column = read_table(pandas.Series(["a", None, "b", "a"]), where="example", name="x")[0]
        >>> column.values[~column.absent].tolist(), column.absent.tolist(), column.symbols
        ([0, 1, 0], [False, True, False, False], True)
    """

    name: str
    values: np.ndarray
    absent: np.ndarray
    symbols: bool | None


def is_table(values: object) -> bool:
    """Whether narwhals reads it: a frame or a series of pandas, polars, pyarrow and their kin.

    Example:
        >>> import pandas
        >>> is_table(pandas.Series([1])), is_table([1]), is_table(np.ones(3))
        (True, False, False)
    """
    if isinstance(values, (np.ndarray, list, tuple, int, float)):
        return False  # without the import
    from narwhals.dependencies import is_into_dataframe, is_into_series

    return bool(is_into_dataframe(values) or is_into_series(values)) or _is_lazy(values)


def is_frame(values: object) -> bool:
    """Whether it is a table with named columns, and no single series.

    Example:
        >>> import pandas
        >>> is_frame(pandas.DataFrame({"a": [1]})), is_frame(pandas.Series([1])), is_frame(np.ones((3, 2)))
        (True, False, False)
    """
    if not is_table(values):
        return False
    from narwhals.dependencies import is_into_series

    return not is_into_series(values)


def _is_lazy(values: object) -> bool:
    return type(values).__name__ == "LazyFrame"


def read_table(table: IntoDataFrame | IntoSeries, *, where: str, name: str) -> list[TableColumn]:
    """Every column of a frame, or the one of a series.

    Args:
        table: what `is_table` takes.
        where: for messages.
        name: of the argument, for messages.

    Raises:
        TypeError: the frame is lazy, or a column holds what is neither numbers nor symbols, such as lists.
        ValueError: no columns, no rows, two columns of one name, or a column without any value.
    """
    import narwhals as nw

    if _is_lazy(table):
        raise TypeError(_LAZY.format(where=where, name=name, kind=type(table).__name__))
    try:
        native: Any = nw.from_native(table, eager_only=True, allow_series=True)
    except (TypeError, ValueError) as error:
        _refuse_same_names(table, where, name)
        raise ValueError(f"{where}: {name} must be a table that narwhals reads: {str(error).splitlines()[0]}") from None
    series = [native] if isinstance(native, nw.Series) else list(native.iter_columns())
    if not series:
        raise ValueError(f"{where}: {name} must have a column, got a table without any.")
    return [_read(one, where=where, name=name) for one in series]


def _refuse_same_names(table: Any, where: str, name: str) -> None:
    names = list(getattr(table, "columns", []))
    again = next((one for place, one in enumerate(names) if one in names[:place]), None)
    if again is not None:
        raise ValueError(f"{where}: {name} must have columns of different names, got two of {str(again)!r}.")


def _read(series: nw.Series[Any], *, where: str, name: str) -> TableColumn:
    told = str(series.name) if series.name is not None else ""
    called = f"column {told!r} of {name}" if told else name
    if len(series) == 0:
        raise ValueError(f"{where}: {called} must have rows, got none.")
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan().fill_null(True)
    absent = missing.to_numpy().astype(bool)
    if absent.all():
        raise ValueError(f"{where}: {called} must have values, got none in {len(series)} rows.")
    values, symbols = _values(series.filter(~missing) if absent.any() else series, absent, f"{where}: {called}")
    if values.dtype.kind == "f" and not np.isfinite(values[~absent]).all():
        raise ValueError(f"{where}: {called} must be finite, got an infinite value.")
    return TableColumn(told, values, absent, symbols)


def _values(present: nw.Series[Any], absent: np.ndarray, called: str) -> tuple[np.ndarray, bool | None]:
    """What a column holds, by the rows that have a value, and whether it is symbols."""
    import narwhals as nw

    dtype = present.dtype
    if dtype == nw.Boolean:
        return _spread(present.to_numpy().astype(np.int64), absent), True
    if dtype.is_integer():
        found = present.to_numpy()
        if found.size and int(found.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{called} must fit 64-bit integers, got {found.max()}.")
        return _spread(found.astype(np.int64), absent), None
    if dtype.is_float() or dtype == nw.Decimal:
        return _spread(present.cast(nw.Float64).to_numpy().astype(np.float64), absent), None
    if isinstance(dtype, (nw.Datetime, nw.Duration)):
        return _spread(_ticks(present.to_numpy()), absent), False
    if dtype == nw.Date:
        return _spread(_ticks(present.cast(nw.Datetime("ms")).to_numpy()), absent), False
    if dtype == nw.Time:
        return _spread(_microseconds(present.to_list()), absent), False
    if dtype == nw.Object:
        values, symbols = _of_objects(present.to_list(), called)
        return _spread(values, absent), symbols
    words = present.cast(nw.String) if dtype in (nw.Categorical, nw.Enum) else present
    if words.dtype == nw.String:
        return _spread(_codes(words.to_list(), called), absent), True
    raise TypeError(f"{called} must hold numbers, dates, booleans, words or categories, got {dtype}.")


def _ticks(times: np.ndarray) -> np.ndarray:
    """Time as numbers of one unit, exact."""
    return times.astype(np.int64)


def _of_objects(values: list[object], called: str) -> tuple[np.ndarray, bool | None]:
    """Of a column of Python's objects: numbers and days where all are such, else symbols."""
    numbers = [value for value in values if isinstance(value, Real) and not isinstance(value, bool | np.bool_)]
    if len(numbers) == len(values):
        try:
            return np.array(numbers, np.int64 if all(isinstance(n, Integral) for n in numbers) else np.float64), None
        except OverflowError as error:
            raise ValueError(f"{called} must fit 64-bit integers: {error}.") from None
    days = [value for value in values if isinstance(value, date)]
    if len(days) == len(values):
        return np.array([_instant(day) for day in days], np.int64), False
    return _codes(values, called), True


def _instant(day: date) -> int:
    """Microseconds since the year 1, in UTC where a zone is told."""
    clock = 0
    if isinstance(day, datetime):
        day = day.astimezone(UTC) if day.tzinfo is not None else day
        clock = int(_microseconds([day.time()])[0])
    return day.toordinal() * 86_400_000_000 + clock


def _microseconds(times: Sequence[time]) -> np.ndarray:
    """Since midnight."""
    return np.array([((t.hour * 60 + t.minute) * 60 + t.second) * 1_000_000 + t.microsecond for t in times], np.int64)


def _codes(values: list[object], called: str) -> np.ndarray:
    """Numbers of the distinct values, in ascending order where they have one."""
    try:
        distinct = set(values)
    except TypeError:
        kind = next(type(value).__name__ for value in values if type(value).__hash__ is None)
        raise TypeError(f"{called} must hold numbers, dates, booleans, words or categories, got a {kind}.") from None
    try:
        ordered = sorted(distinct)  # pyright: ignore[reportArgumentType]
    except TypeError:
        ordered = sorted(distinct, key=lambda value: (type(value).__name__, str(value)))
    number = {value: code for code, value in enumerate(ordered)}
    return np.fromiter((number[value] for value in values), np.int64, len(values))


def _spread(values: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """The values in the rows that have one; 0 in the others."""
    if not absent.any():
        return values
    found = np.zeros(len(absent), values.dtype)
    found[~absent] = values
    return found
