import copy
import math
import warnings
from dataclasses import fields

import pytest
import torch
from torch import nn
from torch.nn import functional

from infotorch.data.loading import load
from infotorch.schedules.decay import MutualInformationDecay
from infotorch.schedules.range_choice import Probe
from infotorch.schedules.range_test import RangeOptions, RangeTest, lr_range_test
from infotorch.schedules.signal import InformationSignal

# Most of these made-up grids end where the range does, which is told by a warning.
pytestmark = pytest.mark.filterwarnings("ignore:lr_range_test")

WHOLE = {"search": "exhaustive"}
RATES = (0.001, 0.01, 0.1, 1.0)


def run_whole(model, optimizer, train_epoch, **settings):
    """The whole test, in which every candidate is trained to the end, unless another search is named."""
    how = {field.name: settings.pop(field.name) for field in fields(RangeOptions) if field.name in settings}
    return lr_range_test(model, optimizer, train_epoch, options=RangeOptions(**WHOLE | how), **settings)


class Scripted:
    """A network whose reports are a function of the rate and the epoch alone."""

    def __init__(self, accuracies, loss=lambda rate, epoch: 2.0 - epoch):
        self.network = nn.Linear(2, 2)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.5, momentum=0.9)
        self.accuracies, self.loss, self.runs = accuracies, loss, []

    def train_epoch(self):
        rate = self.optimizer.param_groups[0]["lr"]
        weight = self.network.weight.detach().clone()
        # An epoch adds 1 to the weights, so that a run is known by weights that go on where the last epoch left them.
        if not self.runs or self.runs[-1]["rate"] != rate or not torch.equal(weight, self.runs[-1]["now"]):
            self.runs.append({"rate": rate, "start": weight, "epochs": 0})
        self.runs[-1]["epochs"] += 1
        self.optimizer.step()
        with torch.no_grad():
            self.network.weight.add_(1.0)
        self.runs[-1]["now"] = self.network.weight.detach().clone()
        epoch = self.runs[-1]["epochs"]
        return {"loss": self.loss(rate, epoch), "accuracy": self.accuracies[rate][epoch - 1]}

    def test(self, **options):
        settings = {"rates": RATES, "trials": 1, "epochs": 2, "search": "exhaustive"} | options
        return run_whole(self.network, self.optimizer, self.train_epoch, **settings)


GOOD = {0.001: (0.1, 0.15), 0.01: (0.1, 0.6), 0.1: (0.3, 0.9), 1.0: (0.1, 0.1)}
GOOD_OF_THREE = dict.fromkeys(RATES, (0.1, 0.2, 0.3))


def test_the_range_is_that_of_the_reports_and_the_table_holds_them():
    found = Scripted(GOOD).test()
    assert (found.lr_min, found.lr_max, found.lr_top, found.attribute) == (0.01, 0.1, 0.1, "accuracy")
    assert found.threshold is None
    assert found.epochs == 8
    line = found.table()[1]
    assert (line["lr"], line["accuracy_first"], line["accuracy_last"]) == (0.01, 0.1, 0.6)
    assert (line["loss_first"], line["loss_last"]) == (1.0, 0.0)
    (line,) = found.figure().data
    assert (line.x, line.y, line.mode) == (RATES, (0.15, 0.6, 0.9, 0.1), "lines+markers")


@pytest.mark.parametrize("search", ["exhaustive", "halving"])
def test_where_all_rates_learn_within_the_first_epoch_the_range_is_one_a_schedule_takes(search):
    quick = {0.001: (0.88, 0.9), 0.01: (0.89, 0.92), 0.1: (0.9, 0.93), 1.0: (0.1, 0.1)}
    scripted = Scripted(quick)
    with pytest.warns(UserWarning, match="lr_range_test: lr_min is the lowest candidate; give rates beyond") as told:
        found = scripted.test(search=search, trials=2)
    assert len(told) == 1
    assert (found.lr_min, found.lr_top, found.lr_max, found.edges) == (0.001, 0.1, 0.1, ("lr_min",))
    ends = {"lr_min": found.lr_min, "lr_max": found.lr_max, "lr_top": found.lr_top}
    schedule = MutualInformationDecay(scripted.optimizer, **ends, threshold=0.1, ceiling=2.3, epochs=5)
    assert schedule.get_last_lr() == [0.1]


