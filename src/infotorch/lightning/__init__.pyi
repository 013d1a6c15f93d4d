"""infotorch for Lightning: callbacks for rates and planes of information, and networks trained module by module."""

from infotorch.lightning.anneal import InformationAnneal as InformationAnneal
from infotorch.lightning.decay import MutualInformationDecay as MutualInformationDecay
from infotorch.lightning.local import LocalLearning as LocalLearning
from infotorch.lightning.plane import InformationPlane as InformationPlane
from infotorch.lightning.rate_range import LearningRateRange as LearningRateRange
HOMES: dict[str, str]
__all__ = [
    "InformationAnneal",
    "InformationPlane",
    "LearningRateRange",
    "LocalLearning",
    "MutualInformationDecay",
]
