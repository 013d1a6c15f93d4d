"""Columns of data frames and series, of any library that narwhals reads, as numbers and symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
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


def has_columns(values: object) -> bool:
    """Whether `read_table` reads it: a table, or an array or a list of words, dates or other objects.

    Example:
        >>> has_columns(["a", "b"]), has_columns(np.array(["2026-01-01"], "datetime64[D]")), has_columns([1.0, 2.0])
        (True, True, False)
    """
    return is_table(values) or _holds_objects(values)


def _holds_objects(values: Any) -> bool:
    """Whether an array or a list holds what torch has no type for; no masked array, whose mask nobody reads."""
    if isinstance(values, (list, tuple)):
        first = values[0] if len(values) and isinstance(values[0], (list, tuple)) else values
        return any(one is None or isinstance(one, (str, bytes, date, time, timedelta, np.datetime64)) for one in first)
    if isinstance(values, np.ma.MaskedArray):
        return False
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "OUSMm" and values.ndim in (1, 2)
    # pandas' own arrays and indices, and pyarrow's arrays
    return type(values).__module__.partition(".")[0] in ("pandas", "pyarrow") and _holds_objects(np.asarray(values))


def _is_lazy(values: object) -> bool:
    return type(values).__name__ == "LazyFrame"


def read_table(table: IntoDataFrame | IntoSeries, *, where: str, name: str) -> list[TableColumn]:
    """Every column of a frame, or the one of a series.

    Args:
        table: what `has_columns` takes.
        where: for messages.
        name: of the argument, for messages.

    Raises:
        TypeError: the frame is lazy, or a column holds what is neither numbers nor symbols, such as lists.
        ValueError: no columns, no rows, two columns of one name, or a column without any value.
    """
    import narwhals as nw

    if not is_table(table):
        return _of_array(table, where, name)
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


def _of_array(given: Any, where: str, name: str) -> list[TableColumn]:
    """The columns of words, dates or other objects; "x0", "x1" and so on where there may be several."""
    try:
        array = np.asarray(given)
        array = array if array.dtype.kind in "OMm" else np.asarray(given, object)
    except ValueError as error:
        raise TypeError(f"{where}: {name} must have rows of equal length: {error}") from None
    if array.ndim == 1:
        return [_of_column(array, "", where, name)]
    return [_of_column(column, f"x{j}", where, name) for j, column in enumerate(array.T)]


def _of_column(column: np.ndarray, told: str, where: str, name: str) -> TableColumn:
    dated = column.dtype.kind in "Mm"
    absent = np.isnat(column) if dated else np.array([_is_absent(value) for value in column], bool)
    called = _checked_rows(absent, told, where, name)
    present = column[~absent]
    values, symbols = (_ticks(present), False) if dated else _of_objects(list(present), called)
    return _column(told, _spread(values, absent), absent, symbols, called)


def _is_absent(value: Any) -> bool:
    """None, NaN, or what pandas has for either."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA, or an array
        return type(value).__name__ == "NAType"


def _checked_rows(absent: np.ndarray, told: str, where: str, name: str) -> str:
    """What messages call a column that has rows, and a value in one of them."""
    called = f"column {told!r} of {name}" if told else name
    if len(absent) == 0:
        raise ValueError(f"{where}: {called} must have rows, got none.")
    if absent.all():
        raise ValueError(f"{where}: {called} must have values, got none in {len(absent)} rows.")
    return f"{where}: {called}"


def _column(told: str, values: np.ndarray, absent: np.ndarray, symbols: bool | None, called: str) -> TableColumn:
    if values.dtype.kind == "f" and not np.isfinite(values[~absent]).all():
        raise ValueError(f"{called} must be finite, got an infinite value.")
    return TableColumn(told, values, absent, symbols)


def _read(series: nw.Series[Any], *, where: str, name: str) -> TableColumn:
    import narwhals as nw

    told = str(series.name) if series.name is not None else ""
    native: Any = series.to_native()
    if hasattr(native, "sparse"):  # of pandas
        series = nw.from_native(native.sparse.to_dense(), series_only=True)
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan().fill_null(True)
    absent = missing.to_numpy().astype(bool)
    called = _checked_rows(absent, told, where, name)
    values, symbols = _values(series.filter(~missing) if absent.any() else series, absent, called)
    return _column(told, values, absent, symbols, called)


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
    got = getattr(present.to_native(), "dtype", dtype) if dtype == nw.Unknown else dtype
    raise TypeError(f"{called} must hold numbers, dates, booleans, words or categories, got {got}.")


def _ticks(times: np.ndarray) -> np.ndarray:
    """Time as numbers of one unit, exact."""
    return times.astype(np.int64)


def _of_objects(values: list[object], called: str) -> tuple[np.ndarray, bool | None]:
    """Of a column of Python's objects: numbers and days where all are such, else symbols."""
    kinds = Real, Decimal
    numbers = [value for value in values if isinstance(value, kinds) and not isinstance(value, bool | np.bool_)]
    if len(numbers) == len(values):
        try:
            return np.array(numbers, np.int64 if all(isinstance(n, Integral) for n in numbers) else np.float64), None
        except OverflowError as error:
            raise ValueError(f"{called} must fit 64-bit integers: {error}.") from None
    days = [value for value in values if isinstance(value, date)]
    if len(days) == len(values):
        return np.array([_instant(day) for day in days], np.int64), False
    spans = [value for value in values if isinstance(value, timedelta)]
    if len(spans) == len(values):
        return np.array([span // timedelta(microseconds=1) for span in spans], np.int64), False
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
