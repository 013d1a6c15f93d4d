"""Fitting, measuring and judging a model whose weights, or samples too, lie on a device beside the CPU."""

import math
from dataclasses import asdict, is_dataclass

import pytest
import torch
from tests.devices.places import moved
from torch import nn

import infotorch
from infotorch import Plan, TensorBatches
from infotorch.assessment import calibration_table
from infotorch.assessment.assess import assess
from infotorch.assessment.robustness import layer_robustness
from infotorch.diagnostics import (
    alignment,
    bottleneck_information,
    compare_networks,
    correlation_dimension,
    effective_rank,
    embed_modules,
    information_dimension,
    uniformity,
)
from infotorch.diagnostics.compression import compression
from infotorch.diagnostics.sensitivity import binned_sensitivity, noisy_sensitivity
from infotorch.diagnostics.simplicity import decisions
from infotorch.numerics.seeds import seed_streams
from infotorch.schedules import InformationStopping, RangeOptions
from infotorch.training.evaluate import plan_accuracy

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(120, 6, generator=GENERATOR)
Y = (X[:, 0] > 0).long() + (X[:, 1] > 1).long()
IMAGES, KINDS = torch.rand(60, 1, 8, 8, generator=GENERATOR), torch.arange(60) % 3


def network(device):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).to(device)


def convolutions(device):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).to(device)


def plan(device):
    return Plan.layerwise(network(device), ("3",), "Y,CE", optimizer=lambda p: torch.optim.SGD(p, lr=0.1))


def data(device):
    return X.to(device), Y.to(device)


