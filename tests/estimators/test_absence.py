"""`mutual_information` of tables and of missing values."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from infotorch import mutual_information

RNG = np.random.default_rng(0)
N = 2000
X, NOISE = RNG.normal(size=(2, N))
SIGN = np.where(X > 0, "up", "down")
FRAME = pd.DataFrame({"x": X, "sum": X + NOISE, "sign": SIGN, "noise": NOISE})
GONE = RNG.random(N) < 0.3
WITH_GAPS = FRAME.assign(x=FRAME["x"].mask(GONE), sign=FRAME["sign"].mask(NOISE > 1))


def same(a, b):
    return float(a) == float(b) and a.estimator == b.estimator


@pytest.mark.parametrize("table", [FRAME, pa.table(FRAME)], ids=["pandas", "pyarrow"])
def test_columns_are_read_as_their_arrays(table):
    of_arrays = mutual_information(X, FRAME["sum"].to_numpy())
    assert same(mutual_information(table["x"], table["sum"]), of_arrays)
    words = mutual_information(table["x"], table["sign"])
    assert same(words, mutual_information(X, (SIGN == "up").astype(int), discrete_y=True))
    assert "y is discrete as told" in words.reason


@pytest.mark.parametrize("given", [SIGN, SIGN.tolist(), SIGN.astype(object), pd.Index(SIGN), pd.Categorical(SIGN)])
def test_words_need_no_table(given):
    assert same(mutual_information(X, given), mutual_information(FRAME["x"], FRAME["sign"]))


def test_words_that_lack_are_read_as_in_a_table():
    words = np.where(NOISE > 1, None, SIGN)
    with pytest.raises(ValueError, match=r"y must have a value in every row, got \d+ rows without"):
        mutual_information(X, words)
    for missing in ("drop", "category"):
        assert same(
            mutual_information(X, words, missing=missing), mutual_information(X, WITH_GAPS["sign"], missing=missing)
        )


def test_several_columns_are_one_side():
    both = mutual_information(FRAME[["x", "noise"]], FRAME["sign"])
    assert same(both, mutual_information(np.column_stack([X, NOISE]), (SIGN == "up").astype(int), discrete_y=True))
    rounded = FRAME.round(0).astype({"noise": str})
    pair = mutual_information(rounded[["sign", "noise"]].astype(str), rounded["sign"])
    assert float(pair) == pytest.approx(math.log(2), abs=0.01)


def test_dates_are_numbers_however_few():
    days = pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(N) % 20, unit="D"))
    assert "x is continuous with ties as told" in mutual_information(days, FRAME["sign"]).reason


def test_rows_without_a_value_are_dropped():
    kept = ~GONE & (NOISE <= 1)
    wanted = mutual_information(X[kept], (SIGN[kept] == "up").astype(int), discrete_y=True)
    assert same(mutual_information(WITH_GAPS["x"], WITH_GAPS["sign"], missing="drop"), wanted)
    # NaN in arrays, in any column
    x = np.column_stack([WITH_GAPS["x"], NOISE])
    wanted = mutual_information(x[~GONE], (SIGN[~GONE] == "up").astype(int))
    assert same(mutual_information(x, SIGN == "up", missing="drop"), wanted)
    assert same(mutual_information(torch.from_numpy(x), SIGN == "up", missing="drop"), wanted)


def test_nothing_missing_changes_nothing():
    for missing in ("drop", "category"):
        assert same(mutual_information(X, NOISE, missing=missing), mutual_information(X, NOISE))


def test_a_missing_symbol_is_a_symbol():
    of_table = mutual_information(WITH_GAPS["sign"], GONE, missing="category")
    codes = np.where(NOISE > 1, 2, SIGN == "up")
    assert same(of_table, mutual_information(codes, GONE.astype(int), discrete_x=True, discrete_y=True))


def test_a_missing_number_tells_by_the_chain_rule():
    # Absent at random: P(present) I(X; Y). I(X; X + N) = log(2) / 2; standard error 0.02 nats.
    found = mutual_information(WITH_GAPS["x"], FRAME["sum"], missing="category")
    assert float(found) == pytest.approx((1 - GONE.mean()) * math.log(2) / 2, abs=0.06)
    assert found.estimator.startswith("chain_rule")
    assert 0.01 < found.std_error < 0.04
    assert float(mutual_information(FRAME["sum"], WITH_GAPS["x"], missing="category")) == pytest.approx(float(found))
    # Absent wherever x is large: that alone tells H(1/2), and the rest is Gaussian noise.
    told = pd.Series(NOISE).mask(X > 0)
    found = mutual_information(told, pd.Series(SIGN), missing="category")
    assert float(found) == pytest.approx(math.log(2), abs=0.01)


def test_one_side_has_values_where_the_other_lacks_them():
    """Which side is absent says all: log 2, of halves."""
    first = np.arange(N) < N // 2
    found = mutual_information(np.where(first, X, np.nan), np.where(first, np.nan, NOISE), missing="category")
    assert float(found) == pytest.approx(math.log(2), abs=0.01)


def test_both_sides_with_gaps_by_hand():
    # Both absent together in half of the rows, independent else: I = H(1/2); standard error below 0.02.
    together = RNG.random(N) < 0.5
    x, y = pd.Series(X).mask(together), pd.Series(NOISE).mask(together)
    found = mutual_information(x, y, missing="category")
    parts = math.log(2) + 0.5 * float(mutual_information(X[~together], NOISE[~together]))
    assert float(found) == pytest.approx(parts, abs=0.01)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "message"),
    [
        ("x", "sum", {}, ValueError, r'x must have a value in every row, got \d+ rows without; missing="drop" leaves'),
        (
            ["x", "sign"],
            "sum",
            {"missing": "drop"},
            ValueError,
            "of one kind, got symbols in column 'sign' and",
        ),
        ("sign", "sum", {"missing": "drop", "discrete_x": False}, TypeError, "discrete_x must be True or None, as x"),
        (
            ["x", "sum"],
            "noise",
            {"missing": "category"},
            ValueError,
            'missing must be "drop" or "error" where x is s',
        ),
        ("x", "sum", {"missing": "mean"}, ValueError, "missing must be"),
    ],
)
def test_what_is_refused(x, y, options, error, message):
    with pytest.raises(error, match=message):
        mutual_information(WITH_GAPS[x], WITH_GAPS[y], **options)


def test_arrays_that_are_refused():
    gaps = np.column_stack([WITH_GAPS["x"], NOISE])
    with pytest.raises(ValueError, match='"category" for 2 of them'):
        mutual_information(gaps, SIGN == "up", missing="category")
    empty = np.full(N, np.nan)
    for missing in ("drop", "category"):
        with pytest.raises(ValueError, match=f"mutual_information: x must have values, got none in {N} rows"):
            mutual_information(empty, NOISE, missing=missing)
    low, high = np.where(NOISE > 0, np.nan, NOISE), np.where(NOISE > 0, NOISE, np.nan)
    with pytest.raises(ValueError, match='missing="drop" must leave rows in which x and y both have a value, got none'):
        mutual_information(low, high, missing="drop")
    few = np.where(np.arange(N) < 3, NOISE, np.nan)
    with pytest.raises(ValueError, match='missing="category" needs 4 rows or more that have a value of x, got 3'):
        mutual_information(few, NOISE, missing="category")
    with pytest.raises(ValueError, match="x must have rows of samples, got a single number"):
        mutual_information(1.0, NOISE, missing="drop")
    with pytest.raises(ValueError, match="got 2000 and 5 rows"):
        mutual_information(WITH_GAPS["x"], NOISE[:5], missing="drop")
    with pytest.raises(ValueError, match="NaN or infinite"):
        mutual_information(gaps, SIGN == "up")
