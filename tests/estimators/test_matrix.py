"""Every pair of columns of a table: closed forms, agreement with the estimators of a pair, and missing values."""

import math
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from infotorch import discrete_mi, ksg, mi_matrix, mutual_information, ross
from infotorch.estimators.single_columns import Column, column_informations

RNG = np.random.default_rng(0)
N = 1500
X, NOISE, OTHER = RNG.normal(size=(3, N))
WORD = np.array(["a", "b", "c"])[RNG.integers(0, 3, N)]
FRAME = pd.DataFrame({"x": X, "sum": X + NOISE, "up": X > 0, "word": WORD, "other": OTHER})
GAPS = FRAME.assign(
    x=FRAME["x"].mask(NOISE > 0.5), word=FRAME["word"].mask(OTHER > 1), other=FRAME["other"].mask(X > 1)
)


@pytest.fixture(scope="module")
def matrix():
    return mi_matrix(FRAME)


def test_known_information(matrix):
    """Standard errors are some 0.02 nats; three of them."""
    truth = {("x", "sum"): math.log(2) / 2, ("x", "up"): math.log(2), ("up", "word"): 0.0, ("sum", "other"): 0.0}
    values = matrix.to_frame()
    for (a, b), nats in truth.items():
        assert values.loc[a, b] == pytest.approx(nats, abs=0.06)
        assert abs(values.loc[a, b] - nats) < 4 * matrix.to_frame("std_errors").loc[a, b] + 0.005


def test_pairs_are_what_their_estimators_give(matrix):
    values = matrix.to_frame()
    up, word = (X > 0).astype(int), np.unique(WORD, return_inverse=True)[1]
    normal = torch.special.ndtri((torch.from_numpy(X).argsort().argsort() + 1).double() / (N + 1))
    of_sum = torch.special.ndtri((torch.from_numpy(X + NOISE).argsort().argsort() + 1).double() / (N + 1))
    assert values.loc["x", "sum"] == pytest.approx(float(ksg(normal, of_sum, k=5)), abs=1e-9)
    assert values.loc["up", "sum"] == pytest.approx(float(ross(of_sum, up, k=5)), abs=1e-9)
    assert values.loc["up", "word"] == pytest.approx(float(discrete_mi(up, word, correction="miller-madow")), abs=1e-9)
    assert values.loc["x", "sum"] == pytest.approx(float(mutual_information(X, X + NOISE)), abs=0.05)


def test_the_diagonal_is_entropy(matrix):
    assert np.isinf(matrix.values[[0, 1, 4], [0, 1, 4]]).all()
    assert np.isnan(matrix.std_errors[[0, 1, 4], [0, 1, 4]]).all()
    frequencies = np.bincount(np.unique(WORD, return_inverse=True)[1]) / N
    entropy = -(frequencies * np.log(frequencies)).sum() + 2 / (2 * N)  # Miller and Madow
    assert matrix.values[3, 3] == pytest.approx(entropy, abs=1e-9)


def test_symmetric_and_free_of_units_and_of_the_order_of_columns(matrix):
    assert np.array_equal(matrix.values, matrix.values.T)
    turned = FRAME.assign(x=np.exp(FRAME["x"]))[::1][["other", "word", "up", "sum", "x"]]
    other = mi_matrix(turned).to_frame().loc[list(FRAME), list(FRAME)]
    assert np.allclose(other, matrix.values, rtol=0, atol=1e-9)


def test_any_table_and_arrays_give_the_same(matrix):
    of_arrow = mi_matrix(pa.table(FRAME))
    assert of_arrow.columns == matrix.columns
    assert np.array_equal(of_arrow.values, matrix.values)
    numbers = np.column_stack([X, X + NOISE])
    for array in (numbers, torch.from_numpy(numbers), numbers.tolist()):
        found = mi_matrix(array)
        assert found.columns == ("x0", "x1")
        assert found.values[0, 1] == matrix.values[0, 1]
    assert found.num_rows.tolist() == [[N, N], [N, N]]


def test_standard_errors_are_the_scatter_of_fresh_samples():
    """Of 40 samples the standard deviation is known to 11 %, and errors_by_groups to some 20 %."""
    values, errors = [], []
    for seed in range(40):
        x, y = np.random.default_rng(seed).normal(size=(2, 400))
        found = mi_matrix(np.column_stack([x, x + y]))
        values.append(found.values[0, 1])
        errors.append(found.std_errors[0, 1])
    assert 0.6 < np.mean(errors) / np.std(values, ddof=1) < 1.6


