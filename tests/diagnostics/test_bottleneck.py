import math

import pytest
import torch
from torch import nn

from infotorch.diagnostics.bottleneck import bottleneck_information


def rows(n=600):
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def test_a_constant_bottleneck_has_no_information():
    x, y = rows()
    found = bottleneck_information(lambda rows: torch.ones(len(rows), 3), x, y)
    assert found["mi_xt_nats"] == pytest.approx(0.0, abs=1e-6)
    assert found["mi_ty_nats"] == pytest.approx(0.0, abs=1e-6)


def test_a_gaussian_bottleneck_has_that_of_its_channel():
    # z = x_1, s a tenth: the bound is E -log E' exp(-(z - z')^2 / (2 s^2)), by two Gaussian integrals; I(X; Z) is 2.31.
    x, y = rows(1000)
    found = bottleneck_information(lambda rows: rows[:, :1], x, y, relative_noise=0.1)
    variance = 1 + 0.1**2
    expected = math.log(math.sqrt(variance) / 0.1) + 0.5 / variance
    assert found["mi_xt_nats"] == pytest.approx(expected, abs=0.1)
    assert found["mi_xt_nats"] > 0.5 * math.log(101)
    assert found["mi_ty_nats"] == pytest.approx(math.log(2), abs=0.05)


def test_noise_in_units_of_the_bottleneck_knows_no_scale_and_less_noise_leaves_more():
    x, y = rows()
    once = bottleneck_information(lambda rows: rows, x, y)
    scaled = bottleneck_information(lambda rows: rows * 1000, x, y)
    assert scaled["mi_xt_nats"] == pytest.approx(once["mi_xt_nats"], rel=1e-4)
    assert bottleneck_information(lambda rows: rows, x, y, relative_noise=0.03)["mi_xt_nats"] > once["mi_xt_nats"] + 1


def test_many_dimensions_do_not_reach_the_ceiling():
    z = torch.randn(1000, 500, generator=torch.Generator().manual_seed(0))
    found = bottleneck_information(lambda rows: rows, z, None)
    assert found["mi_xt_nats"] == pytest.approx(1 / 0.5**2, rel=0.05)  # log n is 6.9


def test_a_pair_counts_together_and_labels_may_lack():
    x, y = rows()
    pair = bottleneck_information(lambda rows: (rows[:, :1], {"other": rows[:, 1:]}), x, y)
    assert pair == bottleneck_information(lambda rows: rows, x, y)
    assert "mi_ty_nats" not in bottleneck_information(lambda rows: rows, x, None)
    half = torch.where(torch.arange(len(y)) % 2 == 0, y, -1)
    assert bottleneck_information(lambda rows: rows, x, half)["mi_ty_nats"] == pytest.approx(math.log(2), abs=0.1)


def test_at_most_a_thousand_rows_are_looked_at_and_no_gradient_is_kept():
    layer = nn.Linear(2, 3)
    seen = []

    def forward(part):
        seen.append(len(part))
        return layer(part)

    x, y = rows(1500)
    found = bottleneck_information(forward, x, y)
    assert seen == [1000]
    assert found["mi_xt_nats"] <= math.log(1000)


def test_wrong_noise_is_refused():
    with pytest.raises(ValueError, match="relative_noise must be positive"):
        bottleneck_information(lambda rows: rows, *rows(), relative_noise=0.0)
