"""Distributions: joint laws whose mutual information is known exactly: `sample` and `mutual_information`, in nats.

Names load on first use (PEP 562): `from infotorch.distributions import StudentT`.
"""

from __future__ import annotations

import importlib
from typing import Any

# name -> module of this package that defines it
_HOME = {
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

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'infotorch.distributions' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # the next look-up is an ordinary one
    return value


def __dir__() -> list[str]:
    return __all__