def told_of(values, **options):
    with pytest.warns(UserWarning, match="lr_range_test") as told:
        found = Scripted(values).test(**options)
    (line,) = told
    return found, str(line.message)


def test_ends_of_the_grid_are_told_by_one_warning_and_in_the_result():
    found, line = told_of(GOOD | {1.0: (0.5, 0.95)})
    assert found.edges == ("lr_top", "lr_max")
    assert line == (
        "lr_range_test: lr_top is the highest candidate; lr_max is the highest candidate; give rates beyond it to know "
        "more."
    )
    found, line = told_of(GOOD | {1.0: (0.5, 0.85)})
    assert found.edges == ("lr_max",)
    assert "lr_top is" not in line
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Scripted(GOOD).test().edges == ()


def test_an_empty_range_is_told():
    found, line = told_of(dict.fromkeys(RATES, (0.1, 0.1)) | {0.1: (0.1, 0.9)})
    assert (found.lr_min, found.lr_max, found.edges) == (0.1, 0.1, ())
    assert "lr_min equals lr_max, and a schedule needs a range: give rates that lie closer together" in line


def test_every_candidate_of_a_trial_starts_from_the_same_weights_and_trials_from_others():
    scripted = Scripted(GOOD)
    scripted.test(trials=2)
    starts = [run["start"] for run in scripted.runs]
    assert len(starts) == 8
    assert all(torch.equal(start, starts[0]) for start in starts[:4])
    assert all(torch.equal(start, starts[4]) for start in starts[4:])
    assert not torch.equal(starts[0], starts[4])
    again = Scripted(GOOD)
    again.network.load_state_dict({"weight": starts[0], "bias": again.network.bias.detach()})
    again.test(trials=2)
    assert torch.equal(again.runs[4]["start"], starts[4])  # decided by the seed alone


def test_a_crash_begins_the_next_trial_at_its_rate():
    crashing = GOOD | {0.1: (0.9, math.nan), 1.0: (math.nan, math.nan)}
    scripted = Scripted(crashing)
    found = scripted.test(trials=3)
    # trial 0 crashes at 0.1, trial 1 begins there and crashes again, trial 2 begins anew
    assert [(probe.trial, probe.rate, probe.crashed) for probe in found.probes] == [
        (0, 0.001, False),
        (0, 0.01, False),
        (1, 0.1, True),
        (2, 0.001, False),
        (2, 0.01, False),
        (2, 0.1, True),
    ]
    assert found.lr_max == 0.01


@pytest.mark.parametrize(
    ("values", "crashed"),
    [((0.2, 0.8, 0.3), True), ((0.2, 0.8, 0.6), False), ((-1.0, -0.2, -0.9), True), ((-1.0, -0.2, -0.5), False)],
)
def test_a_sudden_fall_is_a_crash_of_signed_values_too(values, crashed):
    scripted = Scripted({0.1: (0.9, 0.9, 0.9), 1.0: values})
    scripted.loss = lambda rate, epoch: 2.0 - epoch if rate == 0.1 else -values[epoch - 1]
    found = scripted.test(rates=(0.1, 1.0), epochs=3, attribute="accuracy")
    assert found.probes[1].crashed is crashed


def test_a_dip_of_the_accuracy_alone_is_no_crash():
    found = Scripted({0.1: (0.2, 0.9, 0.9), 1.0: (0.2, 0.8, 0.3)}).test(rates=(0.1, 1.0), epochs=3)
    assert not any(probe.crashed for probe in found.probes)


def test_of_a_loss_its_fall_counts_whatever_its_sign():
    finals = {0.001: -5.0, 0.01: -9.0, 0.1: -8.9, 1.0: -4.0}
    scripted = Scripted(dict.fromkeys(RATES, (0.5, 0.5)), loss=lambda rate, epoch: -4.0 if epoch == 1 else finals[rate])
    found = scripted.test(attribute="loss")
    assert (found.lr_min, found.lr_top, found.lr_max) == (0.001, 0.01, 0.1)


