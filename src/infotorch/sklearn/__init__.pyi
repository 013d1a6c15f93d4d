"""infotorch for scikit-learn: scores of features, a selector of features, and networks trained module by module."""

from infotorch.sklearn.classifier import LocalClassifier as LocalClassifier
from infotorch.sklearn.regressor import LocalRegressor as LocalRegressor
from infotorch.sklearn.scores import mutual_info_scores as mutual_info_scores
from infotorch.sklearn.selector import MutualInformationSelector as MutualInformationSelector
HOMES: dict[str, str]
__all__ = [
    "LocalClassifier",
    "LocalRegressor",
    "MutualInformationSelector",
    "mutual_info_scores",
]
