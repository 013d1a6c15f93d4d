import math

import pytest
import torch
import torch.nn.functional as F
from tests.diagnostics.zoo import Apply, gaussian
from torch import nn

from infotorch.assessment.robustness import (
    affine,
    layer_robustness,
    linear_probe,
    network_robustness,
    robustness,
)
from infotorch.numerics.seeds import seed_streams

STREAMS = seed_streams(0)


def two_classes(n=400, width=2):
    y = torch.arange(n) % 2
    return gaussian(n, width) + 2.0 * (2 * y[:, None] - 1), y


def linear_decision(weight):
    return lambda x: (torch.stack([-x @ weight, x @ weight], dim=1), x)


def test_the_attacks_on_a_linear_decision_are_the_ones_known_in_closed_form():
    # A row of margin m is told wrongly exactly when r |w|_1 exceeds m; one step reaches it, and no attack does better.
    x, y = two_classes()
    weight = torch.tensor([1.0, -0.3])
    found = robustness(linear_decision(weight), x, y, radii=[0.2, 0.5, 1.0], streams=STREAMS)
    margin = (2 * y - 1) * (x @ weight)
    for place, size in enumerate((0.2, 0.5, 1.0)):
        expected = float((margin > size * found.input_scale * weight.abs().sum()).double().mean())
        assert found.curve("fgsm").accuracy[place] == pytest.approx(expected)
        assert found.curve("pgd").accuracy[place] == pytest.approx(expected, abs=2 / len(x))
    assert found.blind == 0.0


def test_the_table_has_a_line_for_each_size_and_the_figure_begins_at_unchanged_samples():
    x, y = two_classes()
    found = robustness(linear_decision(torch.tensor([1.0, -0.3])), x, y, radii=[0.2, 0.5], streams=STREAMS)
    lines = [line for line in found.table() if line["change"] == "pgd"]
    curve = found.curve("pgd")
    assert [line["size"] for line in lines] == list(curve.sizes)
    assert [(line["accuracy"], line["std_error"], line["moved"]) for line in lines] == list(
        zip(curve.accuracy, curve.std_error, curve.moved, strict=True)
    )
    drawn = {trace.name: trace for trace in found.figure().data}
    assert set(drawn) == {each.kind for each in found.curves}
    assert drawn["pgd"].x == (0.0, *curve.sizes)
    assert drawn["pgd"].y == pytest.approx((found.accuracy, *curve.accuracy), rel=1e-5)


def test_gaussian_noise_on_a_linear_decision_has_its_closed_form():
    x, y = torch.ones(4000, 1) * (2.0 * (torch.arange(4000) % 2) - 1)[:, None], torch.arange(4000) % 2
    found = robustness(linear_decision(torch.tensor([1.0])), x, y, radii=[1.0], streams=STREAMS)
    expected = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # P(noise > -1)
    assert found.input_scale == pytest.approx(1.0, rel=1e-3)
    assert abs(found.curve("gaussian").accuracy[0] - expected) < 3 * found.curve("gaussian").std_error[0]


def test_pgd_stays_in_its_ball_and_is_no_weaker_than_one_step_where_the_surface_bends():
    x, y = two_classes()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 30), nn.Tanh(), nn.Linear(30, 2))
    seen = []

    def decide(inputs):
        seen.append(inputs.detach())
        scores = network(5 * inputs)
        return scores, scores

    found = robustness(decide, x, y, radii=[0.3], streams=STREAMS)
    assert found.curve("pgd").accuracy[0] <= found.curve("fgsm").accuracy[0] + 0.01
    limit = 0.3 * found.input_scale * (1 + 1e-5)
    noise_passes = {2}  # x itself, its gradient, then the noisy inputs
    assert all(float((s - x).abs().max()) <= limit for place, s in enumerate(seen) if place not in noise_passes)


def test_the_wide_margin_of_figure_three_is_more_robust_though_the_information_is_equal():
    # Amjad & Geiger 2019, Fig. 3: one ReLU, weights [1, 1] or [0, 1]; both tell the classes, one of them with care.
    generator = torch.Generator().manual_seed(0)
    small, half = 0.05, torch.rand(400, generator=generator) / 2
    y = torch.arange(400) % 2
    thin = small * torch.rand(400, generator=generator)
    x = torch.where(y[:, None] == 1, torch.stack([thin, 0.5 + half], 1), torch.stack([half, thin], 1))

    def decide(weight, threshold):
        return lambda rows: ((t := (rows @ weight).relu()[:, None] - threshold), torch.cat([-t, t], 1))[::-1]

    careless, careful = (
        robustness(decide(torch.tensor(w), threshold), x, y, radii=[0.2], streams=STREAMS)
        for w, threshold in (([1.0, 1.0], 0.5), ([0.0, 1.0], 0.25))
    )
    assert careful.accuracy == 1.0
    assert careless.accuracy > 0.9
    for kind in ("gaussian", "pgd"):
        assert careful.curve(kind).accuracy[0] > careless.curve(kind).accuracy[0] + 0.02


