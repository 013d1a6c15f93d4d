"""Distributions: joint laws whose mutual information is known exactly: `sample` and `mutual_information`, in nats."""

from infotorch.distributions.base import JointLaw as JointLaw
from infotorch.distributions.discrete import BinarySymmetricChannel as BinarySymmetricChannel
from infotorch.distributions.discrete import DiscreteJoint as DiscreteJoint
from infotorch.distributions.gaussian import CorrelatedGaussian as CorrelatedGaussian
from infotorch.distributions.images import AmplitudeImages as AmplitudeImages
from infotorch.distributions.images import PatternImages as PatternImages
from infotorch.distributions.maps import Linear as Linear
from infotorch.distributions.maps import Spiral as Spiral
from infotorch.distributions.maps import bimodal as bimodal
from infotorch.distributions.maps import half_cube as half_cube
from infotorch.distributions.maps import normal_cdf as normal_cdf
from infotorch.distributions.maps import random_rotation as random_rotation
from infotorch.distributions.maps import swiss_roll as swiss_roll
from infotorch.distributions.maps import wiggly as wiggly
from infotorch.distributions.mixed import DiscretePlusUniform as DiscretePlusUniform
from infotorch.distributions.mixed import ZeroInflatedPoisson as ZeroInflatedPoisson
from infotorch.distributions.mixtures import GaussianMixture as GaussianMixture
from infotorch.distributions.mixtures import LabelledClusters as LabelledClusters
from infotorch.distributions.student import StudentT as StudentT
from infotorch.distributions.suites import mixed_suite as mixed_suite
from infotorch.distributions.suites import suite as suite
from infotorch.distributions.suites import tuning_suite as tuning_suite
from infotorch.distributions.transformed import Stacked as Stacked
from infotorch.distributions.transformed import Transformed as Transformed
from infotorch.distributions.uniform import AdditiveUniformNoise as AdditiveUniformNoise
HOMES: dict[str, str]
__all__ = [
    "AdditiveUniformNoise",
    "AmplitudeImages",
    "BinarySymmetricChannel",
    "CorrelatedGaussian",
    "DiscreteJoint",
    "DiscretePlusUniform",
    "GaussianMixture",
    "JointLaw",
    "LabelledClusters",
    "Linear",
    "PatternImages",
    "Spiral",
    "Stacked",
    "StudentT",
    "Transformed",
    "ZeroInflatedPoisson",
    "bimodal",
    "half_cube",
    "mixed_suite",
    "normal_cdf",
    "random_rotation",
    "suite",
    "swiss_roll",
    "tuning_suite",
    "wiggly",
]
