"""Distributions: joint laws whose mutual information is known exactly: `sample` and `mutual_information`, in nats."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "AdditiveUniformNoise": "uniform",
    "AmplitudeImages": "images",
    "BinarySymmetricChannel": "discrete",
    "CorrelatedGaussian": "gaussian",
    "DiscreteJoint": "discrete",
    "DiscretePlusUniform": "mixed",
    "GaussianMixture": "mixtures",
    "JointLaw": "base",
    "LabelledClusters": "mixtures",
    "Linear": "maps",
    "PatternImages": "images",
    "Spiral": "maps",
    "Stacked": "transformed",
    "StudentT": "student",
    "Transformed": "transformed",
    "ZeroInflatedPoisson": "mixed",
    "bimodal": "maps",
    "half_cube": "maps",
    "mixed_suite": "suites",
    "normal_cdf": "maps",
    "random_rotation": "maps",
    "suite": "suites",
    "swiss_roll": "maps",
    "tuning_suite": "suites",
    "wiggly": "maps",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