def test_a_loss_that_fell_in_the_first_epoch_already_has_fallen():
    # per rate: the loss after the first and the second epoch, from 2.3 untrained
    losses = {0.001: (2.3, 2.29), 0.01: (1.9, 1.2), 0.1: (0.3, 0.1), 1.0: (2.3, 2.3)}
    found = Scripted(GOOD, loss=lambda rate, epoch: losses[rate][epoch - 1]).test(attribute="loss")
    assert (found.lr_min, found.lr_top, found.lr_max) == (0.01, 0.1, 0.1)


def test_noise_in_a_loss_that_hardly_falls_is_no_crash():
    wavering = (2.30, 2.28, 2.31)
    scripted = Scripted(
        dict.fromkeys(RATES, (0.1, 0.2, 0.3)),
        loss=lambda rate, epoch: wavering[epoch - 1] if rate == 0.001 else 2.0 - epoch / 2,
    )
    assert not any(probe.crashed for probe in scripted.test(epochs=3).probes)
    scripted.loss = lambda rate, epoch: (2.3, 0.3, 1.9)[epoch - 1] if rate == 1.0 else 2.0 - epoch / 2
    scripted.accuracies = GOOD_OF_THREE | {1.0: (0.1, 0.8, 0.2)}
    assert [probe.crashed for probe in scripted.test(epochs=3).probes] == [False, False, False, True]


def test_of_several_attributes_the_one_with_the_larger_maximum_chooses():
    scripted = Scripted(GOOD, loss=lambda rate, epoch: 3.0 - epoch * (2.0 if rate == 1.0 else 0.1))
    assert scripted.test(attribute=("accuracy", "loss")).attribute == "loss"
    assert scripted.test(attribute=("accuracy", "loss")).lr_max == 1.0


def test_a_dead_network_is_left_early():
    rising = {rate: tuple(0.1 + 0.1 * epoch * (rate < 1) for epoch in range(6)) for rate in RATES}
    options = {"loss": lambda rate, epoch: 2.3 if rate == 1.0 else 2.0 - epoch}
    dead = Scripted(rising, **options).test(epochs=6).probes[-1]
    assert dead.dead
    assert len(dead.values["loss"]) == 3
    whole = Scripted(rising, **options).test(epochs=6, stop_dead=False).probes[-1]
    assert not whole.dead
    assert len(whole.values["loss"]) == 6


def test_everything_is_as_before_afterwards_also_after_an_error():
    def snapshot(scripted, loader):
        state = copy.deepcopy((scripted.network.state_dict(), scripted.optimizer.state_dict()))
        return state, torch.get_rng_state(), loader.get_state(), scripted.network.training, scripted.network.bias.grad

    def same(a, b):
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(map(same, a, b))
        return a == b

    for broken in (False, True):
        scripted, loader = Scripted(GOOD), torch.Generator().manual_seed(3)
        scripted.network(torch.ones(1, 2)).sum().backward()
        scripted.optimizer.step()  # momentum buffers
        scripted.network.eval()

        def epoch(scripted=scripted, loader=loader, broken=broken):
            torch.rand(3)
            torch.rand(3, generator=loader)
            scripted.network.train()
            scripted.network.bias.grad = None
            if broken and len(scripted.runs) > 2:
                raise RuntimeError("the loader broke")
            return scripted.train_epoch()

        before = snapshot(scripted, loader)
        options = {"rates": RATES, "trials": 2, "epochs": 2, "generators": [loader]}
        if broken:
            with pytest.raises(RuntimeError, match="the loader broke"):
                run_whole(scripted.network, scripted.optimizer, epoch, **options)
        else:
            run_whole(scripted.network, scripted.optimizer, epoch, **options)
        assert same(snapshot(scripted, loader), before)


