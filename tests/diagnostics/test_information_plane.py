import copy
import gc
import json
import math
import random

import numpy as np
import pytest
import torch
from tests.diagnostics.zoo import Apply, gaussian
from torch import nn

from infotorch import Plan, TensorBatches, train
from infotorch.diagnostics.information_plane import InformationPlane, log_epochs
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.channel import pairwise_bounds
from infotorch.estimators.class_neighbours import ross
from infotorch.networks.noise import GaussianNoise
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.objectives.regularisers import NuisanceInformation
from infotorch.report.information_plane import epochs_figure

X = gaussian(200, 4)
Y = (X[:, 0] > 0).long()


def network():
    torch.manual_seed(0)
    noise = Apply(lambda x: x + 0.1 * torch.randn_like(x))
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), noise, nn.Linear(8, 2))


def trained(watched):
    """Weights, buffers and the random state after three epochs of a plain loop that draws from the global generator."""
    model = network().train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    plane = InformationPlane(model, (X, None), ["1", "4"], relative_noise=0.3, num_samples=50) if watched else None
    losses = []
    for epoch in range(3):
        for rows in torch.randperm(200).split(50):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(X[rows]), Y[rows])
            loss.backward()
            if plane is not None:
                plane(10 * epoch + len(losses))  # between backward and step: gradients are there
            optimizer.step()
            losses.append(loss.item())
    return model.state_dict(), losses, torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002


def test_watching_changes_no_bit_of_a_training():
    (plain, plain_losses, *plain_states), (watched, losses, *states) = trained(False), trained(True)
    assert losses == plain_losses
    assert all(torch.equal(watched[name], value) for name, value in plain.items())
    assert torch.equal(states[0], plain_states[0])
    assert (states[1] == plain_states[1]).all()


def test_watching_train_changes_no_bit_and_counts_the_epochs_of_all_stages():
    def run(watch):
        model = network()
        plan = Plan.layerwise(model, ("5",), "CE,CE", optimizer=lambda p: torch.optim.SGD(p, 0.1))
        steps = train(plan, TensorBatches(X, Y, batch_size=64, seed=0), epochs=2, seed=0)
        plane = InformationPlane(model, (X, Y), ["2", "5"], num_bins=5, num_samples=40)
        seen = [info.next.steps for info in (plane.watch(steps) if watch else steps)]
        return model.state_dict(), seen, plane

    (plain, steps, _), (watched, seen, plane) = run(False), run(True)
    assert seen == steps
    assert all(torch.equal(watched[name], value) for name, value in plain.items())
    assert [point.epoch for point in plane.points] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]  # two stages of two epochs


def test_a_look_leaves_modes_gradients_and_hooks():
    model = network().train()
    model[1].eval()
    model(X).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    InformationPlane(model, (X, None), relative_noise=0.3)(0)
    assert [layer.training for layer in model] == [True, False, True, True, True, True]
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), before, strict=True))
    assert not any(layer._forward_hooks for layer in model.modules())


def test_the_values_are_those_of_the_estimators_on_the_layer():
    model = network()
    t = torch.tanh(model[1].eval()(model[0](X))).detach()
    spread = float((t - t.mean(dim=0)).square().sum(dim=1).mean().sqrt())
    (noisy,) = InformationPlane(model, (X, Y), ["2"], relative_noise=0.3)(7)
    lower, upper = pairwise_bounds(t, 0.3 * spread)
    assert (noisy.epoch, noisy.layer) == (7, "2")
    assert noisy.mi_xt == pytest.approx(float(upper), rel=1e-4)
    assert noisy.mi_xt_lower == pytest.approx(float(lower), rel=1e-4)
    assert noisy.mi_ty == pytest.approx(float(ross(t, Y)), abs=1e-6)
    assert noisy.mi_ty_error > 0
    assert noisy.assumption.startswith("noise_std=")
    assert float(noisy.assumption.split("=")[1]) == pytest.approx(0.3 * spread, rel=1e-4)
    assert noisy.xt_estimator == "pairwise_bounds upper"
    assert noisy.ceiling == pytest.approx(math.log(200))
    (binned,) = InformationPlane(model, (X, Y), ["2"], bin_width=0.5)(0)
    assert binned.mi_xt == pytest.approx(float(binned_mi(torch.arange(200), t, bin_width=0.5)), abs=0.02)
    assert binned.mi_ty == pytest.approx(float(binned_mi(t, Y, bin_width=0.5)), abs=0.02)
    assert binned.mi_xt_lower is None
    assert binned.assumption == "bin_width=0.5"


