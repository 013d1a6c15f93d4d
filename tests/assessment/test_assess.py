"""The whole assessment of known models: attacks, noise, strangers and one layer."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from infotorch.assessment.assess import assess
from infotorch.assessment.calibration import calibration_error
from infotorch.data.sets import Split
from infotorch.diagnostics.properties import layer_properties
from infotorch.networks.coded_perceptron import coded_mlp
from infotorch.numerics.seeds import seed_streams


def images(n=100, low=0.0, high=1.0, seed=0):
    """Two classes that differ in their mean brightness."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    x = torch.rand(n, 1, 2, 2, generator=generator) * 0.5 + 0.4 * y[:, None, None, None]
    return Split(low + (high - low) * x, y)


def brightness(sharpness=20.0):
    """Scores of the classes "dark" and "bright", whose border is a mean of 0.45."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Linear(1, 2))
    with torch.no_grad():
        network[1].weight.fill_(0.25)
        network[1].bias.fill_(-0.45)
        network[2].weight.copy_(torch.tensor([[-sharpness], [sharpness]]))
        network[2].bias.zero_()
    return network


def looked_at(network, test, *, layer="1", pixels=(0.0, 1.0), outliers=None):
    strangers = torch.full((50, 1, 2, 2), 0.45) if outliers is None else outliers

    def further(twin, x, y):
        return layer_properties(twin, layer, x, y, relative_noise=0.3, streams=seed_streams(0))

    settings = {"pixel_range": pixels, "num_samples": 100, "radii": (0.1, 0.3), "steps": 4, "further": further}
    return assess(network, (test.x, test.y), strangers, **settings)


class TestKnownNetwork:
    def test_attacks_reach_exactly_the_images_within_the_radius(self):
        test = images()
        found = looked_at(brightness(), test)
        # Every pixel moves by r towards the border, but not out of the range from 0 to 1.
        for r in (0.1, 0.3):
            toward = torch.where(test.y == 1, -1.0, 1.0)[:, None, None, None]
            mean = (test.x + r * toward).clamp(0, 1).mean(dim=(1, 2, 3))
            expected = ((mean > 0.45).long() == test.y).double().mean().item()
            assert found[f"fgsm_{r}_accuracy"] == expected
            assert found[f"pgd_{r}_accuracy"] == expected
        assert found["blind_share"] == 0.0
        assert found["unchanged_accuracy"] == ((test.x.mean(dim=(1, 2, 3)) > 0.45).long() == test.y).double().mean()
        assert found["pgd_0.3_accuracy"] < found["gaussian_0.3_accuracy"] <= found["unchanged_accuracy"]

    def test_trust_is_that_of_the_networks_probabilities(self):
        test, network = images(), brightness()
        found = looked_at(network, test)
        with torch.no_grad():
            scores, strange = network(test.x), network(torch.full((50, 1, 2, 2), 0.45))
        nll = -scores.double().log_softmax(dim=1)[torch.arange(100), test.y].mean()
        assert found["test_nll_nats"] == pytest.approx(nll.item(), abs=1e-5)
        assert found["test_calibration_error"] == pytest.approx(calibration_error(scores, test.y), abs=1e-5)
        sure = torch.cat([strange, scores]).softmax(dim=1).max(dim=1).values
        area = roc_auc_score([1] * 50 + [0] * 100, -sure)
        assert found["outlier_auroc_probability"] == pytest.approx(area, abs=1e-6)
        assert found["outlier_auroc_entropy"] == pytest.approx(area, abs=1e-6)  # of two classes the same order

    def test_the_properties_of_a_layer_that_is_the_class(self):
        test = images()
        exact = Split(test.y[:, None, None, None].float().expand(-1, 1, 2, 2).contiguous(), test.y)
        found = looked_at(brightness(), exact)
        assert found["layer_within_classes"] == 0.0
        assert found["layer_dimensions"] == pytest.approx(1.0)
        assert found["layer_linear_accuracy"] == found["layer_neighbour_accuracy"] == 1.0
        assert found["layer_mi_ty_nats"] == pytest.approx(math.log(2), abs=0.05)
        # Two points 2 / 0.3 deviations of the noise apart: almost log 2.
        assert found["layer_mi_xt_nats"] == pytest.approx(math.log(2), abs=0.01)

    def test_pixels_from_minus_one_to_one_have_the_same_numbers(self):
        network = brightness()
        signed = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Linear(1, 2))
        signed.load_state_dict(network.state_dict())
        with torch.no_grad():
            signed[1].weight.fill_(0.125)
            signed[1].bias.fill_(0.05)  # (mean + 1) / 2 - 0.45
        ours = looked_at(network, images())
        theirs = looked_at(
            signed, images(low=-1.0, high=1.0), pixels=(-1.0, 1.0), outliers=torch.full((50, 1, 2, 2), -0.1)
        )
        assert ours == pytest.approx(theirs, abs=1e-4)

    def test_certainty_does_not_hide_the_gradient(self):
        """In float32 a margin above 104 leaves the other class a probability of 0, and an attack no gradient."""
        found = looked_at(brightness(sharpness=400.0), images())
        assert found["blind_share"] == 0.0
        assert found["pgd_0.3_accuracy"] == looked_at(brightness(), images())["pgd_0.3_accuracy"]


def test_a_network_with_noise_is_judged_by_its_draws_together():
    torch.manual_seed(0)
    test = images(low=-1.0, high=1.0)
    network = coded_mlp(4, (16,), 8, 2, kind="additive", noise_std=0.5, evaluation_draws=20)
    found = looked_at(network, test, layer="bottleneck", pixels=(-1.0, 1.0))
    assert found == looked_at(network, test, layer="bottleneck", pixels=(-1.0, 1.0))
    assert found["blind_share"] == 0.0
    assert 0 < found["test_nll_nats"] < 2


def test_a_noisy_layer_tells_what_its_channel_lets_through():
    test = images(400)
    quiet, loud = (coded_mlp(4, (8,), 2, 2, kind="additive", noise_std=std, scale="fixed") for std in (0.01, 30.0))
    loud.load_state_dict(quiet.state_dict())
    told = [looked_at(network, test, layer="bottleneck")["layer_mi_xt_nats"] for network in (quiet, loud)]
    assert told[0] > 0.5
    assert told[1] < 0.01


def test_of_noise_whose_law_is_not_known_no_bound_is_told():
    network = coded_mlp(4, (8,), 2, 2, kind="log-normal")
    found = looked_at(network, images(), layer="bottleneck")
    assert "layer_mi_xt_nats" not in found
    assert "layer_dimensions" in found


def test_the_network_the_modes_and_the_random_state_stay_as_they_were():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2), nn.Dropout())
    network[1].eval()
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [layer.training for layer in network.modules()]
    state = torch.get_rng_state()
    looked_at(network, images(), layer="2")
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert [layer.training for layer in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_without_more_to_measure_there_are_the_numbers_of_the_decision_alone():
    test = images()
    strangers, whole = torch.full((50, 1, 2, 2), 0.45), looked_at(brightness(), test)
    alone = assess(brightness(), (test.x, test.y), strangers, pixel_range=(0.0, 1.0), radii=(0.1, 0.3), steps=4)
    assert alone == {name: value for name, value in whole.items() if not name.startswith("layer_")}
