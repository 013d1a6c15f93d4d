"""Schedules: learning rates from information."""

from infotorch.numerics.namespaces import namespace

# public name -> module of this package that defines it; `make stubs` after a change
HOMES = {
    "HoldThenAnneal": "anneal",
    "InformationAnneal": "anneal",
    "InformationSignal": "signal",
    "InformationStopping": "stopping",
    "MutualInformationDecay": "decay",
    "Probe": "range_choice",
    "RangeOptions": "range_test",
    "RangeTest": "range_test",
    "StuckSignalError": "stuck",
    "layer_groups": "signal",
    "lr_range_test": "range_test",
    "parameterised_layers": "signal",
}
__getattr__, __dir__, __all__ = namespace(__name__, HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
