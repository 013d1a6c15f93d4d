"""Scores of features: a function for scikit-learn's selectors, and p-values that noise passes as often as they say."""

from functools import partial
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import chi2_contingency
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.feature_selection import (
    SelectFdr,
    SelectKBest,
    SelectPercentile,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from infotorch.sklearn import independence, mutual_info_scores


def test_scores_agree_with_scikit_learn():
    x, y = load_breast_cancer(return_X_y=True)
    assert mutual_info_scores(x, y)[0] == pytest.approx(mutual_info_classif(x, y, random_state=0), abs=0.05)
    x, y = load_diabetes(return_X_y=True)
    assert mutual_info_scores(x, y)[0] == pytest.approx(mutual_info_regression(x, y, random_state=0), abs=0.1)


@pytest.mark.parametrize("selector", [SelectKBest, SelectPercentile, SelectFdr])
def test_selectors_take_scores_and_p_values(selector):
    x, y = load_breast_cancer(return_X_y=True)
    fitted = selector(mutual_info_scores).fit(x, y)
    scores, p = mutual_info_scores(x, y)
    assert np.array_equal(fitted.scores_, scores)
    assert np.array_equal(fitted.pvalues_, p)
    assert fitted.transform(x).shape[1] == fitted.get_support().sum() > 0


def of_all_kinds(n=400):
    """A frame whose columns beside "noise" tell the same of y."""
    y = np.random.default_rng(0).integers(0, 3, n)
    noise = np.random.default_rng(1).normal(size=n)
    names = np.array(["one", "three", "two"])[y]
    columns = {
        "noise": noise,
        "name": names,
        "kind": pd.Categorical(names),
        "number": y,
        "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(y + 0.1 * noise, unit="D"),
        "first": y == 0,
    }
    return pd.DataFrame(columns), names


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_the_columns_of_a_frame_are_what_their_types_say(library):
    frame, y = of_all_kinds()
    table = pytest.importorskip("pyarrow").Table.from_pandas(frame) if library == "pyarrow" else frame
    scores, p = mutual_info_scores(table, y)
    whole = mutual_info_scores(frame["number"].to_numpy()[:, None], y)[0]
    assert scores[1:4] == pytest.approx(np.repeat(whole, 3))
    assert scores[4] == pytest.approx(np.log(3), abs=0.05)
    assert scores[5] == mutual_info_scores((y == "one").astype(int)[:, None], y)[0]
    assert (p[1:] < 1e-9).all()
    assert abs(scores[0]) < 0.1
    assert mutual_info_scores(frame[["noise"]], y)[0] == mutual_info_scores(frame[["noise"]].to_numpy(), y)[0]


def test_columns_of_a_frame_are_told_by_their_names():
    frame, y = of_all_kinds()
    classes = frame[["number", "noise"]].astype(float)
    by_name, by_number = (mutual_info_scores(classes, y, discrete_features=[told])[0] for told in ("number", 0))
    assert by_name == pytest.approx(by_number)
    assert by_name[0] == mutual_info_scores(frame[["number"]], y)[0]


def test_dates_are_a_target_of_numbers():
    frame, _ = of_all_kinds()
    days = frame["day"].dt.as_unit("s")
    of_days = mutual_info_scores(frame[["noise"]], days)[0]
    assert of_days == pytest.approx(
        mutual_info_scores(frame[["noise"]], days.astype("int64").astype(float))[0], abs=0.01
    )
    with pytest.raises(ValueError, match="mutual_info_scores: y must have a date in every row, got NaT"):
        mutual_info_scores(frame[["noise"]].to_numpy(), days.where(frame["noise"] > 0).to_numpy())


@pytest.mark.parametrize(
    ("change", "options", "kind", "said"),
    [
        ({"noise": np.nan}, {}, ValueError, "mutual_info_scores: column 'noise' of X must have values, got none in"),
        (
            {"name": lambda t: t["name"].where(t["noise"] > 0)},
            {},
            ValueError,
            "Input X contains NaN: column 'name' lacks",
        ),
        ({}, {"discrete_features": ["colour"]}, ValueError, "discrete_features must name columns of X, got 'colour'"),
        ({}, {"discrete_features": False}, TypeError, "must name column 'name' or be \"auto\", as it holds words"),
        ({"name": [[1]] * 400}, {}, TypeError, "column 'name' of X must hold numbers, dates, booleans, words"),
    ],
)
def test_frames_that_are_refused(change, options, kind, said):
    frame, y = of_all_kinds()
    with pytest.raises(kind, match=said):
        mutual_info_scores(frame.assign(**change), y, **options)


def test_a_pipeline_searches_for_the_number_of_features():
    x, y = load_breast_cancer(return_X_y=True)
    x = x / x.std(axis=0)
    pipeline = make_pipeline(SelectKBest(mutual_info_scores), LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipeline, {"selectkbest__k": [1, 5]}, cv=2).fit(x, y)
    assert search.best_params_ == {"selectkbest__k": 5}


@pytest.mark.parametrize("target", ["numbers", "symbols"])
@pytest.mark.parametrize("features", ["numbers", "symbols"])
@pytest.mark.parametrize("n", [100, 500])
def test_noise_passes_about_as_often_as_p_values_say(features, target, n):
    rng = np.random.default_rng(0)
    passed = []
    for _ in range(10):
        x = rng.normal(size=(n, 20)) if features == "numbers" else rng.integers(0, 4, (n, 20))
        y = rng.normal(size=n) if target == "numbers" else rng.choice(3, n, p=[0.6, 0.3, 0.1])
        passed.append(mutual_info_scores(x, y)[1] < 0.05)
    # 200 features, beside ten targets: 0.05 within three standard errors of 0.015, and a longer tail of few samples
    assert 0.005 < np.mean(passed) < 0.11


@pytest.mark.parametrize(("n", "rare"), [(100, 10), (1000, 50), (1000, 0)])
def test_the_tail_is_right_beside_a_rare_class_too(n, rare):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(n) < rare).astype(int) if rare else np.arange(n) % (n // 3)
    p = mutual_info_scores(rng.normal(size=(n, 1000)), y)[1]
    # Of 1,000 features 10 +- 3.2 lie below 0.01, and the scatter is right to 4 %; with a normal law 25 to 40 did.
    assert 1 <= (p < 0.01).sum() <= 22


def test_the_tail_is_right_of_symbols_beside_numbers():
    rng = np.random.default_rng(0)
    x, y = (rng.random((1000, 600)) < 0.05).astype(int), rng.normal(size=1000)
    p = mutual_info_scores(x, y, discrete_features=True)[1]
    assert 1 <= (p < 0.01).sum() <= 16  # 6 +- 2.4, and a scatter that is right to 6 %
    assert p.min() > 1e-6


def test_symbols_are_tested_by_chi_squared():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 2000)
    x = np.where(rng.random(2000) < 0.05, y, rng.integers(0, 3, 2000))
    table = pd.crosstab(x, y).to_numpy()
    wanted = chi2_contingency(table, correction=False).pvalue
    assert mutual_info_scores(x[:, None], y)[1][0] == pytest.approx(wanted, rel=0.05)  # n - 1 for n


