"""Networks trained module by module, as scikit-learn's users use them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from infotorch.sklearn import LocalClassifier, LocalRegressor

SHORT = {"hidden_layer_sizes": (16,), "epochs": 20, "lr": 0.03, "random_state": 0}


def iris():
    x, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(x), y


def make_network(features, outputs):
    return nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, outputs))


def in_one_module(features, outputs):
    return nn.Sequential(nn.Sequential(*make_network(features, outputs)))


@pytest.mark.parametrize("made", [LocalClassifier, LocalRegressor])
@pytest.mark.parametrize("order", ["sequential", "simultaneous"])
def test_integer_weights_are_repetitions_and_zero_leaves_out(made, order):
    x, y = iris()
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    settings = {**SHORT, "order": order, "batch_size": 1000}
    weighted = made(**settings).fit(x, y, sample_weight=weights)
    repeated = made(**settings).fit(x.repeat(weights, axis=0), y.repeat(weights))
    ask = "predict_proba" if made is LocalClassifier else "predict"
    assert getattr(weighted, ask)(x) == pytest.approx(getattr(repeated, ask)(x), abs=1e-7)
    plain = made(**settings).fit(x, y)
    assert getattr(plain, ask)(x) != pytest.approx(getattr(weighted, ask)(x), abs=1e-3)


def test_class_weights_are_weights_of_their_samples():
    x, y = iris()
    of_class = {0: 1.0, 1: 5.0, 2: 0.5}
    by_class = LocalClassifier(**SHORT, class_weight=of_class).fit(x, y)
    by_sample = LocalClassifier(**SHORT).fit(x, y, sample_weight=[of_class[label] for label in y])
    assert by_class.predict_proba(x) == pytest.approx(by_sample.predict_proba(x), abs=1e-9)


def test_balanced_classes_hold_the_same_weight():
    x, y = iris()
    x, y = x[45:], y[45:]  # five of the first class
    balanced = LocalClassifier(**SHORT, class_weight="balanced").fit(x, y)
    same = LocalClassifier(**SHORT).fit(x, y, sample_weight=np.where(y == 0, 10.0, 1.0))
    assert balanced.predict_proba(x) == pytest.approx(same.predict_proba(x), abs=1e-9)


def test_class_names_probabilities_and_names_of_features():
    x, y = load_iris(return_X_y=True, as_frame=True)
    names = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    model = LocalClassifier(**SHORT).fit(x, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.predict_proba(x).sum(axis=1) == pytest.approx(1)
    assert (model.predict(x) == model.classes_[model.predict_proba(x).argmax(axis=1)]).all()
    assert list(model.feature_names_in_) == list(x)
    assert model.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        model.predict(x.rename(columns=str.upper))


def test_no_gradient_passes_from_one_module_to_another():
    """The first layer's weights are those of training that layer alone with its read-out."""
    x, y = iris()
    deep = LocalClassifier((8, 8), epochs=5, random_state=0).fit(x, y)
    shorter = LocalClassifier((8, 8), epochs=5, random_state=0, order="simultaneous").fit(x, y)
    lines = pd.DataFrame(deep.history_)
    assert lines["module"].nunique() == 3
    assert len(lines) == 15
    assert torch.equal(deep.module_[0].weight, shorter.module_[0].weight)


@pytest.mark.parametrize(("make", "modules"), [(make_network, 2), (in_one_module, 1)])
def test_a_network_of_ones_own(make, modules):
    x, y = iris()
    model = LocalClassifier(**{**SHORT, "make_module": make}).fit(x, y)
    assert len({line["module"] for line in model.history_}) == modules
    assert model.score(x, y) > 0.9
    assert isinstance(pickle.loads(pickle.dumps(model)), LocalClassifier)


def test_a_random_state_repeats_a_fit_and_leaves_torchs_alone():
    x, y = iris()
    state, state_of_numpy = torch.random.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    first, again, other = (
        LocalClassifier(**{**SHORT, "random_state": seed}).fit(x, y).predict_proba(x) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    LocalClassifier(**{**SHORT, "random_state": None}).fit(x, y)
    assert torch.equal(state, torch.random.get_rng_state())
    assert state_of_numpy == str(np.random.get_state())  # noqa: NPY002


def test_a_search_clones_and_pickles():
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LocalClassifier(**SHORT))
    grid = {"localclassifier__hidden_layer_sizes": [(), (16,)], "localclassifier__lr": [1e-4, 0.03]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=1).fit(x, y)
    assert search.best_params_["localclassifier__lr"] == 0.03
    assert search.best_score_ > 0.85
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict(x), search.predict(x))
    assert clone(pipeline).get_params()["localclassifier__epochs"] == 20