def test_too_few_rows_for_pairs_of_symbols_are_told():
    """Of independent columns; the interval then holds 0."""
    frame = np.random.default_rng(0).integers(0, 18, (300, 3))
    frame[:, 2] %= 2
    with pytest.warns(UserWarning, match="mi_matrix: too few rows for so many pairs of symbols of x0 ~ x1: values lie"):
        matrix = mi_matrix(frame)
    assert matrix.values[0, 1] > 0.2
    assert matrix.values[0, 1] < 1.96 * matrix.std_errors[0, 1]
    assert matrix.std_errors[0, 2] < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mi_matrix(frame % 3)


def test_a_warning_names_five_pairs_and_counts_the_others():
    frame = np.random.default_rng(0).integers(0, 30, (200, 4))
    with pytest.warns(UserWarning, match="x0 ~ x1, x0 ~ x2, x1 ~ x2, x0 ~ x3, x1 ~ x3 and 1 more: values lie too high"):
        mi_matrix(frame)


def test_rows_are_dropped_pair_by_pair():
    found = mi_matrix(GAPS, missing="drop")
    assert found.to_frame("num_rows").loc["x", "x"] == GAPS["x"].notna().sum()
    for i, a in enumerate(GAPS):
        for j, b in enumerate(GAPS):
            kept = GAPS[[a, b]].dropna() if a != b else GAPS[[a]].dropna()
            assert found.num_rows[i, j] == len(kept)
            if i < j:
                alone = mi_matrix(kept)
                assert found.values[i, j] == pytest.approx(alone.values[0, 1], abs=1e-12)
                assert found.std_errors[i, j] == pytest.approx(alone.std_errors[0, 1], abs=1e-12)


def test_being_absent_is_something_that_a_column_says():
    matrix = mi_matrix(GAPS, missing="category")
    found = matrix.to_frame()
    assert (matrix.num_rows == N).all()
    # Words: a fourth one.
    codes = np.where(OTHER > 1, 3, np.unique(WORD, return_inverse=True)[1])
    up = (X > 0).astype(int)
    assert found.loc["word", "up"] == pytest.approx(float(discrete_mi(codes, up, correction="miller-madow")), abs=1e-9)
    # Numbers: the chain rule, written out.
    absent = NOISE > 0.5
    read = [Column.read(torch.from_numpy(X[~absent]), "x"), Column.read(torch.from_numpy(up[~absent]), "up")]
    whether = float(discrete_mi(absent, up, correction="miller-madow"))
    wanted = whether + (1 - absent.mean()) * float(column_informations(read[:1], read[1])[0])
    assert found.loc["x", "up"] == pytest.approx(wanted, abs=1e-9)
    # Both may be absent: the same whichever comes first.
    turned = mi_matrix(GAPS[["other", "x"]], missing="category").to_frame()
    assert found.loc["x", "other"] == pytest.approx(turned.loc["x", "other"], abs=1e-9)


def test_what_the_type_does_not_say_is_told():
    row = np.arange(300)
    ages = pd.DataFrame({"age": row % 10, "late": row % 10 > 4})
    assert math.isinf(mi_matrix(ages, discrete={"age": False}).values[0, 0])
    as_symbols = mi_matrix(ages)
    assert as_symbols.values[0, 0] == pytest.approx(math.log(10) + 9 / 600, abs=1e-9)  # Miller and Madow's 9 / (2 n)
    told = mi_matrix(ages.astype({"age": float}), discrete={"age": True})
    assert np.array_equal(told.values, as_symbols.values)


def test_correlations_are_those_of_normal_variables(matrix):
    rho = matrix.to_frame("correlations").loc["x", "sum"]
    assert rho == pytest.approx(abs(np.corrcoef(X, X + NOISE)[0, 1]), abs=0.04)
    assert np.diag(matrix.correlations)[0] == 1.0
    assert (matrix.correlations >= 0).all()