def test_noise_in_the_layers_own_units_is_cheated_by_its_scale_and_relative_noise_is_not():
    model = nn.Sequential(nn.Linear(4, 3))
    planes = {name: InformationPlane(model, (X, None), **{name: 0.3}) for name in ("noise_std", "relative_noise")}
    before = {name: plane(0)[0].mi_xt for name, plane in planes.items()}
    with torch.no_grad():
        model[0].weight.mul_(0.1)
    after = {name: plane(1)[0].mi_xt for name, plane in planes.items()}
    assert after["noise_std"] < before["noise_std"] / 2
    assert after["relative_noise"] == pytest.approx(before["relative_noise"], rel=1e-4)


def test_relative_noise_is_that_of_the_objectives_over_the_root_of_the_columns():
    columns, number = 64, 0.6
    t = 3.0 * gaussian(200, columns) + 1.0
    (point,) = InformationPlane(nn.Sequential(nn.Identity()), (t, None), ["0"], relative_noise=number)(0)
    carried = number * math.sqrt(columns)
    objective = InformationBottleneck(beta=1.0, noise_std=carried, noise="relative", penalty="pairwise")
    batch = LocalBatch(t, t, t, Y)
    objective.build(batch, Y)
    assert float(objective(batch).terms["mi_xt_nats"]) == pytest.approx(point.mi_xt, rel=1e-4)
    assert 0.1 < point.mi_xt < point.ceiling - 0.1  # where the noise matters
    in_network = float(GaussianNoise(carried, scale="relative").std(t))
    assert in_network == pytest.approx(float(point.assumption.split("=")[1]), rel=1e-4)
    # Where the rows share one nuisance, its value is the upper bound less the lower one.
    nuisance = NuisanceInformation(lambda x: torch.zeros(len(x), dtype=torch.long), noise_std=carried)
    lower, upper = pairwise_bounds(t, in_network)
    (found,) = nuisance(batch).terms.values()
    assert float(found) == pytest.approx(float(upper) - float(lower), rel=1e-3)


def test_chance_of_numpy_and_python_is_the_same_at_every_look_and_comes_back():
    def noisy(x):
        return x + torch.as_tensor(np.random.randn(*x.shape), dtype=x.dtype) * random.random()  # noqa: NPY002

    network = nn.Sequential(nn.Linear(4, 3), Apply(noisy))
    plane = InformationPlane(network, (X, Y), layers=["1"], relative_noise=0.3)
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    (first,), (second,) = plane(0), plane(1)
    assert (first.mi_xt, first.mi_ty) == (second.mi_xt, second.mi_ty)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002


def test_noise_of_a_layers_own_is_counted_where_it_is_known_and_named_where_it_is_not():
    x = torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
    noisy = nn.Sequential(nn.Identity(), GaussianNoise(10.0), nn.ReLU())
    first, own, behind = InformationPlane(noisy, (x, None), layers=["0", "1", "2"], noise_std=1.0)(0)
    truth = 0.5 * math.log(1 + 1 / 101)
    assert own.mi_xt_lower < truth < own.mi_xt < 0.02
    assert own.assumption == "noise_std=1, beside the layer's own noise"
    assert first.assumption == "noise_std=1"
    assert behind.mi_xt_lower is None
    assert "own noise is left out" in behind.assumption
    (_, binned, _) = InformationPlane(noisy, (x, None), layers=["0", "1", "2"], num_bins=30)(0)
    assert "own noise is left out" in binned.assumption


def test_learning_moves_a_layer_up_the_plane():
    torch.manual_seed(0)
    y = ((X[:, 0] * X[:, 1]) > 0).long()
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9)
    with InformationPlane(model, (X, y), ["2"], relative_noise=0.5, epochs=(0, 150)) as plane:
        for epoch in range(1, 151):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), y).backward()
            optimizer.step()
            plane(epoch)
    first, last = plane.points
    assert last.mi_ty > first.mi_ty + 0.3
    assert last.mi_xt < first.mi_xt  # the classes become two clusters


