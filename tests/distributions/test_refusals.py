"""What laws and maps are handed that they cannot take: one line that names them."""

import numpy as np
import pytest
import torch

from infotorch import distributions as laws


@pytest.mark.parametrize("name", ["half_cube", "normal_cdf", "wiggly", "bimodal", "swiss_roll"])
def test_maps_take_arrays_and_refuse_what_is_no_number(name):
    rows = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    change = getattr(laws, name)
    assert torch.equal(change(rows.numpy()), change(rows))
    for wrong in ("text", None, torch.ones(5, 1, dtype=torch.complex64), np.array([["a"]])):
        with pytest.raises(TypeError, match=f"^{name}: rows must "):
            change(wrong)


def test_a_law_is_named_where_it_is_none():
    with pytest.raises(TypeError, match=r"^Transformed: a law must have sample and mutual_information, got Tensor"):
        laws.Transformed(torch.ones(1))
    with pytest.raises(TypeError, match=r"^Transformed: transform_y must be a function, got 3"):
        laws.Transformed(laws.CorrelatedGaussian(0.5), None, 3)
    with pytest.raises(TypeError, match=r"^Stacked: a law must have"):
        laws.Stacked(laws.CorrelatedGaussian(0.5), None)
    with pytest.raises(TypeError, match=r"^BinarySymmetricChannel: p_one must be a number, got dict"):
        laws.BinarySymmetricChannel(0.1, {})
    with pytest.raises(ValueError, match=r"^CorrelatedGaussian.sample: n must be below 2\*\*31"):
        laws.CorrelatedGaussian(0.5).sample(2**62)
    with pytest.raises(TypeError, match=r"^Spiral: plane must be a pair of columns"):
        laws.Spiral(1.0, None)
    mixture = laws.GaussianMixture([[0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(TypeError, match=r"^GaussianMixture.log_ratio: x must hold real numbers"):
        mixture.log_ratio("x", torch.ones(1, 1))