def test_what_the_optimizer_keeps_in_another_type_than_its_weights_keeps_it():
    network = nn.Linear(2, 2).bfloat16()
    optimizer = torch.optim.NAdam(network.parameters(), lr=0.1)

    def train_epoch():
        optimizer.zero_grad()
        loss = network(torch.ones(1, 2).bfloat16()).square().sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    train_epoch()
    before = optimizer.state[network.weight]["mu_product"].clone()  # float32
    assert before != before.bfloat16()
    run_whole(network, optimizer, train_epoch, rates=RATES, trials=1, epochs=2)
    after = optimizer.state[network.weight]["mu_product"]
    assert after.dtype == torch.float32
    assert torch.equal(after, before)


def test_candidates_see_the_same_random_numbers():
    scripted, drawn = Scripted(GOOD), []

    def epoch():
        drawn.append(torch.rand(1).item())
        return scripted.train_epoch()

    run_whole(scripted.network, scripted.optimizer, epoch, rates=RATES, trials=1, epochs=2)
    assert drawn[0::2] == [drawn[0]] * 4
    assert drawn[1::2] == [drawn[1]] * 4


@pytest.mark.parametrize("draws", [False, True])
def test_the_signal_at_the_start_of_a_trial_is_measured_once_and_what_it_draws_is_drawn_for_all(draws):
    scripted, drawn, measured = Scripted(GOOD), [], []

    def signal():
        measured.append(torch.rand(1).item() if draws else 1.0 + len(measured))
        return measured[-1]

    def epoch():
        drawn.append(torch.rand(1).item())
        return scripted.train_epoch()

    options = {"signal": signal, "rates": RATES, "trials": 2, "epochs": 2, "attribute": "accuracy"}
    found = run_whole(scripted.network, scripted.optimizer, epoch, **options)
    assert len(measured) == 2 + found.epochs
    for trial in (0, 1):
        of_trial = [probe.values["information"] for probe in found.probes if probe.trial == trial]
        assert len({values[0] for values in of_trial}) == 1
        assert of_trial[0][0] == measured[0 if trial == 0 else 9]
    of_first = drawn[0:8]
    assert of_first[0::2] == [of_first[0]] * 4
    assert of_first[1::2] == [of_first[1]] * 4