def epochs(model, x, y):
    """An epoch at a time, of four batches."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train():
        for rows in range(0, 120, 30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows : rows + 30]), y[rows : rows + 30]).backward()
            optimizer.step()

    return optimizer, train


def fit(device, given):
    model = network(device)
    result = infotorch.fit(model, given, epochs=2, batch_size=30, validation=(X, Y))
    return list(model.parameters()), result.metrics, result.evaluate((X, Y))


def decay(device, kind):
    (x, y), model = data(device), network(device)
    optimizer, train = epochs(model, x, y)
    signal = infotorch.InformationSignal(model, (x, y), num_samples=100)
    settings = {"lr_min": 1e-3, "lr_top": 0.1, "threshold": 0.1, "ceiling": signal.ceiling, "epochs": 4}
    schedule = kind(optimizer, **settings | ({"lr_max": 0.2} if kind is infotorch.MutualInformationDecay else {}))
    rates = []
    for _ in range(4):
        train()
        schedule.step(signal())
        rates.append(optimizer.param_groups[0]["lr"])
    return rates, list(model.parameters())


def stopping(device):
    (x, y), model = data(device), network(device)
    optimizer, train = epochs(model, x, y)
    rule = InformationStopping([model, optimizer], ceiling=1.0, patience=1)
    went_back = []
    for information in (0.5, 0.9, 0.2, 0.1):
        train()
        went_back.append(rule.step(information))
    return went_back, list(model.parameters())


def range_test(device):
    (x, y), model = data(device), network(device)
    optimizer, train = epochs(model, x, y)

    def report():
        train()
        scores = model(x)
        return {
            "loss": nn.functional.cross_entropy(scores, y).item(),
            "accuracy": (scores.argmax(1) == y).float().mean().item(),
        }

    found = infotorch.lr_range_test(
        model, optimizer, report, rates=[1e-3, 0.1, 1.0], trials=2, epochs=2, options=RangeOptions()
    )
    return found.lr_top, found.table()


def plane(device):
    watching = infotorch.InformationPlane(network(device), data(device), layers=["0", "3"], num_bins=4)
    watching(0)
    return watching.table()


def proximal(device, order):
    model, (x, y) = network(device), data(device)
    halves = model[:3], model[3:]
    moves = [torch.optim.SGD(half.parameters(), lr=0.1) for half in halves]
    update = infotorch.ProximalSplit(
        *halves, order=order, step_size=0.1, forward_optimizer=moves[0], backward_optimizer=moves[1]
    )
    return [update.step(x, lambda scores: nn.functional.cross_entropy(scores, y)).loss for _ in range(3)]


def evaluated(device):
    trained = plan(device)
    for _ in infotorch.train(trained, TensorBatches(*data(device), batch_size=30), epochs=1):
        pass
    return plan_accuracy(trained, *data(device))


CASES = {
    "fit, samples on the CPU": lambda d: fit(d, (X, Y)),
    "fit, samples there": lambda d: fit(d, data(d)),
    "fit, a loader": lambda d: fit(d, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=30)),
    "MutualInformationDecay": lambda d: decay(d, infotorch.MutualInformationDecay),
    "InformationAnneal": lambda d: decay(d, infotorch.schedules.InformationAnneal),
    "InformationStopping": stopping,
    "lr_range_test": range_test,
    "InformationSignal of layers": lambda d: infotorch.InformationSignal(
        network(d), data(d), layers=["0", "3"], num_samples=100
    )(),
    "InformationPlane": plane,
    **{f"ProximalSplit {order}": lambda d, order=order: proximal(d, order) for order in (1, 2, "hybrid")},
    "plan_accuracy": evaluated,
    "diagnose": lambda d: [(layer.name, layer.verdict) for layer in infotorch.diagnose(network(d), data(d)).layers],
    "audit_isolation": lambda d: infotorch.audit_isolation(plan(d), *data(d)).certified,
    "compare_networks": lambda d: compare_networks(network(d), network(d), data(d)).table(),
    "embed_modules": lambda d: [
        one.place for one in embed_modules(plan(d), {"train": data(d), "test": data(d)}, num_samples=40)
    ],
    "bottleneck_information": lambda d: bottleneck_information(network(d).eval(), *data(d)),
    "compression": lambda d: compression(*data(d), noise_levels=[0.1], num_bins=[3]),
    "decisions": lambda d: decisions(*data(d)),
    "noisy_sensitivity": lambda d: noisy_sensitivity(X.to(d), 0.3),
    "binned_sensitivity": lambda d: binned_sensitivity(X.to(d)),
    "correlation_dimension": lambda d: correlation_dimension(X.to(d)),
    "information_dimension": lambda d: information_dimension(X.to(d)),
    "effective_rank": lambda d: effective_rank(X.to(d)),
    "alignment": lambda d: alignment(*data(d)),
    "uniformity": lambda d: uniformity(X.to(d)),
    "assess": lambda d: assess(
        convolutions(d),
        (IMAGES.to(d), KINDS.to(d)),
        IMAGES.to(d) * 0.5,
        pixel_range=(0.0, 1.0),
        num_samples=30,
        steps=3,
    ),
    "layer_robustness": lambda d: layer_robustness(
        network(d).eval(), "2", *data(d), radii=[0.1], streams=seed_streams(0)
    ),
    "calibration_table": lambda d: [
        {key: value for key, value in line.items() if key != "ms_per_sample"}
        for line in calibration_table(convolutions(d), (IMAGES.to(d), KINDS.to(d)), corruptions=None).table()
    ],
}


def same(one, other, off):
    if is_dataclass(one):
        one, other = vars(one) if hasattr(one, "__dict__") else asdict(one), vars(other)
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(other.cpu(), one, rtol=off, atol=off)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key], off)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            same(first, second, off)
    elif isinstance(one, float):
        assert (math.isnan(one) and math.isnan(other)) or one == pytest.approx(other, rel=off, abs=off)
    else:
        assert one == other


#: Seconds each.
SLOW = {"compare_networks", "diagnose", "audit_isolation"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES])
def test_what_is_found_is_what_the_processor_finds(place, name):
    """In float32, so that a GPU's products are near and no nearer; on the stand-in they are the CPU's."""
    wanted = CASES[name]("cpu")
    with place.drawing_alike():
        found = CASES[name](place.device)
    same(moved(wanted, "cpu"), moved(found, "cpu"), 1e-5 if place.accuracy < 1e-9 else 1e-2)