def test_a_decision_without_gradient_hides_from_attacks_and_says_so():
    x, y = two_classes()
    found = robustness(
        lambda x: (torch.stack([-x[:, 0].sign(), x[:, 0].sign()], 1), x), x, y, radii=[5.0], streams=STREAMS
    )
    assert found.blind == 1.0
    assert found.curve("pgd").accuracy == (found.accuracy,)
    assert found.curve("gaussian").accuracy[0] < found.accuracy - 0.1
    hidden = robustness(lambda x: (F.one_hot((x[:, 0] > 0).long(), 2).float(), x), x, y, radii=[5.0], streams=STREAMS)
    assert hidden.blind == 1.0


def test_a_layer_is_judged_by_a_probe_and_the_network_by_itself():
    x, y = two_classes()
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(2))
        network[1].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # the wrong way round
    layer = layer_robustness(network, "1", x, y, radii=[0.1], streams=STREAMS)
    own = network_robustness(network, x, y, radii=[0.1], streams=STREAMS)
    assert layer.num_samples == 200
    assert layer.accuracy > 0.95
    assert own.accuracy < 0.05
    assert own.num_samples == 400


def test_without_classes_to_tell_there_is_no_curve():
    x, y = two_classes()
    network = nn.Linear(2, 1)
    assert network_robustness(network, x, y, radii=[0.1], streams=STREAMS) is None  # one column, two classes
    assert layer_robustness(network, "output", x, torch.zeros(400).long(), radii=[0.1], streams=STREAMS) is None


def test_an_embedding_is_no_decision_and_a_class_that_the_rows_lack_is_one_if_it_is_counted():
    x, y = two_classes()
    network = nn.Linear(2, 3)
    assert network_robustness(network, x, y, radii=[0.1], streams=STREAMS) is None
    assert network_robustness(network, x, y, radii=[0.1], streams=STREAMS, num_classes=4) is None
    counted = network_robustness(network, x, y, radii=[0.1], streams=STREAMS, num_classes=3)
    with torch.no_grad():
        assert counted.accuracy == pytest.approx(float((network(x).argmax(dim=1) == y).double().mean()))


def test_the_probe_is_logistic_regression_and_names_classes_by_their_numbers():
    y = torch.tensor([1, 4, 6]).repeat(60)
    t = gaussian(180, 3) + 5 * torch.eye(3)[torch.arange(180) % 3]
    scores = linear_probe(t, y)(t)
    assert scores.shape == (180, 7)
    assert float((scores.argmax(dim=1) == y).double().mean()) > 0.95
    flat = torch.cat([t, torch.ones(180, 1)], dim=1)  # a constant column is no reason to divide by 0
    assert torch.isfinite(linear_probe(flat, y)(flat)).all()


def test_classes_that_the_fitted_half_does_not_hold_are_never_told():
    x = gaussian(60, 2)
    found = layer_robustness(
        nn.Linear(2, 2),
        "output",
        x,
        torch.arange(60) // 2 * 2 % 34 + (torch.arange(60) >= 30) * 50,
        radii=[0.1],
        streams=STREAMS,
    )
    assert found.accuracy == 0.0


def test_images_are_turned_moved_and_scaled_each_on_its_own():
    ramp = torch.linspace(-1, 1, 17).expand(50, 1, 17, 17).contiguous()
    changed = affine(ramp, 1.0, STREAMS)
    assert torch.equal(changed, affine(ramp, 1.0, STREAMS))
    # The middle of a ramp moves by the shift alone: at most a tenth of the side, each image by its own.
    middle = changed[:, 0, 8, 8]
    assert float(middle.abs().max()) <= 0.2 + 0.03
    assert len(middle.unique()) == 50
    upright = affine(torch.ones(4, 2, 8, 8), 1.0, STREAMS)
    torch.testing.assert_close(upright, torch.ones(4, 2, 8, 8))  # the border repeats: nothing dark comes in


def test_only_images_have_an_affine_curve():
    x, y = gaussian(40, 1, 6, 6), torch.arange(40) % 2
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    kinds = [curve.kind for curve in network_robustness(network, x, y, radii=[0.1], streams=STREAMS).curves]
    assert kinds == ["gaussian", "affine", "fgsm", "pgd"]
    flat = network_robustness(network, x.flatten(1), y, radii=[0.1], streams=STREAMS)
    assert flat.curve("affine") is None


def test_how_far_rows_move_is_told_in_units_of_the_layer():
    x, y = two_classes()
    once, scaled = (
        layer_robustness(Apply(lambda x, f=f: f * x), "output", x, y, radii=[0.1], streams=STREAMS)
        for f in (1.0, 100.0)
    )
    assert scaled.curve("fgsm").moved[0] == pytest.approx(once.curve("fgsm").moved[0], rel=1e-4)
    assert 0.05 < once.curve("fgsm").moved[0] < 0.15