def digits():
    rows = load("digits").train
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

    def epoch():
        losses = []
        for part in torch.randperm(len(rows)).split(64):
            loss = functional.cross_entropy(network(rows.x[part]), rows.y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            right = (network(rows.x).argmax(dim=1) == rows.y).float().mean().item()
        return {"loss": sum(losses) / len(losses), "accuracy": right}

    return network, optimizer, epoch, rows


def test_on_digits_the_range_leaves_out_rates_that_do_not_learn_and_rates_that_kill():
    network, optimizer, epoch, rows = digits()
    signal = InformationSignal(network, (rows.x, rows.y), num_samples=300)
    found = run_whole(
        network, optimizer, epoch, signal=signal, rates=[1e-5, 1e-3, 1e-2, 1e-1, 1.0, 30.0], trials=2, epochs=2
    )
    assert 1e-5 < found.lr_min <= found.lr_top <= found.lr_max < 30.0
    assert 0 < found.threshold < 1
    assert all(probe.failed or probe.last("accuracy") < 0.5 for probe in found.probes if probe.rate == 30.0)
    ceiling = signal.ceiling
    assert all(max(probe.values["information"]) <= ceiling + 1e-6 for probe in found.probes if not probe.failed)


def test_a_signal_of_layers_gives_a_range_for_each():
    network, optimizer, epoch, rows = digits()
    signal = InformationSignal(network, (rows.x, rows.y), num_samples=300, layers=["1", "3"])
    options = {"signal": signal, "attribute": "information", "rates": [1e-4, 1e-2, 1e-1], "trials": 1, "epochs": 2}
    with pytest.warns(UserWarning, match="lr_top is the highest candidate in layer 0, 1; "):
        found = run_whole(network, optimizer, epoch, **options)
    assert len(found.lr_min) == len(found.lr_max) == len(found.lr_top) == len(found.threshold) == 2
    assert found.edges == [
        tuple(
            end for end, rate in (("lr_min", 1e-4), ("lr_top", 0.1), ("lr_max", 0.1)) if getattr(found, end)[n] == rate
        )
        for n in range(2)
    ]
    assert [line.name for line in found.figure().data] == ["information 0, trial 0", "information 1, trial 0"]


def test_the_figure_marks_the_range_on_its_logarithmic_axis_and_joins_no_lengths():
    probes = (
        Probe(0, 0.01, {"loss": (-2.0, -1.0), "accuracy": (0.2, 0.4)}),
        Probe(0, 0.1, {"loss": (-1.0,), "accuracy": (0.3,)}),
        Probe(0, 1.0, {"loss": (-9.0,), "accuracy": (0.1,)}, crashed=True),
    )
    found = RangeTest(0.01, 0.1, 0.1, None, "accuracy", probes, 3, 0.1)
    figure = found.figure()
    (line,) = figure.data
    assert (line.x, line.mode) == ((0.01, 0.1), "markers")
    notes = {note.text: note.x for note in figure.layout.annotations}
    assert notes == {"lr_min": -2.0, "lr_top": -1.0, "lr_max": -1.0}
    assert [shape.x0 for shape in figure.layout.shapes] == [found.lr_min, found.lr_top, found.lr_max]
    assert figure.layout.xaxis.type == "log"


def test_the_figure_of_a_loss_shows_the_loss():
    found = Scripted(GOOD, loss=lambda rate, epoch: 2.3 - rate * epoch).test(attribute="loss")
    assert found.figure().data[0].y == pytest.approx([2.3 - 2 * rate for rate in RATES])


def test_a_rate_that_is_a_tensor_stays_that_tensor():
    scripted = Scripted(GOOD)
    (group,), rate, seen = scripted.optimizer.param_groups, torch.tensor(0.5), []
    group["lr"] = rate

    def train_epoch():
        seen.append(scripted.optimizer.param_groups[0]["lr"])
        scripted.optimizer.step()
        return -rate.item()

    found = run_whole(scripted.network, scripted.optimizer, train_epoch, rates=RATES, trials=2, epochs=2)
    assert scripted.optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5
    assert all(one is rate for one in seen)
    assert [probe.last("loss") for probe in found.probes[:4]] == pytest.approx(RATES)


def test_a_network_that_died_is_left_by_rosss_information_of_ten_classes():
    rows = load("digits").train
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    signal = InformationSignal(network, (rows.x, rows.y), num_samples=300)

    def train_epoch():
        optimizer.step()
        if optimizer.param_groups[0]["lr"] == 1.0:
            with torch.no_grad():
                network[1].weight.zero_()
        return -optimizer.param_groups[0]["lr"]

    found = run_whole(network, optimizer, train_epoch, signal=signal, rates=RATES, trials=1, epochs=4)
    assert [probe.dead for probe in found.probes] == [False, False, False, True]
    assert [probe.epochs for probe in found.probes] == [4, 4, 4, 1]


@pytest.mark.parametrize(("information", "is_dead"), [(0.0, True), (-1.8e-15, True), (1e-8, False), (-1e-8, False)])
def test_information_that_is_rounding_is_none(information, is_dead):
    scripted = Scripted(GOOD)

    def signal():
        return information if scripted.optimizer.param_groups[0]["lr"] == 1.0 else 0.5

    found = scripted.test(signal=signal)
    assert [probe.dead for probe in found.probes] == [False, False, False, is_dead]


def test_a_buffer_that_a_forward_pass_replaces_is_what_it_was():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls = self.calls + 1
            return super().forward(x)

    network = Counting()
    optimizer, before, starts = torch.optim.SGD(network.parameters(), lr=0.1), network.calls, []

    def train_epoch():
        starts.append(network.calls.item())
        network(torch.ones(1, 2))
        optimizer.step()
        return {"loss": 1.0, "accuracy": 0.5 + optimizer.param_groups[0]["lr"]}

    run_whole(network, optimizer, train_epoch, rates=(0.1, 0.2), trials=1, epochs=2, stop_dead=False)
    assert network.calls is before
    assert network.calls.item() == 0.0
    assert starts == [0.0, 1.0, 0.0, 1.0]