def test_only_the_epochs_asked_for_are_measured_and_each_once():
    plane = InformationPlane(network(), (X, None), ["5"], num_bins=4, epochs=log_epochs(10, per_decade=2))
    for epoch in [*range(11), 10, 3]:
        plane(epoch)
    assert [point.epoch for point in plane.points] == [0, 1, 3, 10]
    assert plane(3) == []


def test_the_rows_are_drawn_once_in_the_proportions_of_the_classes_and_copied():
    x, y = X.clone(), (torch.arange(200) < 50).long()
    plane = InformationPlane(network(), (x, y), ["5"], num_bins=4, num_samples=40)
    assert int(plane.y.sum()) == 10
    first = plane(0)[0].mi_xt
    x.zero_()
    assert plane(1)[0].mi_xt == first  # and the same noise of the stochastic layer
    again = InformationPlane(network(), (X, y), ["5"], num_bins=4, num_samples=40)
    assert torch.equal(again.x, plane.x)


def test_what_is_written_is_read_again_and_an_exception_does_not_lose_it(tmp_path):
    path = tmp_path / "below" / "plane.json"
    with pytest.raises(KeyboardInterrupt), InformationPlane(network(), (X, None), ["2"], num_bins=4, out=path):
        raise KeyboardInterrupt
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["assumption"] == {"num_bins": 4}
    assert content["layers"] == ["2"]
    assert [(point["epoch"], point["mi_ty"]) for point in content["points"]] == [(0, None)]


def test_a_constant_layer_lies_at_the_origin():
    model = nn.Sequential(nn.Linear(4, 3))
    nn.init.zeros_(model[0].weight)
    for assumption in ({"relative_noise": 0.3}, {"num_bins": 4}):
        (point,) = InformationPlane(model, (X, Y), **assumption)(0)
        assert point.mi_xt == pytest.approx(0.0, abs=1e-6)
        assert point.mi_ty == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("assumption", [{"relative_noise": 0.3}, {"noise_std": 0.3}, {"num_bins": 4}])
def test_a_training_that_diverges_ends_as_it_does_without_a_look(assumption):
    def run(watch):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        plan = Plan.end_to_end(model, "CE", optimizer=lambda p: torch.optim.SGD(p, 1e37))
        steps = train(plan, TensorBatches(X, Y, batch_size=200, seed=0), epochs=4)
        plane = InformationPlane(model, (X, Y), ["0", "2"], **assumption)
        seen = [(info.diverged, info.next.steps) for info in (plane.watch(steps) if watch else steps)]
        return seen, model.state_dict(), plane

    (plain, weights, _), (watched, same, plane) = run(False), run(True)
    assert watched == plain
    assert plain[-1][0] is not None
    for name, value in weights.items():
        torch.testing.assert_close(same[name], value, rtol=0, atol=0, equal_nan=True)
    (lost,) = {point for point in plane.points if point.epoch == 1 and point.layer == "2"}
    numbers = (lost.mi_xt, lost.mi_xt_error, lost.mi_xt_lower, lost.mi_ty, lost.mi_ty_error)
    assert numbers == (None,) * 5
    assert (lost.xt_estimator, lost.ty_estimator) == (None, None)
    assert lost.assumption == "{}={}".format(*next(iter(assumption.items())))
    assert plane.points[0].mi_xt is not None
    assert json.loads(json.dumps(plane.as_dict(), allow_nan=False))["points"][-1]["layer"] == "2"
    figure = epochs_figure(plane.as_dict()["points"])
    assert len(figure.data[1].x) == sum(p.layer == "2" and p.mi_xt is not None for p in plane.points)


def test_one_layer_that_is_not_finite_costs_the_others_nothing():
    model = nn.Sequential(nn.Linear(4, 3), Apply(torch.log))
    first, last = InformationPlane(model, (X, Y), num_bins=4)(0)
    (alone,) = InformationPlane(model, (X, Y), ["0"], num_bins=4)(0)
    assert first == alone
    assert (last.layer, last.mi_xt, last.mi_ty) == ("1", None, None)


def test_an_error_of_too_few_rows_is_none():
    (point,) = InformationPlane(nn.Sequential(nn.Linear(4, 3)), (X[:20], Y[:20]), relative_noise=0.3)(0)
    assert math.isnan(ross(X[:20], Y[:20]).std_error)
    assert point.mi_ty_error is None
    assert point.mi_ty is not None