def test_order_puts_together_what_shares_much():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 500))
    columns = {f"{name}{k}": base + 0.3 * rng.normal(size=500) for k in range(3) for name, base in (("a", a), ("b", b))}
    found = mi_matrix(pd.DataFrame(columns))
    names = [found.columns[i][0] for i in found.order]
    assert names in (["a"] * 3 + ["b"] * 3, ["b"] * 3 + ["a"] * 3)
    assert mi_matrix(np.column_stack([a, b])).order == [0, 1]


def test_lines_of_pairs_come_by_size(matrix):
    lines = pd.DataFrame(matrix.pairs())
    assert len(lines) == 10
    assert lines["mi_nats"].is_monotonic_decreasing
    first = lines.iloc[0]
    assert (first["x"], first["y"], first["num_rows"]) == ("x", "up", N)
    assert first["mi_nats"] == matrix.values[0, 2]
    assert first["std_error_nats"] == matrix.std_errors[0, 2]
    assert repr(matrix).splitlines()[:2] == [
        "5 columns, 1,500 rows; the pairs that share most, in nats:",
        f"x ~ up          {matrix.values[0, 2]:.3f} ± {matrix.std_errors[0, 2]:.3f}",
    ]


def test_the_figure_shows_the_cells_in_order(matrix):
    heat = matrix.figure().data[0]
    at = matrix.order
    cells = matrix.values[np.ix_(at, at)]
    for row, wanted in zip(heat.z, cells, strict=True):
        assert [value for value in row if value is not None] == pytest.approx(wanted[np.isfinite(wanted)], abs=1e-5)
    assert heat.zmax == pytest.approx(cells[np.isfinite(cells)].max())
    plain = matrix.figure("correlations", ordered=False)
    assert plain.layout.xaxis.ticktext == tuple(FRAME)
    assert "± 0.0" in plain.data[0].customdata[0][1]
    assert "1,500 rows" in plain.data[0].customdata[0][1]


def test_few_rows_have_no_standard_errors_and_too_few_in_common_no_value():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 6, None, None], "b": [None, None, None, 1.0, 5, 2, 6, 3]})
    found = mi_matrix(frame, missing="drop")
    assert math.isnan(found.values[0, 1])
    assert found.num_rows[0, 1] == 3
    assert found.to_frame("correlations").loc["a", "a"] == 1.0
    assert found.order == [0, 1]
    assert repr(found).count("\n") == 0
    assert math.isnan(mi_matrix(X[:20].reshape(10, 2)).std_errors[0, 1])


@pytest.mark.parametrize(
    ("frame", "options", "error", "message"),
    [
        (GAPS, {}, ValueError, r"column 'x' must have a value in every row, got \d+ without; missing=\"drop\" leaves"),
        (FRAME, {"missing": "mean"}, ValueError, "missing must be"),
        (FRAME[["x"]], {}, ValueError, "frame must have two columns or more, got 1"),
        (FRAME[:3], {}, ValueError, "frame must have 4 rows or more, got 3"),
        (
            FRAME.assign(id=np.arange(N).astype(str)),
            {},
            ValueError,
            "column 'id' has another .* nothing there; leave it out\\.$",
        ),
        (X, {}, ValueError, r"frame must be a table or an array \(n, d\), got shape \(1500,\)"),
        (np.array([[1.0, np.inf]] * 5), {}, ValueError, "column 'x1' of frame must hold finite values"),
        (FRAME, {"discrete": {"wrod": True}}, ValueError, "discrete must name columns of the frame, got 'wrod'"),
        (FRAME, {"discrete": {"word": False}}, TypeError, r"discrete\['word'\] must be True or left out"),
        (FRAME, {"discrete": {"x": 1}}, TypeError, r"discrete\['x'\] must be True or False"),
        (FRAME, {"discrete": ["x"]}, TypeError, "discrete must be a mapping or None"),
        (FRAME, {"progress": 1}, TypeError, "progress must be True or False"),
    ],
)
def test_what_is_refused(frame, options, error, message):
    with pytest.raises(error, match=message):
        mi_matrix(frame, **options)


def test_what_a_matrix_refuses(matrix):
    with pytest.raises(ValueError, match=r"MIMatrix.to_frame: what must be"):
        matrix.to_frame("entropy")
    with pytest.raises(ValueError, match=r"MIMatrix.figure: what must be"):
        matrix.figure("std_errors")
