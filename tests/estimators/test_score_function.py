"""Selectors of scikit-learn get no estimate of all features together; numpy gets its value."""

import functools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.feature_selection import GenericUnivariateSelect, SelectFdr, SelectKBest, SelectPercentile

import infotorch


@pytest.mark.parametrize(
    "selector",
    [
        SelectKBest(infotorch.mutual_information, k=1),
        SelectPercentile(functools.partial(infotorch.mutual_information, effort="fast")),
        GenericUnivariateSelect(infotorch.mutual_information),
    ],
)
@pytest.mark.filterwarnings("error")
def test_mutual_information_is_no_score_function(selector):
    x, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match=r"^mutual_information: .*use infotorch\.sklearn\.mutual_info_scores"):
        selector.fit(x, y)


def test_no_estimator_is_one_in_a_function_of_ones_own():
    x, y = load_iris(return_X_y=True)
    scores = lambda x, y: infotorch.ross(x / x.std(axis=0), y)  # noqa: E731
    with pytest.raises(TypeError, match=r"^ross: .*infotorch\.sklearn\.mutual_info_scores"):
        SelectFdr(scores).fit(x, y)


def test_numpy_reads_the_value():
    estimate = infotorch.discrete_mi([0, 1, 0, 1], [0, 1, 0, 1])
    assert np.asarray(estimate).dtype == np.float64
    assert np.array([estimate, estimate]).tolist() == [float(estimate)] * 2
    assert np.asarray(estimate, dtype=np.float32) == np.float32(np.log(2))


def test_numpy_does_not_lose_a_gradient():
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with pytest.raises(TypeError, match="without gradient"):
        np.asarray(infotorch.gaussian_mi(x, x.detach() ** 2))
