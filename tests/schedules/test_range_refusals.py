"""What a range test refuses, and in which words: before anything is trained where that is possible."""

import math

import pytest
import torch
from tests.schedules.test_range_test import GOOD, RATES, Scripted, run_whole
from torch import nn

from infotorch.schedules.range_test import lr_range_test
from infotorch.schedules.signal import InformationSignal

pytestmark = pytest.mark.filterwarnings("ignore:lr_range_test")


def test_wrong_use_is_refused():
    scripted = Scripted(GOOD)
    for options, message in [
        ({"rates": ()}, "rates must be positive and ascend"),
        ({"rates": (0.1, 0.01)}, "rates must be positive and ascend"),
        ({"rates": (0.0, 0.1)}, "rates must be positive and ascend"),
        ({"rates": (0.1, math.nan)}, "rates must be positive and ascend"),
        ({"rates": (0.1, math.inf)}, "rates must be positive and ascend"),
        ({"c1": 0.0}, "c1 must be positive"),
        ({"rule": "mine"}, "rule must be one of"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"search": "bisection"}, "search must be one of"),
        ({"c2": -1.0}, "RangeOptions: c2 must be positive"),
        ({"search": "halving", "rule": "paper"}, "the rule 'paper' looks at every candidate to the end"),
        ({"attribute": "recall"}, "attribute 'recall' was not reported; there are loss, accuracy"),
    ]:
        with pytest.raises(ValueError, match=message):
            scripted.test(**options)
    for rates in (["a"], 0.1, "12", [None]):
        with pytest.raises(TypeError, match="rates must be a sequence of numbers, got"):
            scripted.test(rates=rates)
    with pytest.raises(TypeError, match=r"seed must be an integer, got 0\.5"):
        scripted.test(seed=0.5)
    given = {"model": scripted.network, "optimizer": scripted.optimizer, "train_epoch": scripted.train_epoch}
    swapped = {"model": scripted.optimizer, "optimizer": scripted.network}
    for wrong, message in [
        ({"model": [scripted.network]}, "model must be of nn.Module, got list"),
        (swapped, "model must be of nn.Module, got SGD; the order is model, optimizer, train_epoch"),
        ({"optimizer": "sgd"}, "optimizer must be of torch.optim.Optimizer, got str"),
        ({"train_epoch": 3}, "train_epoch must be a function without arguments, got 3"),
        ({"train_epoch": scripted.network}, "train_epoch must be a function without arguments, got Linear"),
        ({"signal": nn.Identity()}, "signal must be a function without arguments, got Identity"),
        ({"signal": InformationSignal}, "signal must be a function without arguments, got type"),
    ]:
        with pytest.raises(TypeError, match=message):
            lr_range_test(**{**given, **wrong})
    for value in (None, "high", "0.5", [], [0.5, None], torch.ones(2)):
        with pytest.raises(TypeError, match="signal must give a number, or a list of them, got"):
            scripted.test(signal=lambda value=value: value)
    for report, message in [({"accuracy": 1.0}, "must report its mean loss"), ("low", "must report numbers")]:

        def train_epoch(report=report):
            scripted.optimizer.step()
            return report

        with pytest.raises(TypeError, match=message):
            lr_range_test(scripted.network, scripted.optimizer, train_epoch, trials=1)


def test_a_layer_that_cannot_be_reset_is_named_and_may_be_reset_by_the_caller():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    scripted = Scripted(GOOD)
    scripted.network.extra = Scale()
    with pytest.raises(
        ValueError, match=r"layer extra has no reset_parameters; give reset, .* freeze .* or choose trials=1"
    ):
        scripted.test(trials=2)
    assert scripted.runs == []  # before anything is trained
    scripted.test(trials=1)
    calls = []
    scripted.test(trials=2, reset=lambda: calls.append(torch.rand(1).item()))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: nn.TransformerEncoderLayer(4, 2, 8), "self_attn"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "parametrizations.weight"),
    ],
)
def test_layers_of_torch_that_cannot_be_reset_are_refused_before_the_first_trial(layer, name):
    scripted = Scripted(GOOD)
    scripted.network.extra = layer()
    for search in ("exhaustive", "halving"):
        with pytest.raises(ValueError, match=f"layer extra.{name} has no reset_parameters"):
            scripted.test(trials=2, search=search)
    assert scripted.runs == []


