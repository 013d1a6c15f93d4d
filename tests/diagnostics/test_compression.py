import math

import pytest
import torch
from tests.diagnostics.zoo import gaussian

from infotorch.diagnostics.compression import compression, participation_ratio, within_classes
from infotorch.diagnostics.own_noise import OwnNoise
from infotorch.estimators.channel import pairwise_bounds


def test_two_points_far_apart_hold_one_bit_at_every_noise_and_every_quantiser():
    t = torch.tensor([[0.0, 0.0], [3.0, 4.0]]).repeat(10, 1)
    found = compression(t, torch.arange(20) % 2, noise_levels=[0.01, 0.1])
    assert [bound.upper for bound in found.noisy] == pytest.approx([math.log(2)] * 2)
    assert [bound.lower for bound in found.noisy] == pytest.approx([math.log(2)] * 2, abs=1e-4)
    assert [cells.entropy for cells in found.quantised] == pytest.approx([math.log(2)] * 3)
    assert found.spread == pytest.approx(2.5)
    assert found.within_classes == pytest.approx(0.0)
    assert found.ceiling == pytest.approx(math.log(20))


def test_bounds_lie_about_the_information_of_a_gaussian_channel():
    found = compression(gaussian(800, 1), None, noise_levels=[0.5])
    exact = 0.5 * math.log(1 + 1 / 0.5**2)
    assert found.noisy[0].lower < exact < found.noisy[0].upper


def test_gaussian_noise_of_the_layers_own_is_part_of_the_channel():
    mean, own_std, level = gaussian(800, 1), 2.0, 0.5
    t = mean + own_std * torch.randn(800, 1, generator=torch.Generator().manual_seed(1))
    deviation = torch.full_like(mean, own_std)
    found = compression(t, None, noise_levels=[level], own=OwnNoise((mean, deviation)))
    (noisy,) = found.noisy
    exact = 0.5 * math.log(1 + 1 / (own_std**2 + noisy.noise_std**2))
    assert found.own_noise == "gaussian"
    assert noisy.lower < exact < noisy.upper
    alone = compression(t, None, noise_levels=[level])
    assert alone.noisy[0].lower > exact  # what one draw, taken for the layer, would say


def test_of_other_noise_only_the_upper_bound_is_told():
    found = compression(gaussian(100, 1), None, noise_levels=[0.5], own=OwnNoise(None))
    assert found.own_noise == "other"
    assert found.noisy[0].lower is None
    assert found.noisy[0].upper == compression(gaussian(100, 1), None, noise_levels=[0.5]).noisy[0].upper


def test_scaling_and_moving_the_layer_changes_nothing_but_its_spread():
    t, y = gaussian(100, 3), torch.arange(100) % 2
    once, twice = (compression(rows, y, noise_levels=[0.3]) for rows in (t, 50 * t + 7))
    assert twice.spread == pytest.approx(50 * once.spread, rel=1e-5)
    assert twice.noisy[0].upper == pytest.approx(once.noisy[0].upper, rel=1e-4)
    assert [cells.entropy for cells in twice.quantised] == pytest.approx([cells.entropy for cells in once.quantised])
    assert twice.within_classes == pytest.approx(once.within_classes)
    assert twice.dimensions == pytest.approx(once.dimensions, rel=1e-4)


def test_the_noise_is_said_in_both_units():
    t = gaussian(100, 2)
    (noisy,) = compression(t, None, noise_levels=[0.3]).noisy
    spread = float((t - t.mean(dim=0)).square().sum(dim=1).mean().sqrt())
    assert noisy.noise_std == pytest.approx(0.3 * spread, rel=1e-5)
    assert noisy.upper == pytest.approx(float(pairwise_bounds(t, noisy.noise_std)[1]), rel=1e-4)


def test_tighter_clusters_are_more_compressed_in_every_sense():
    y = torch.arange(300) % 3
    centres = 4 * torch.eye(3)[y]
    loose, tight = (compression(centres + width * gaussian(300, 3), y, noise_levels=[0.3]) for width in (1.0, 0.1))
    assert tight.within_classes < loose.within_classes / 10
    assert tight.noisy[0].upper < loose.noisy[0].upper - 0.5
    assert tight.quantised[0].entropy <= loose.quantised[0].entropy


def test_a_constant_layer_holds_nothing():
    found = compression(torch.full((30, 4), 0.1), torch.arange(30) % 2, noise_levels=[0.1, 1.0])
    assert found.spread == 0.0
    assert [bound.upper for bound in found.noisy] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert [cells.entropy for cells in found.quantised] == pytest.approx([0.0] * 3, abs=1e-12)
    assert found.within_classes is None
    assert found.dimensions == 0.0


def test_variance_splits_as_by_hand():
    t, y = torch.tensor([[0.0], [2], [4], [6], [100]]), torch.tensor([0, 0, 1, 1, -1])
    assert within_classes(t, y) == pytest.approx(4 / 20)  # the unlabelled row is left out
    assert within_classes(t, torch.full((5,), -1)) is None
    shuffled = torch.randperm(5, generator=torch.Generator().manual_seed(0))
    assert within_classes(t[shuffled], y[shuffled]) == pytest.approx(4 / 20)


@pytest.mark.parametrize("d", [1, 4, 16])
def test_a_round_cloud_fills_its_dimensions(d):
    assert participation_ratio(gaussian(5000, d).double()) == pytest.approx(d, rel=0.02)  # d (d + 1) / n below d


def test_a_line_in_many_columns_is_a_line():
    assert participation_ratio(gaussian(50, 1).double() * torch.ones(7).double()) == pytest.approx(1.0)
