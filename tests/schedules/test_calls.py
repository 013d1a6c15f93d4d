"""What schedules and the range test are handed by mistake, and what they say of it: one line that names the place."""

import pytest
import torch
from torch import nn

from infotorch import HoldThenAnneal, InformationAnneal, lr_range_test
from infotorch.schedules import Probe, RangeOptions


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)


def hold(**changes) -> HoldThenAnneal:
    return HoldThenAnneal(sgd(), **{"lr_top": 0.1, "lr_min": 0.01, "steps": 4} | changes)


def anneal(**changes) -> InformationAnneal:
    settings = {"lr_top": 0.1, "lr_min": 0.01, "epochs": 4, "ceiling": 1.0}
    return InformationAnneal(sgd(), **settings | changes)


PROBE = Probe(0, 0.1, {"loss": (0.5, 0.4)})
MODEL = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hold().lower(None), TypeError, "HoldThenAnneal: factor must be a number, got NoneType"),
        (lambda: anneal().lower(int), TypeError, "InformationAnneal: factor must be a number, got type"),
        (lambda: hold(hold="a"), TypeError, "HoldThenAnneal: hold must be a number, got str"),
        (lambda: anneal(earliest=[0]), TypeError, "InformationAnneal: earliest must be a number, got list"),
        (lambda: anneal(ceiling=10**400), ValueError, "InformationAnneal: ceiling must be finite, got int"),
        (lambda: anneal(lr_top=[torch.ones(2)]), TypeError, r"lr_top must be a number, got \[tensor"),
        (
            lambda: hold().load_state_dict({"_last_lr": 3}),
            TypeError,
            "HoldThenAnneal: _last_lr must be a list of rates, got 3",
        ),
        (lambda: PROBE.last("LOSS"), ValueError, "Probe: attribute must be one of loss, got 'LOSS'"),
        (lambda: PROBE.least_relative_gain(["loss"]), ValueError, "Probe: attribute must be one of loss"),
        (lambda: PROBE.least_relative_gain("loss", "best"), ValueError, "Probe: rule must be one of first-bad, paper"),
        (lambda: RangeOptions(generators=3), TypeError, r"generators must be a list of torch\.Generator, got 3"),
        (lambda: RangeOptions(attribute=[1]), TypeError, r"attribute must be a list of names, got \[1\]"),
        (lambda: RangeOptions(reset=1), TypeError, "RangeOptions: reset must be a function, got 1"),
        (
            lambda: lr_range_test(MODEL, sgd(), print, options=[None]),
            TypeError,
            r"options must be RangeOptions\(\.\.\.\)",
        ),
    ],
)
def test_an_argument_of_another_kind_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
