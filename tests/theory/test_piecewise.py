import numpy as np
import pytest
import torch
from tests.reference.theory import relu_network

from infotorch.theory.pieces import PiecewiseLinear

HILLS = PiecewiseLinear([-1.0, 0.0, 0.5, 2.0, 2.25], [0.25, 1.0, -1.0, -1.0, 3.0])


def test_the_function_and_its_network_are_numpys_interpolation():
    x = np.linspace(-3, 4, 1001)
    known = np.interp(x, HILLS.at, HILLS.values)
    assert [HILLS(float(value)) for value in x] == pytest.approx(known, abs=1e-12)
    with torch.no_grad():
        made = relu_network(HILLS)(torch.from_numpy(x)[:, None])[:, 0]
    np.testing.assert_allclose(made.numpy(), known, atol=1e-12)


def test_the_network_has_a_neuron_for_each_kink():
    network = relu_network(HILLS)
    assert [type(layer).__name__ for layer in network] == ["Linear", "ReLU", "Linear"]
    assert network[0].out_features == 5
    assert relu_network(PiecewiseLinear([0, 1, 2], [0, 1, 2]))[0].out_features == 2  # straight through the middle
    assert relu_network(PiecewiseLinear([0, 1], [3.0, 3.0]))(torch.ones(1, 1, dtype=torch.float64)).item() == 3.0


def test_crossings_are_where_the_sign_changes():
    assert HILLS.crossings(0.5) == pytest.approx([-1 + 0.25 / 0.75, 0.125, 2.09375])
    assert HILLS.crossings(5.0) == []
    assert PiecewiseLinear([0, 1, 2], [0, 0.5, 0]).crossings(0.5) == []  # touched, not passed


@pytest.mark.parametrize(
    ("at", "values", "message"),
    [
        ([0.0], [1.0], r"at must be two places or more that rise, got \[0.0\]"),
        ([0.0, 0.0], [1.0, 2.0], "at must be two places or more that rise"),
        ([0.0, 1.0], [1.0], "values must be one for each of 2 places, got 1"),
    ],
)
def test_what_is_refused(at, values, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinear(at, values)