def test_copies_of_a_network_are_not_touched_by_another_ones_plane():
    model = network()
    twin = copy.deepcopy(model)
    InformationPlane(twin, (X, None), num_bins=4)(0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize(
    ("last", "per_decade", "expected"),
    [(1, 10, (0, 1)), (10, 1, (0, 1, 10)), (1000, 1, (0, 1, 10, 100, 1000)), (7, 2, (0, 1, 3, 7))],
)
def test_epochs_on_a_logarithmic_grid(last, per_decade, expected):
    assert log_epochs(last, per_decade=per_decade) == expected


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({}, ValueError, "exactly one assumption to be finite, one of noise_std, .*; got none"),
        ({"noise_std": 0.1, "num_bins": 4}, ValueError, "got noise_std and num_bins"),
        ({"noise_std": 0.0}, ValueError, "noise_std must be positive"),
        ({"num_bins": 2.5}, TypeError, "num_bins must be an integer"),
        ({"num_bins": 4, "num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"num_bins": 4, "num_samples": 3}, ValueError, "at least 5 rows, got 3"),
        ({"num_bins": 4, "layers": ["6"]}, ValueError, "InformationPlane: layers: the network has no layer '6'"),
        ({"bin_width": 4.0, "data": (X, Y.float())}, ValueError, "bin_width must be left out for real targets"),
        ({"num_bins": 4, "data": (X, Y.reshape(-1, 1, 1))}, TypeError, r"y must be classes \(n,\), labels"),
        ({"num_bins": 4, "data": (X, Y[:5])}, ValueError, "paired row by row"),
        ({"num_bins": 4, "data": (X, torch.full((200,), -1))}, ValueError, "y must label more than 3"),
        ({"num_bins": 4, "data": (X / 0, None)}, ValueError, "x must be finite"),
        ({"num_bins": 4, "data": (torch.tensor(1.0), None)}, ValueError, "x must have rows"),
        ({"num_bins": 4, "data": (X[:, :2], None)}, ValueError, "does not run on x of shape"),
        ({"num_bins": 4, "data": X}, TypeError, r"data must be a pair \(x, y\), y targets or None, got Tensor"),
        ({"num_bins": 4, "epochs": 5}, TypeError, "epochs must be a list of epochs, such as log_epochs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, kind, words):
    with pytest.raises(kind, match=words):
        InformationPlane(network(), **{"data": (X, None)} | settings)


def test_epochs_that_make_no_sense_are_refused():
    with pytest.raises(TypeError, match="epoch must be an integer, got 'a'"):
        InformationPlane(network(), (X, None), num_bins=4)("a")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="last must be at least 1, got 0"):
        log_epochs(0)
    with pytest.raises(TypeError, match="per_decade must be an integer"):
        log_epochs(5, per_decade=0.5)  # pyright: ignore[reportArgumentType]


def test_looks_leave_numbers_behind_and_no_tensors():
    """However long it watches, what it keeps is its fixed rows and one point of plain numbers a layer and look."""
    network, x = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2)), gaussian(60, 4)

    def tensors():
        gc.collect()
        return sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects())

    with InformationPlane(network, (x, (x[:, 0] > 0).long()), ["1", "2"], relative_noise=0.3) as plane:
        plane(0)
        before = tensors()
        for epoch in range(1, 6):
            plane(epoch)
        assert len(plane.points) == 12
        assert tensors() == before


def test_its_figure_moves_the_marks_by_epochs_and_needs_both_coordinates():
    plane = InformationPlane(network(), (X, Y), ["2", "5"], num_bins=4, num_samples=40)
    for epoch in (0, 3):
        plane(epoch)
    figure = plane.figure()
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0", "3"]
    assert [(line["epoch"], line["layer"], line["mi_ty"]) for line in plane.table()] == [
        (point.epoch, point.layer, point.mi_ty) for point in plane.points
    ]
    assert list(figure.data[0].x) == pytest.approx([p.mi_xt for p in plane.points if p.layer == "2"], rel=1e-5)
    alone = InformationPlane(network(), (X, None), ["2"], num_bins=4, num_samples=40)
    alone(0)
    with pytest.raises(ValueError, match=r"figure needs a point with I\(X; T\) and I\(T; Y\), got none"):
        alone.figure()
