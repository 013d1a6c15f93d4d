"""Schedules: learning rates from information."""

from infotorch.schedules.anneal import HoldThenAnneal as HoldThenAnneal
from infotorch.schedules.anneal import InformationAnneal as InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay as MutualInformationDecay
from infotorch.schedules.range_choice import Probe as Probe
from infotorch.schedules.range_test import RangeOptions as RangeOptions
from infotorch.schedules.range_test import RangeTest as RangeTest
from infotorch.schedules.range_test import lr_range_test as lr_range_test
from infotorch.schedules.signal import InformationSignal as InformationSignal
from infotorch.schedules.signal import layer_groups as layer_groups
from infotorch.schedules.signal import parameterised_layers as parameterised_layers
from infotorch.schedules.stopping import InformationStopping as InformationStopping
from infotorch.schedules.stuck import StuckSignalError as StuckSignalError
HOMES: dict[str, str]
__all__ = [
    "HoldThenAnneal",
    "InformationAnneal",
    "InformationSignal",
    "InformationStopping",
    "MutualInformationDecay",
    "Probe",
    "RangeOptions",
    "RangeTest",
    "StuckSignalError",
    "layer_groups",
    "lr_range_test",
    "parameterised_layers",
]
