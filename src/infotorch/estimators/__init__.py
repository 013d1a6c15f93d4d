"""Estimators: paired samples -> `Estimate`, in nats; bounds that a critic reaches; measures of dependence."""

from infotorch.estimators import registry
from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change. A leading dot: of infotorch.
_PARTS = {
    "ArrayLike": ".numerics.typing",
    "Bandwidth": ".numerics.kernels",
    "BilinearCritic": "critics",
    "BoundName": "neural",
    "Correction": "discrete",
    "Critic": "critics",
    "CriticName": "neural",
    "DependenceKernel": "dependence",
    "EncoderCritic": "critics",
    "Estimate": "estimate",
    "JointCritic": "critics",
    "Kernel": ".numerics.kernels",
    "MIMatrix": "matrix",
    "Metric": ".numerics.neighbours",
    "MineGradient": "bounds",
    "Missing": ".numerics.frames",
    "ScoreBound": "spatial",
    "Scores": "spatial",
    "SeparableCritic": "critics",
    "Side": "estimate",
    "channel_views": "renyi_multivariate",
    "describe_estimators": "registry",
    "gaussian_log_likelihood": "reconstruction",
    "hard_decisions": "decision",
    "log_mean_exp": "bounds",
    "mi_matrix": "matrix",
}
HOMES = dict(sorted({**_PARTS, **registry.HOMES}.items()))
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
