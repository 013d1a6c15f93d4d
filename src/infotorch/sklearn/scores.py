"""Mutual information of every feature with the target, as a score function of scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from infotorch.estimators.single_columns import column_informations
from infotorch.sklearn.features import DiscreteFeatures, read_samples
from infotorch.sklearn.independence import independence_p_values


def mutual_info_scores(
    X: ArrayLike,
    y: ArrayLike,
    *,
    discrete_features: DiscreteFeatures = "auto",
    discrete_target: bool | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mutual information of each feature with the target, in nats, and p-values: a score function for `SelectKBest`.

    All features in one pass, three to ten times as fast as scikit-learn's `mutual_info_classif` and
    `mutual_info_regression` (benchmarks/feature_scores.py); the first call beside classes of new sizes takes longer, as
    it measures how noise scatters beside them. Of numbers only the order is read, through the normal
    scores of their ranks, so that units, heavy tails and increasing maps of a feature change nothing. Numbers with
    numbers are `ksg`, numbers with symbols `ross`, both with 5 neighbours, and symbols with symbols `discrete_mi` with
    Miller and Madow's correction. Equal numbers stand in a random order, the same in every call.

    `functools.partial` sets the options for a selector: `SelectKBest(partial(mutual_info_scores,
    discrete_features=[0, 3]))`. `MutualInformationSelector` has standard errors, and knows which features say the same.

    Args:
        X: features, (n, d): finite numbers, or a frame of pandas, polars or their kin, whose words, categories and
            booleans are symbols and whose dates are numbers.
        y: target, (n,): numbers or class names.
        discrete_features: which features are symbols without an order: a mask (d,), their numbers (of a frame their
            names, too), or all (True) or none (False). "auto": integers are, unless nearly every sample has another
            one, and other numbers are not. `SelectKBest` makes an array of floats of a frame before it asks for scores,
            and then needs the mask.
        discrete_target: whether y is symbols. None: names are, and integers as features are.

    Returns:
        Scores (d,) in nats, not clamped: of an independent feature they scatter about 0. P-values (d,) for
        independence: of numbers against the scatter and skewness of noise beside this y, which are the same for all
        features; of symbols with symbols by Pearson's chi squared, whose moments count rare symbols. Beside a class of
        ten samples some 2.5 values in a thousand lie below 0.001. 0 nats and 1 for a constant feature.

    Raises:
        ValueError: samples not paired, NaN or infinite values, or a mask that does not fit.
        TypeError: X is sparse, or an option of another kind.

    Source: Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641; Ross 2014, doi:10.1371/journal.pone.0087357.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.feature_selection import SelectKBest
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> selector = SelectKBest(mutual_info_scores, k=2).fit(X, y)
        >>> list(selector.get_feature_names_out())
        ['petal length (cm)', 'petal width (cm)']
    """
    columns, target = read_samples(X, y, discrete_features, discrete_target, where="mutual_info_scores")
    scores = column_informations(columns, target)
    return scores.numpy(), independence_p_values(columns, target, scores)
