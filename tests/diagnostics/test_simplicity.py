import math

import numpy as np
import pytest
import torch
from tests.diagnostics.zoo import gaussian

from infotorch.diagnostics.simplicity import COLUMNS, decisions


def test_labels_that_have_nothing_to_do_with_the_layer_cannot_be_told():
    y = torch.randint(2, (300,), generator=torch.Generator().manual_seed(1))
    found = decisions(gaussian(300, 3), y)
    for probe in (found.linear, found.neighbours, found.network):
        assert abs(probe.accuracy - 0.5) < 4 * probe.std_error
        assert probe.information < 0.02  # a bound on 0, read on rows that the probe has not seen
    assert abs(found.neighbour_information) < 0.1
    assert found.label_entropy == pytest.approx(math.log(2), abs=0.01)


def test_classes_apart_are_told_by_the_simplest_probe_and_hold_all_the_information():
    y = torch.arange(300) % 3
    found = decisions(10 * torch.eye(3)[y] + gaussian(300, 3), y)
    assert found.linear.accuracy == found.neighbours.accuracy == 1.0
    assert found.information == pytest.approx(math.log(3), abs=0.02)
    assert found.information < found.label_entropy
    assert found.simplicity == 0.0
    assert found.majority == pytest.approx(1 / 3)


def test_a_ring_about_a_ring_is_no_matter_of_a_line():
    angle = torch.linspace(0, 60, 400)
    y = torch.arange(400) % 2
    found = decisions(torch.stack([angle.cos(), angle.sin()], dim=1) * (1 + y[:, None]), y)
    assert found.linear.accuracy < 0.6
    assert found.neighbours.accuracy > 0.95
    assert found.network.accuracy > 0.95
    assert found.simplicity < -0.35
    assert found.information > 0.4


def test_the_bound_of_a_linear_probe_is_near_the_known_information():
    # Two unit Gaussians at -1 and 1: logistic regression is their true posterior.
    y = torch.arange(2000) % 2
    x = gaussian(2000) + 2.0 * y - 1.0
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = [torch.exp(-((grid - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (-1, 1)]
    mixed = (density[0] + density[1]) / 2
    exact = float(sum((d * (d / mixed).log()).sum() for d in density) / 2 * (grid[1] - grid[0]))
    found = decisions(x[:, None], y)
    assert abs(found.linear.information - exact) < 3 * found.linear.information_error
    assert abs(found.neighbour_information - exact) < 3 * found.neighbour_information_error + 0.02


def test_an_affine_map_of_the_columns_changes_no_linear_decision():
    y = torch.arange(200) % 2
    x = gaussian(200, 3) + y[:, None]
    once, bent = (decisions(rows, y).linear for rows in (x, x * torch.tensor([1e-3, 1.0, 1e4]) - 5))
    assert bent.accuracy == once.accuracy
    assert bent.information == pytest.approx(once.information, abs=1e-3)  # float32 rounds the first column


def test_many_columns_are_reduced_first_and_the_signal_stays():
    y = torch.arange(200) % 2
    wide = torch.cat([3.0 * (2 * y[:, None] - 1) * torch.ones(20), gaussian(200, 200)], dim=1)
    assert wide.shape[1] > COLUMNS
    assert decisions(wide, y).linear.accuracy > 0.97


def test_rows_without_class_and_classes_of_few_rows_are_left_out():
    y = torch.cat([torch.arange(100) % 2, torch.full((3,), 7), torch.full((20,), -1)])
    found = decisions(gaussian(123, 2), y)
    assert found.num_samples == 100
    assert decisions(gaussian(123, 2), torch.full((123,), -1)) is None
    assert decisions(gaussian(123, 2), torch.zeros(123).long()) is None


def test_a_constant_layer_names_the_most_frequent_class():
    y = (torch.arange(100) < 70).long()
    found = decisions(torch.ones(100, 3), y)
    assert found.linear.accuracy == found.majority == 0.7
    assert found.linear.information == pytest.approx(0.0, abs=1e-3)
    assert found.neighbour_information == pytest.approx(0.0, abs=1e-9)


def test_the_seed_alone_decides_and_the_global_states_stay():
    y = torch.arange(100) % 2
    x = gaussian(100, 2) + y[:, None]
    np.random.seed(3)  # noqa: NPY002
    before, state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert decisions(x, y, seed=1) == decisions(x, y, seed=1)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), state)
