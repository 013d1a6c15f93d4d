"""What names that look are handed by mistake, and what they say of it: one line that names the place."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from infotorch import InformationPlane, Plan, ProximalSplit, diagnose
from infotorch.diagnostics import bottleneck_information, embed_modules

X, Y = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
MODEL = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def plane(**changes) -> InformationPlane:
    return InformationPlane(MODEL, (X, Y), **{"num_bins": 3} | changes)


def split_step(x):
    split = ProximalSplit.at(MODEL, "1", step_size=0.1, forward_optimizer=sgd, backward_optimizer=sgd)
    return split.step(x, lambda output: output.mean())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plane(layers=3), TypeError, "InformationPlane: layers must be a list of names, got 3"),
        (lambda: plane(layers=[None]), TypeError, r"InformationPlane: layers must be a list of names"),
        (lambda: plane(epochs="all"), TypeError, "InformationPlane: epochs must be a list of epochs"),
        (lambda: plane(out=3), TypeError, "InformationPlane: out must be a path, got 3"),
        (lambda: plane().write([None]), TypeError, r"InformationPlane: path must be a path, got \[None\]"),
        (lambda: next(plane().watch(3)), TypeError, r"steps must be those of train\(\.\.\.\), got 3"),
        (lambda: next(plane().watch([3])), TypeError, r"each step must be one of train\(\.\.\.\), got 3"),
        (
            lambda: diagnose(MODEL, (X, None), properties=False)["LAST"],
            KeyError,
            "Diagnosis: no layer 'LAST' was diagnosed; there are 0, 1",
        ),
        (lambda: bottleneck_information([1.0], X, Y), TypeError, "bottleneck_information: forward must be a function"),
        (
            lambda: embed_modules(Plan.end_to_end(MODEL, "CE", optimizer=sgd), 1.5),
            TypeError,
            r"embed_modules: splits must be a dict of pairs \(x, y\), got 1\.5",
        ),
        (lambda: split_step(True), TypeError, "ProximalSplit: a layer cannot take bool"),
        (
            lambda: split_step(X[:, :1]),
            ValueError,
            r"ProximalSplit: a layer cannot take torch\.float32 of shape \(20, 1\)",
        ),
    ],
)
def test_an_argument_of_another_kind_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_first_figure_leaves_the_filters_of_warnings():
    program = (
        "import warnings; from infotorch.figures.style import new_figure; held = list(warnings.filters); new_figure(); "
        "assert warnings.filters == held"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
