"""Distributions: joint laws whose mutual information is known exactly: `sample` and `mutual_information`, in nats."""

from infotorch.distributions.base import JointLaw as JointLaw
from infotorch.distributions.benchmarking import BenchmarkResult as BenchmarkResult
from infotorch.distributions.benchmarking import LawOutcome as LawOutcome
from infotorch.distributions.benchmarking import benchmark as benchmark
from infotorch.distributions.class_pairs import ClassPairs as ClassPairs
from infotorch.distributions.class_pairs import LabelledSamples as LabelledSamples
from infotorch.distributions.clusters import SharedClusters as SharedClusters
from infotorch.distributions.discrete import BinarySymmetricChannel as BinarySymmetricChannel
from infotorch.distributions.discrete import DiscreteJoint as DiscreteJoint
from infotorch.distributions.discrete import SymmetricChannel as SymmetricChannel
from infotorch.distributions.gamma import LogGammaExponential as LogGammaExponential
from infotorch.distributions.gaussian import CorrelatedGaussian as CorrelatedGaussian
from infotorch.distributions.generated_classes import GlyphImages as GlyphImages
from infotorch.distributions.generated_classes import TokenSentences as TokenSentences
from infotorch.distributions.high import high_information_suite as high_information_suite
from infotorch.distributions.images import AmplitudeImages as AmplitudeImages
from infotorch.distributions.images import PatternImages as PatternImages
from infotorch.distributions.maps import Linear as Linear
from infotorch.distributions.maps import Spiral as Spiral
from infotorch.distributions.maps import bimodal as bimodal
from infotorch.distributions.maps import half_cube as half_cube
from infotorch.distributions.maps import heavy_tails as heavy_tails
from infotorch.distributions.maps import normal_cdf as normal_cdf
from infotorch.distributions.maps import random_rotation as random_rotation
from infotorch.distributions.maps import swiss_roll as swiss_roll
from infotorch.distributions.maps import wiggly as wiggly
from infotorch.distributions.mixed import DiscretePlusUniform as DiscretePlusUniform
from infotorch.distributions.mixed import ZeroInflatedPoisson as ZeroInflatedPoisson
from infotorch.distributions.mixtures import GaussianMixture as GaussianMixture
from infotorch.distributions.mixtures import LabelledClusters as LabelledClusters
from infotorch.distributions.renderings import gaussian_images as gaussian_images
from infotorch.distributions.renderings import rectangle_images as rectangle_images
from infotorch.distributions.student import StudentT as StudentT
from infotorch.distributions.suites import mixed_suite as mixed_suite
from infotorch.distributions.suites import suite as suite
from infotorch.distributions.suites import tuning_suite as tuning_suite
from infotorch.distributions.transformed import Stacked as Stacked
from infotorch.distributions.transformed import Transformed as Transformed
from infotorch.distributions.transformed import WithIdleColumns as WithIdleColumns
from infotorch.distributions.uniform import AdditiveNormalNoise as AdditiveNormalNoise
from infotorch.distributions.uniform import AdditiveUniformNoise as AdditiveUniformNoise
from infotorch.distributions.unstructured import image_suite as image_suite
from infotorch.distributions.unstructured import token_suite as token_suite
HOMES: dict[str, str]
__all__ = [
    "AdditiveNormalNoise",
    "AdditiveUniformNoise",
    "AmplitudeImages",
    "BenchmarkResult",
    "BinarySymmetricChannel",
    "ClassPairs",
    "CorrelatedGaussian",
    "DiscreteJoint",
    "DiscretePlusUniform",
    "GaussianMixture",
    "GlyphImages",
    "JointLaw",
    "LabelledClusters",
    "LabelledSamples",
    "LawOutcome",
    "Linear",
    "LogGammaExponential",
    "PatternImages",
    "SharedClusters",
    "Spiral",
    "Stacked",
    "StudentT",
    "SymmetricChannel",
    "TokenSentences",
    "Transformed",
    "WithIdleColumns",
    "ZeroInflatedPoisson",
    "benchmark",
    "bimodal",
    "gaussian_images",
    "half_cube",
    "heavy_tails",
    "high_information_suite",
    "image_suite",
    "mixed_suite",
    "normal_cdf",
    "random_rotation",
    "rectangle_images",
    "suite",
    "swiss_roll",
    "token_suite",
    "tuning_suite",
    "wiggly",
]