def test_moments_of_chi_squared_are_those_over_all_orders():
    a, b = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 0, 2, 2, 0])

    def pearson(b):
        expected = np.outer(np.bincount(a), np.bincount(b)) / len(a)
        table = np.zeros((3, 3))
        np.add.at(table, (a, b), 1)
        return ((table - expected) ** 2 / expected).sum()

    found = [pearson(np.array(order)) for order in permutations(b)]
    told = independence._moments(*(torch.bincount(torch.from_numpy(of)).double() for of in (a, b)))
    assert told == pytest.approx((np.mean(found), np.var(found)), rel=1e-12)


@pytest.mark.parametrize(("symbols", "n"), [(100, 200), (3, 30), (20, 60)])
def test_noise_passes_as_often_where_symbols_are_rare(symbols, n):
    """Of a hundred names each beside a hundred others one in fifty passed at 0.001."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, symbols, (n, 2000)), rng.integers(0, symbols, n)
    p = mutual_info_scores(x, y, discrete_features=True, discrete_target=True)[1]
    assert 0.02 < (p < 0.05).mean() < 0.065  # three standard errors of 0.005; fewer where chi squared is the wider law
    assert (p < 0.001).mean() < 0.004  # four of 0.0007 above 0.001


def test_symbols_that_never_recur_have_a_certain_p_value():
    names = np.arange(40)[:, None]
    assert mutual_info_scores(names, names[:, 0] % 2, discrete_features=True)[1].tolist() == [1.0]
    assert mutual_info_scores(names[:3] % 2, names[:3, 0] % 2, discrete_features=True, discrete_target=True)[1] == 1.0


def test_a_constant_feature_has_nothing_and_a_certain_p_value():
    y = np.arange(40) % 2
    for constant in (np.ones((40, 1)), np.ones((40, 1), int)):
        for target in (y, y + np.linspace(0, 0.1, 40)):
            scores, p = mutual_info_scores(constant, target)
            assert (scores[0], p[0]) == (0.0, 1.0)


def test_class_names_and_numbers_are_the_same_symbols():
    x, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    assert np.array_equal(mutual_info_scores(x, names)[0], mutual_info_scores(x, 1 - y)[0])


def test_discrete_features_are_told_by_type_mask_or_number():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = np.stack([y, rng.integers(0, 3, 300)], axis=1)
    by_type = mutual_info_scores(x, y)[0]
    assert by_type[0] == pytest.approx(np.log(3), abs=0.02)
    for said in ([True, True], [0, 1], np.array([0, -1]), True):
        assert np.array_equal(mutual_info_scores(x.astype(float), y, discrete_features=said)[0], by_type)
    numbers = mutual_info_scores(x, y, discrete_features=False)[0]
    assert not np.allclose(numbers, by_type)
    frame = pd.DataFrame({"a": x[:, 0], "b": rng.normal(size=300)})
    selector = SelectKBest(partial(mutual_info_scores, discrete_features=[0]), k=1).fit(frame, y)
    assert selector.scores_[0] == by_type[0]


def test_the_target_may_be_told():
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = np.arange(200) // 20
    as_symbols, as_numbers = (mutual_info_scores(x, y, discrete_target=said)[0] for said in (None, False))
    assert not np.allclose(as_symbols, as_numbers)
    assert np.array_equal(mutual_info_scores(x, y.astype(float), discrete_target=True)[0], as_symbols)


X = np.random.default_rng(0).normal(size=(30, 2))
Y = np.arange(30) % 2


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "said"),
    [
        ((X, Y[:-1]), {}, ValueError, "inconsistent numbers of samples"),
        ((np.where(X > 1, np.nan, X), Y), {}, ValueError, "NaN"),
        ((csr_array(X), Y), {}, TypeError, "[Ss]parse"),
        ((X, Y), {"discrete_features": [True]}, ValueError, "discrete_features must have a value for each of 2"),
        ((X, Y), {"discrete_features": [2]}, ValueError, "discrete_features must be numbers of 2 features"),
        ((X, Y), {"discrete_features": "all"}, TypeError, "discrete_features must be"),
        ((X, Y), {"discrete_features": [0.5, 0.1]}, TypeError, "discrete_features must be"),
        ((X, Y), {"discrete_target": "yes"}, TypeError, "discrete_target must be True, False or None"),
        ((X, np.array(["a", "b"])[Y]), {"discrete_target": False}, ValueError, "discrete_target must be True or None"),
    ],
)
def test_refusals(arguments, options, kind, said):
    with pytest.raises(kind, match=said):
        mutual_info_scores(*arguments, **options)
