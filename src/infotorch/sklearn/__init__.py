"""infotorch for scikit-learn: scores of features, a selector of features, and networks trained module by module."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "LocalClassifier": "classifier",
    "LocalRegressor": "regressor",
    "MutualInformationSelector": "selector",
    "mutual_info_scores": "scores",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
