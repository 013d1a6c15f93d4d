"""A selector of features by mutual information, conditional on the features that are selected."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from infotorch.estimators.column_errors import errors_by_groups
from infotorch.estimators.single_columns import column_informations
from infotorch.numerics.checks import check_choice, check_number, shown
from infotorch.sklearn.features import DiscreteFeatures, read_samples
from infotorch.sklearn.independence import independence_p_values
from infotorch.sklearn.search import Criterion, Search


class MutualInformationSelector(SelectorMixin, BaseEstimator):
    """Selects features one by one, each time the one that tells most of the target beside those selected before.

    Criteria, of a feature X and the selected S, in nats:

    - "jmi": the mean over S of I(X; Y | S), joint mutual information (Yang & Moody 1999). It sees what a feature tells
      together with another, and gives a copy of a selected feature nothing.
    - "mrmr": I(X; Y) less the mean over S of I(X; S), minimal redundancy and maximal relevance (Peng, Long & Ding
      2005).
    - "relevance": I(X; Y) alone, as `SelectKBest(mutual_info_scores)`.

    With "auto" the search stops by error bars: where what the best feature adds lies less above 0 than as many of its
    standard errors as leave alpha / d of a normal law, for d features; the error is taken no smaller than noise beside
    this y scatters. Of "jmi", a feature that adds that little beside one of the selected is left out, and the search
    goes on. Relevance counts where its p-value is below alpha / d, and "mrmr" takes nothing else. One feature is always
    selected.

    The estimates are those of `mutual_info_scores`; given another feature, `conditional_ksg` and differences of
    estimates by the chain rule, for numbers and symbols in any mixture.

    Args:
        criterion: see above.
        n_features_to_select: "auto", a number, or a share of the features, above 0 and up to 1.0.
        alpha: the chance that noise alone adds a feature.
        discrete_features: which features are symbols without an order: a mask (d,), their numbers (of a frame their
            names, too), or all (True) or none (False). "auto": integers are, unless nearly every sample has another
            one, in a frame each column by itself; an array of whole and other numbers holds numbers alone.
        discrete_target: whether y is symbols. None: names are, and integers as features are.

    Attributes:
        scores_: I(X_j; Y), in nats, (d,).
        std_errors_: their standard errors, by how much parts of the sample disagree, (d,); NaN below 40 samples.
        pvalues_: for independence of y, (d,), as of `mutual_info_scores`.
        support_: which features are selected, (d,).
        ranking_: 1 for the feature selected first, 2 for the next, ...; the others follow by what they would add.
        n_features_: how many are selected.
        n_features_in_: number of features.
        feature_names_in_: their names, where X had some.

    Source: Yang & Moody 1999, "Data visualization and feature selection"; Peng, Long & Ding 2005,
        doi:10.1109/TPAMI.2005.159; Brown, Pocock, Zhao & Luján 2012, JMLR 13, Sec. 3, has both in one form.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(500, 6))
        >>> X[:, 1] = X[:, 0] + 0.01 * X[:, 1]  # a copy
        >>> y = (X[:, 0] + X[:, 2] > 0).astype(int)
        >>> selector = MutualInformationSelector().fit(X, y)
        >>> int(selector.n_features_), bool(selector.support_[2]), bool(selector.support_[:2].all())
        (2, True, False)
    """

    def __init__(
        self,
        criterion: Criterion = "jmi",
        *,
        n_features_to_select: Literal["auto"] | int | float = "auto",
        alpha: float = 0.05,
        discrete_features: DiscreteFeatures = "auto",
        discrete_target: bool | None = None,
    ) -> None:
        self.criterion: Criterion = criterion
        self.n_features_to_select: Literal["auto"] | int | float = n_features_to_select
        self.alpha = alpha
        self.discrete_features: DiscreteFeatures = discrete_features
        self.discrete_target = discrete_target

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Score all features and select some.

        Args:
            X: features, (n, d): finite numbers, or a frame of pandas, polars or their kin, whose words, categories and
                booleans are symbols and whose dates are numbers.
            y: target, (n,): numbers or class names.

        Raises:
            ValueError: what scikit-learn refuses, an unknown criterion, or more features than there are.
            TypeError: an option of another kind.
        """
        where = type(self).__name__
        check_choice(self.criterion, get_args(Criterion), where=where, name="criterion")
        check_number(self.alpha, where=where, name="alpha")
        if not 0 < self.alpha < 1:
            raise ValueError(f"{where}: alpha must lie between 0 and 1, got {shown(self.alpha)}.")
        columns, of_y = read_samples(X, y, self.discrete_features, self.discrete_target, where=where, estimator=self)
        most = self._most(len(columns), where)
        scores = column_informations(columns, of_y)
        self.scores_ = scores.numpy()
        self.pvalues_ = independence_p_values(columns, of_y, scores)
        self.std_errors_ = errors_by_groups(
            lambda rows: column_informations([column.take(rows) for column in columns], of_y.take(rows)),
            len(of_y.codes),
        ).numpy()
        search = Search(columns, of_y, self.criterion, self.scores_, self.pvalues_, float(self.alpha))
        search.run(most)
        self.support_ = np.isin(np.arange(len(columns)), search.selected)
        self.ranking_, self.n_features_ = search.ranking(), len(search.selected)
        return self

    def _most(self, d: int, where: str) -> int | None:
        """How many features to select; None for "auto"."""
        asked = self.n_features_to_select
        if isinstance(asked, str) and asked == "auto":
            return None
        if isinstance(asked, bool) or not isinstance(asked, Real):
            raise TypeError(f'{where}: n_features_to_select must be "auto", a number or a share, got {shown(asked)}.')
        if isinstance(asked, Integral):
            if not 1 <= asked <= d:
                raise ValueError(f"{where}: n_features_to_select must lie between 1 and {d}, got {asked}.")
            return int(asked)
        if not 0 < asked <= 1:
            raise ValueError(f"{where}: n_features_to_select must, as a share, lie above 0 and up to 1, got {asked}.")
        return max(1, int(asked * d))

    def _get_support_mask(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