def test_an_optimizer_that_train_epoch_does_not_step_is_refused():
    network, other = nn.Linear(2, 2), nn.Linear(2, 2)
    own, again, others = (torch.optim.SGD(one.parameters(), lr=0.5) for one in (network, network, other))

    def train_epoch():
        loss = network(torch.ones(1, 2)).square().sum()
        loss.backward()
        own.step()
        return loss.item()

    refused = "train_epoch took no step of the optimizer that it was given with"
    for given, message in [((network, again), refused), ((other, others), refused), ((other, own), "no parameter of")]:
        with pytest.raises(ValueError, match=message):
            lr_range_test(*given, train_epoch, rates=RATES, trials=1)
    lr_range_test(network, own, train_epoch, rates=RATES, trials=1)
    assert not own._optimizer_step_post_hooks


@pytest.mark.parametrize("epochs_to_a_change", [1, 2])
def test_a_schedule_that_train_epoch_steps_is_refused(epochs_to_a_change):
    network = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, epochs_to_a_change)

    def train_epoch():
        optimizer.zero_grad()
        loss = network(torch.ones(1, 2)).square().sum()
        loss.backward()
        optimizer.step()
        if moves:
            schedule.step()
        return loss.item()

    moves = True
    with pytest.raises(ValueError, match=r"train_epoch moved the optimizer's rate from 0\.\d+ to 0\.\d+ by a schedule"):
        lr_range_test(network, optimizer, train_epoch, rates=[0.1, 0.2], trials=1, epochs=2)
    assert optimizer.param_groups[0]["lr"] == 0.5
    moves = False
    lr_range_test(network, optimizer, train_epoch, rates=[0.1, 0.2], trials=1, epochs=2)


def test_a_network_without_weights_yet_is_refused():
    network = nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(2))
    optimizer = torch.optim.SGD(network[0].parameters(), lr=0.1)

    def train_epoch():
        optimizer.step()
        return -optimizer.param_groups[0]["lr"]

    with pytest.raises(ValueError, match="lr_range_test: layer 1 has no weights yet; run the model on some rows first"):
        lr_range_test(network, optimizer, lambda: 1.0)
    with pytest.raises(ValueError, match="layer network has no weights yet"):
        lr_range_test(nn.LazyBatchNorm1d(), optimizer, lambda: 1.0)
    network(torch.ones(5, 4))
    found = lr_range_test(network, optimizer, train_epoch, rates=(0.1, 0.2), epochs=1)
    assert found.lr_top == 0.2


class TestASignalThatRefuses:
    """What it says reaches the caller, but where the network's numbers have left what information is defined for."""

    def run(self, signal, blow_up):
        scripted = Scripted(GOOD)
        train = scripted.train_epoch

        def epoch():
            report = train()
            if blow_up is not None and scripted.optimizer.param_groups[0]["lr"] == 1.0:
                with torch.no_grad():
                    scripted.network.weight.fill_(blow_up)
            return report

        options = {"rates": RATES, "trials": 1, "epochs": 2, "signal": lambda: signal(scripted.network)}
        try:
            return run_whole(scripted.network, scripted.optimizer, epoch, **options)
        finally:
            assert not scripted.network._forward_hooks

    @staticmethod
    def strict(network):
        output = network(torch.ones(3, 2))
        if not output.isfinite().all():
            raise ValueError("x must be finite")
        return 1.0

    @pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])  # the last: finite weights, an output that is not
    def test_numbers_that_are_not_finite_have_no_information(self, value):
        found = self.run(self.strict, value)
        assert [probe.crashed for probe in found.probes] == [False, False, False, True]
        assert [math.isnan(probe.last("information")) for probe in found.probes] == [False, False, False, True]

    @pytest.mark.parametrize("fails_at", [0, 1, 5])
    def test_everything_else_reaches_the_caller(self, fails_at):
        calls = []

        def signal(network):
            calls.append(network(torch.ones(3, 2)))
            if len(calls) > fails_at:
                raise ValueError("n must be at most the number of rows, 3, got 500.")
            return 1.0

        with pytest.raises(ValueError, match="n must be at most the number of rows, 3, got 500"):
            self.run(signal, None)
