"""Selecting features: copies, pairs that tell something only together, noise, and standard errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from infotorch.sklearn import MutualInformationSelector, mutual_info_scores


def copies(n=600, *, classes=True):
    """Features 0 and 3 tell of y, 1 and 4 are their copies, the others are noise."""
    x = np.random.default_rng(0).normal(size=(n, 8))
    y = 1.2 * x[:, 0] + x[:, 3] + 0.3 * x[:, 7]
    x[:, 7] = np.random.default_rng(1).normal(size=n)
    x[:, 1], x[:, 4] = np.exp(x[:, 0]), -x[:, 3] + 1e-6 * x[:, 4]
    return x, (y > 0).astype(int) if classes else y


@pytest.mark.parametrize("classes", [True, False])
def test_jmi_takes_one_of_each_copy_and_no_noise(classes):
    x, y = copies(classes=classes)
    selector = MutualInformationSelector().fit(x, y)
    found = set(np.flatnonzero(selector.support_))
    assert len(found) == 2
    assert len(found & {0, 1}) == len(found & {3, 4}) == 1


def test_relevance_takes_copies_and_no_noise():
    x, y = copies()
    selector = MutualInformationSelector("relevance").fit(x, y)
    assert np.flatnonzero(selector.support_).tolist() == [0, 1, 3, 4]
    assert np.argsort(selector.ranking_).tolist() == np.argsort(-selector.scores_, kind="stable").tolist()


@pytest.mark.parametrize("criterion", ["jmi", "mrmr"])
def test_a_copy_comes_after_what_is_new(criterion):
    x, y = copies()
    selector = MutualInformationSelector(criterion, n_features_to_select=2).fit(x, y)
    first, second = np.argsort(selector.ranking_)[:2]
    assert {first, second} & {0, 1}
    assert {first, second} & {3, 4}


def test_jmi_sees_a_feature_that_tells_something_only_beside_another():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5))
    y = np.where(rng.random(1000) < 0.3, x[:, 0] > 0, x[:, 0] * x[:, 2] > 0).astype(int)
    together = MutualInformationSelector("jmi", n_features_to_select=2).fit(x, y)
    assert np.flatnonzero(together.support_).tolist() == [0, 2]


@pytest.mark.parametrize("criterion", ["relevance", "jmi", "mrmr"])
@pytest.mark.parametrize("seed", range(3))
def test_of_noise_one_feature_is_selected(criterion, seed):
    rng = np.random.default_rng(seed)
    selector = MutualInformationSelector(criterion).fit(rng.normal(size=(300, 10)), rng.integers(0, 2, 300))
    assert selector.n_features_ == selector.support_.sum() == 1
    assert selector.ranking_.min() == 1


def test_symbols_and_numbers_are_mixed():
    rng = np.random.default_rng(0)
    group, noise = rng.integers(0, 3, 800), rng.normal(size=800)
    y = (noise + np.array([-2, 0, 2])[group] > 0).astype(int)
    x = np.column_stack([group, noise, rng.integers(0, 3, 800), group])
    selector = MutualInformationSelector(discrete_features=[0, 2, 3]).fit(x, y)
    assert np.flatnonzero(selector.support_).tolist() == [0, 1]
    numbers = MutualInformationSelector(discrete_features=[0, 2, 3]).fit(x, noise + group)
    assert np.flatnonzero(numbers.support_).tolist() == [0, 1]


def test_scores_are_those_of_the_function_with_standard_errors():
    x, y = copies()
    selector = MutualInformationSelector("relevance").fit(x, y)
    scores, p = mutual_info_scores(x, y)
    assert np.array_equal(selector.scores_, scores)
    assert np.array_equal(selector.pvalues_, p)
    # of features that are noise the scores scatter as they say
    noise = np.random.default_rng(2).normal(size=(600, 60))
    fitted = MutualInformationSelector("relevance").fit(noise, y)
    assert fitted.std_errors_.mean() == pytest.approx(fitted.scores_.std(), rel=0.3)  # s.e. of a s.d. of 60: 9 %


def test_the_standard_error_falls_as_the_root_of_many_samples():
    x, y = copies(8000)
    many, few = (MutualInformationSelector("relevance").fit(x[:n], y[:n]).std_errors_ for n in (8000, 2000))
    assert few / many == pytest.approx(np.full(8, 2.0), rel=0.4)
    assert np.isnan(MutualInformationSelector("relevance").fit(x[:30], y[:30]).std_errors_).all()


@pytest.mark.parametrize(("asked", "number"), [(3, 3), (0.5, 4), (1.0, 8), (0.01, 1), (8, 8)])
def test_a_number_or_share_of_features(asked, number):
    x, y = copies(100)
    selector = MutualInformationSelector(n_features_to_select=asked).fit(x, y)
    assert selector.n_features_ == number
    assert sorted(selector.ranking_) == list(range(1, 9))
    assert selector.transform(x).shape == (100, number)


def test_names_of_features_in_a_pipeline():
    x, y = load_wine(return_X_y=True, as_frame=True)
    selector = MutualInformationSelector(n_features_to_select=3).set_output(transform="pandas").fit(x, y)
    assert isinstance(selector.transform(x), pd.DataFrame)
    assert list(selector.transform(x)) == list(selector.get_feature_names_out())
    pipeline = make_pipeline(clone(selector), LogisticRegression(max_iter=3000))
    assert cross_val_score(pipeline, x, y, cv=3).mean() > 0.85


def test_a_frame_is_selected_from_by_the_types_of_its_columns_and_then_encoded():
    rng = np.random.default_rng(0)
    group, size = rng.choice(["left", "middle", "right"], 600), rng.normal(size=600)
    frame = pd.DataFrame({"noise": rng.normal(size=600), "group": group, "size": size, "code": rng.integers(0, 3, 600)})
    y = (size + np.where(group == "middle", 2, -1) > 0).astype(int)
    selector = MutualInformationSelector().fit(frame, y)
    assert selector.get_feature_names_out().tolist() == ["group", "size"]
    assert selector.n_features_in_ == 4
    encode = make_column_transformer((OneHotEncoder(), make_column_selector(dtype_include=[object, "string"])))
    pipeline = make_pipeline(clone(selector).set_output(transform="pandas"), encode, LogisticRegression())
    assert pipeline.fit(frame, y).score(frame, y) > 0.7
    with pytest.raises(ValueError, match="feature names should match"):
        selector.transform(frame[["group", "noise", "size", "code"]])


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"criterion": "cmim"}, ValueError, "MutualInformationSelector: criterion must be one of"),
        ({"alpha": 0.0}, ValueError, "alpha must lie between 0 and 1, got 0.0"),
        ({"alpha": "5 %"}, TypeError, "alpha must be a number"),
        ({"n_features_to_select": 0}, ValueError, "n_features_to_select must lie between 1 and 8, got 0"),
        ({"n_features_to_select": 9}, ValueError, "n_features_to_select must lie between 1 and 8, got 9"),
        ({"n_features_to_select": 1.5}, ValueError, "as a share, lie above 0 and up to 1, got 1.5"),
        ({"n_features_to_select": "all"}, TypeError, 'must be "auto", a number or a share'),
        ({"n_features_to_select": True}, TypeError, 'must be "auto", a number or a share'),
    ],
)
def test_refusals(options, kind, said):
    with pytest.raises(kind, match=said):
        MutualInformationSelector(**options).fit(*copies(50))
