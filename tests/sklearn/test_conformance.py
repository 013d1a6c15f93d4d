"""scikit-learn's own checks of estimators, all of them."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from infotorch.sklearn import LocalClassifier, LocalRegressor, MutualInformationSelector

# Training as short as the checks of what is learned allow.
SHORT = {"hidden_layer_sizes": (16,), "epochs": 15, "lr": 0.03}


@parametrize_with_checks([
    LocalClassifier(**SHORT),
    LocalRegressor(**SHORT),
    MutualInformationSelector(),
    MutualInformationSelector("mrmr"),
])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([LocalClassifier(), LocalRegressor(), MutualInformationSelector("relevance")])
def test_checks_of_scikit_learn_with_defaults(estimator, check):
    check(estimator)