def test_single_precision_stays_single():
    x, y = iris()
    model = LocalClassifier(**SHORT).fit(x.astype(np.float32), y)
    assert model.module_[0].weight.dtype == torch.float32
    assert model.predict_proba(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(("shift", "unit"), [(0.0, 1.0), (1e6, 1e4)])
def test_the_unit_of_the_target_does_not_matter(shift, unit):
    x, y = load_diabetes(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    plain = LocalRegressor(**SHORT).fit(x, y).predict(x)
    assert LocalRegressor(**SHORT).fit(x, shift + unit * y).predict(x) == pytest.approx(shift + unit * plain, rel=1e-6)


def test_regression_learns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * rng.normal(size=600)
    assert LocalRegressor((64,), lr=0.01, random_state=0).fit(x[:400], y[:400]).score(x[400:], y[400:]) > 0.85


@pytest.mark.parametrize(("made", "plan"), [(LocalClassifier, "Y:supcon+Y,CE"), (LocalRegressor, "Y,MSE")])
def test_a_plan_of_ones_own_takes_no_weights(made, plan):
    x, y = iris()
    model = made(**SHORT, plan=plan).fit(x, y)
    assert model.score(x, y) > 0.8
    with pytest.raises(ValueError, match="sample_weight must be None beside a plan"):
        model.fit(x, y, sample_weight=np.ones(len(y)))
    if made is LocalClassifier:
        with pytest.raises(ValueError, match="class_weight must be None beside a plan"):
            clone(model).set_params(class_weight="balanced").fit(x, y)


@pytest.mark.parametrize(
    ("settings", "weights", "kind", "said"),
    [
        ({}, np.zeros(150), ValueError, "[Ss]ample weights? cannot contain|sample_weight must be above 0|zero"),
        ({}, -np.ones(150), ValueError, "[Nn]egative"),
        (
            {"class_weight": {0: 0, 1: 0, 2: 0}},
            None,
            ValueError,
            "class_weight must be 0 or more, and above 0 for a class",
        ),
        ({"hidden_layer_sizes": (0,)}, None, ValueError, "LocalClassifier: .*hidden_layer_sizes"),
        ({"epochs": 0}, None, ValueError, "epochs must be at least 1"),
        ({"lr": -1.0}, None, ValueError, "lr"),
        ({"make_module": lambda *_: None}, None, TypeError, "make_module must give an nn.Module, got None"),
        # One column would be spread over all classes, and learn nothing.
        (
            {"make_module": lambda d, _: nn.Linear(d, 1)},
            None,
            ValueError,
            r"must give 3 outputs a sample, got \(1, 1\)",
        ),
        ({"make_module": lambda d, _: nn.Linear(d, 5), "plan": "CE"}, None, ValueError, "must give 3 outputs"),
        ({"make_module": lambda d, _: nn.Linear(d + 1, 3)}, None, ValueError, "make_module's network cannot take"),
    ],
)
def test_refusals(settings, weights, kind, said):
    x, y = iris()
    with pytest.raises(kind, match=said):
        LocalClassifier(**{**SHORT, **settings}).fit(x, y, sample_weight=weights)


@pytest.mark.parametrize("made", [LocalClassifier, LocalRegressor])
def test_a_training_that_diverges_is_refused_and_a_search_goes_past_it(made):
    x, y = iris()
    model = made(**SHORT)
    with pytest.raises(ValueError, match=rf"{made.__name__}: training must stay finite, and module '\d' diverged"):
        clone(model).set_params(lr=1e200).fit(x, y)
    with pytest.warns(FitFailedWarning):
        found = GridSearchCV(model, {"lr": [0.01, 1e200]}, cv=2).fit(x, y)
    assert found.best_params_ == {"lr": 0.01}
