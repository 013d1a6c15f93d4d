"""Tables of pandas and pyarrow: what each kind of column becomes, which rows have no value, and what is refused."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from infotorch.numerics.frames import has_columns, is_table, read_table

DAY = 86_400_000_000


def read(table):
    return read_table(table, where="f", name="x")


def only(values):
    (column,) = read(values)
    return column


@pytest.mark.parametrize(
    ("series", "values", "absent", "symbols"),
    [
        (pd.Series([3, 1, 2]), [3, 1, 2], [], None),
        (pd.Series([1.5, np.nan, 2.0]), [1.5, 2.0], [1], None),
        (pd.Series([1, None, 3], dtype="Int64"), [1, 3], [1], None),
        (pd.Series([1.5, None, 3], dtype="Float64"), [1.5, 3.0], [1], None),
        (pd.Series(pd.arrays.SparseArray([0.0, 1.5, np.nan])), [0.0, 1.5], [2], None),
        (pd.Series([True, False, True]), [1, 0, 1], [], True),
        (pd.Series([True, None, False], dtype="boolean"), [1, 0], [1], True),
        (pd.Series(["b", None, "a", "b"]), [1, 0, 1], [1], True),
        (pd.Series(["b", "a"], dtype="category"), [1, 0], [], True),
        (pd.Series([1, "a", None, 1], dtype=object), [0, 1, 0], [2], True),
        (pd.Series([1.5, None, 2], dtype=object), [1.5, 2.0], [1], None),
        (pd.Series([3, 2**40], dtype=object), [3, 2**40], [], None),
        (pd.Series([True, False, None], dtype=object), [1, 0], [2], True),
        (pd.Series([dt.date(1, 1, 2), None, dt.date(1, 1, 9)], dtype=object), [2 * DAY, 9 * DAY], [1], False),
        (
            pd.Series([dt.datetime(1, 1, 2, 0, 0, 1), dt.date(1, 1, 9)], dtype=object),
            [2 * DAY + 10**6, 9 * DAY],
            [],
            False,
        ),
        (
            pd.Series([dt.datetime(1, 1, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), None], dtype=object),
            [2 * DAY],
            [1],
            False,
        ),
        (pd.Series(pd.to_timedelta([1, None, 3], unit="D")).astype("timedelta64[us]"), [DAY, 3 * DAY], [1], False),
        (pd.Series(pd.to_datetime(["1970-01-02", None])).astype("datetime64[us]"), [DAY], [1], False),
        (pa.chunked_array([[1, None], [3]]), [1, 3], [1], None),
        (pa.chunked_array([[1.5, None, float("nan")]]), [1.5], [1, 2], None),
        (pa.chunked_array([[Decimal("1.5"), None]]), [1.5], [1], None),
        (pa.chunked_array([[dt.date(1970, 1, 1), None, dt.date(1970, 1, 3)]]), [0, 2 * DAY // 1000], [1], False),
        (pa.chunked_array([[dt.time(1, 2, 3, 4), None]]), [3_723_000_004], [1], False),
        (pa.chunked_array([pa.array(["b", None, "a"]).dictionary_encode()]), [1, 0], [1], True),
    ],
)
def test_every_kind_of_column(series, values, absent, symbols):
    column = only(series)
    assert np.flatnonzero(column.absent).tolist() == absent
    assert column.values[~column.absent].tolist() == values
    assert column.values.dtype == (np.float64 if isinstance(values[0], float) else np.int64)
    assert column.symbols is symbols


@pytest.mark.parametrize(
    ("given", "values", "absent", "symbols"),
    [
        (["b", None, "a", "b"], [1, 0, 1], [1], True),
        (("b", "a"), [1, 0], [], True),
        (np.array(["b", "a"]), [1, 0], [], True),
        (np.array([b"b", b"a"]), [1, 0], [], True),
        (np.array(["b", np.nan, "a", pd.NA], object), [1, 0], [1, 3], True),
        (np.array([1.5, None, Decimal(2)], object), [1.5, 2.0], [1], None),
        ([dt.date(1, 1, 2), None], [2 * DAY], [1], False),
        ([dt.timedelta(days=1), dt.timedelta(0)], [DAY, 0], [], False),
        (np.array(["1970-01-02", "NaT"], "datetime64[us]"), [DAY], [1], False),
        (np.array([3, 1], "timedelta64[D]"), [3, 1], [], False),
        (pd.Categorical(["b", None, "a"]), [1, 0], [1], True),
        (pd.Index(["b", "a"]), [1, 0], [], True),
        (pd.DatetimeIndex(["1970-01-02"]).as_unit("us"), [DAY], [], False),
        (pa.array(["b", None, "a"]), [1, 0], [1], True),
    ],
)
def test_words_and_dates_need_no_table(given, values, absent, symbols):
    assert has_columns(given)
    column = only(given)
    assert column.values[~column.absent].tolist() == values
    assert np.flatnonzero(column.absent).tolist() == absent
    assert column.symbols is symbols


def test_rows_of_words_and_numbers_keep_their_kinds():
    for given in ([["b", 1.5], ["a", 2]], np.array([["b", 1.5], ["a", 2]], object)):
        assert [(one.name, one.values.tolist(), one.symbols) for one in read(given)] == [
            ("x0", [1, 0], True),
            ("x1", [1.5, 2.0], None),
        ]


def test_a_frame_gives_its_columns_in_order_of_whatever_library():
    frame = pd.DataFrame({"age": [31, 42], "name": ["ann", "bob"], "height": [1.6, 1.7]})
    for table in (frame, pa.table(frame)):
        found = read(table)
        assert [(one.name, one.values.tolist(), one.symbols) for one in found] == [
            ("age", [31, 42], None),
            ("name", [0, 1], True),
            ("height", [1.6, 1.7], None),
        ]


def test_columns_without_names_of_text_are_called_by_their_numbers():
    assert [column.name for column in read(pd.DataFrame(np.eye(2)))] == ["0", "1"]


def test_arrays_are_no_tables():
    numbers = ([1], (1,), 1.0, np.ones(2), None, {"a": [1]}, [], [[1, 2]], np.ma.array(["a"]), pd.Index([1, 2]))
    assert not any(has_columns(value) for value in numbers)
    assert not any(is_table(value) for value in (*numbers, "a", ["a"], pd.Categorical(["a"])))


class LazyFrame:
    """As polars calls its own."""


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (LazyFrame(), TypeError, "x must be a table in memory, got a lazy one, a LazyFrame; collect it first"),
        (pd.DataFrame(), ValueError, "x must have a column, got a table without any"),
        (pd.DataFrame({"a": []}), ValueError, "column 'a' of x must have rows, got none"),
        (pd.DataFrame({"a": [1, 2], "b": [None, None]}), ValueError, "column 'b' of x must have values, got none in 2"),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            ValueError,
            "f: x must have columns of different names, got two of 'a'",
        ),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a' of x must hold numbers, dates, .* got a list"),
        (pa.table({"a": [[1], [2]]}), TypeError, r"column 'a' of x must hold numbers, dates, .* got List\(Int64\)"),
        (pd.Series([1.0, np.inf]), ValueError, "x must be finite, got an infinite value"),
        (pd.Series([2**63], dtype="uint64"), ValueError, "x must fit 64-bit integers, got 9223372036854775808"),
        (pd.Series([2**70, 1], dtype=object), ValueError, "x must fit 64-bit integers"),
        (
            pd.Series(pd.period_range("2020", periods=2, freq="M")),
            TypeError,
            r"x must hold numbers, .* got period\[M\]",
        ),
        ([["a", 1], ["b"]], TypeError, "x must have rows of equal length"),
        ([None, None], ValueError, "x must have values, got none in 2 rows"),
        (np.array([], str), ValueError, "x must have rows, got none"),
        (np.array([["a", np.inf], ["b", 1.0]], object), ValueError, "column 'x1' of x must be finite"),
        (
            np.array([{}, {}], object),
            TypeError,
            "x must hold numbers, dates, booleans, words or categories, got a dict",
        ),
    ],
)
def test_what_is_refused(table, error, message):
    assert has_columns(table)
    with pytest.raises(error, match=message):
        read(table)
