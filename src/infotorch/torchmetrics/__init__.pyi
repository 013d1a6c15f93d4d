"""infotorch for torchmetrics: information of two streams, and of a layer, as metrics."""

from infotorch.torchmetrics.coordinates import InformationBottleneckCoordinates as InformationBottleneckCoordinates
from infotorch.torchmetrics.information import MutualInformation as MutualInformation
HOMES: dict[str, str]
__all__ = [
    "InformationBottleneckCoordinates",
    "MutualInformation",
]
